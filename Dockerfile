# The five programs in one image, for linux/amd64 and linux/arm64:
#
#   docker build -t ghcr.io/sensor-services/sensor-services:0.1.0 .
#
# PROGRAMS=prebuilt takes them from .build/image instead, where `scripts/image-files .build/release .build/image` puts
# what was compiled outside, on a Debian bookworm of the image's architecture. docs/compose.md has both architectures.
ARG PROGRAMS=compiled

FROM docker.io/library/swift:6.3.1-bookworm AS compile
RUN apt-get update \
    && apt-get install -y --no-install-recommends libcurl4-openssl-dev libmosquitto-dev libpq-dev libprotobuf-c-dev \
        librabbitmq-dev pkg-config protobuf-c-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
# Package.resolved is not in the repository; a build with one in the folder takes the versions that it names.
COPY Package.swift Package.resolve[d] ./
COPY Sources Sources
COPY Benchmarks Benchmarks
COPY Tests Tests
COPY scripts/image-files scripts/image-files
# A cache for each architecture: they may be built at the same time.
ARG TARGETARCH
RUN --mount=type=cache,id=sensor-services-$TARGETARCH,target=/source/.build,sharing=locked \
    for program in sensor-simulator sensor-registry logs-ingester measurements-ingester iotctl; do \
        swift build -c release --traits GRPC --product "$program" || exit 1; \
    done \
    && scripts/image-files .build/release /programs

FROM scratch AS compiled
COPY --from=compile /programs /

FROM scratch AS prebuilt
COPY .build/image /

# hadolint ignore=DL3006
FROM ${PROGRAMS} AS programs

FROM docker.io/library/debian:bookworm-20261005-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libmosquitto1 libpq5 libprotobuf-c1 \
        librabbitmq4 libstdc++6 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && groupadd --gid 10001 iot \
    && useradd --uid 10001 --gid iot --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin iot
# Programs look for the Swift runtime beside themselves, so they stay together; found by name through links.
COPY --from=programs / /usr/local/lib/sensor-services/
COPY --chmod=0755 scripts/healthcheck /usr/local/bin/healthcheck
# For clients of gRPC, because sensor-registry has no reflection.
COPY proto/control.binpb /usr/local/share/sensor-services/control.binpb
RUN for program in sensor-simulator sensor-registry logs-ingester measurements-ingester iotctl; do \
        ln -s "../lib/sensor-services/$program" "/usr/local/bin/$program" && "$program" --help >/dev/null || exit 1; \
    done

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sensor-services" \
      org.opencontainers.image.description="What sensors measure, through RabbitMQ into TimescaleDB: five programs" \
      org.opencontainers.image.source="https://github.com/sensor-services/sensor-services" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

USER 10001:10001
ENV HTTP_PORT=8080
EXPOSE 8080 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/healthcheck"]
CMD ["iotctl", "--help"]
