# `make demo` streams data from simulated sensors to the database, `make test` runs all tests. Both install what they need.

SHELL := /bin/bash
SECONDS ?= 30
SWIFT_BUILD := swift build --explicit-target-dependency-import-check error
# Debug builds, which the tests run, have machine control over gRPC. `make release` does not, so that a first `make demo`
# does not build SwiftNIO (docs/decisions/0020-grpc.md).
DEBUG_TRAITS := --traits GRPC
STRICT_SOURCES := Package.swift Sources Tests Benchmarks

.PHONY: help setup build release demo up down backup restore test unit check format proto clean hook bench microbench \
	test-compose check-deploy scale-story docs

help: ## Print this text
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 21
	@echo; echo "  SECONDS=60 make demo    streams for a minute"
	@echo "  SENSORS=100 make up     plays a hundred sensors"
	@echo "  INSTANCE=NAME make up   (down, backup, restore) uses servers NAME, not dev"

setup: ## Install packages (apt); create the servers' root in .build
	@scripts/setup

build: setup ## Build for debugging, into .build
	@$(SWIFT_BUILD) $(DEBUG_TRAITS) --build-tests

release: setup ## Build the five programs optimised, into .build/release; GRPC=1 with machine control
	@$(SWIFT_BUILD) -c release $(if $(GRPC),--traits GRPC)

demo: release ## Stream simulated data for SECONDS (30), and report
	@SECONDS_TO_STREAM=$(SECONDS) exec scripts/system demo

up: release ## Keep servers, services and SENSORS (20) sensors running
	@exec scripts/system up

down: ## Stop the servers and programs that `make up` started
	@exec scripts/system down

backup: setup ## Back up `make up`, or DATABASE_URL, into FILE (backups/…)
	@exec scripts/backup save $(if $(FILE),'$(FILE)')

restore: setup ## Restore FILE into an empty database, as a superuser
	@exec scripts/backup restore $(if $(FILE),'$(FILE)')

test: build ## All tests; LEVELS="integration faults demo": only those
	@exec scripts/test $(LEVELS)

test-compose: build ## Run compose.yaml with podman on stand-ins, and check it
	@scripts/test-compose debug

check-deploy: build ## Check Dockerfile, compose.yaml, k8s, flux and monitoring
	@scripts/check-deploy
	@BUILD=debug scripts/check-monitoring
	@scripts/scale-story --self-test
	@scripts/capacity --check docs/scaling.md

scale-story: release ## Simulate the autoscaler under load; no frame may be lost
	@exec scripts/scale-story $(STORY)

bench: release ## Measure beside references; BENCH="-o json --parts forms"
	@exec scripts/bench $(BENCH)

microbench: release ## Count instructions of the hot paths; MICROBENCH="--check"
	@exec scripts/microbench $(MICROBENCH)

unit: setup ## The tests that need no server
	@swift test $(DEBUG_TRAITS) --skip IntegrationTests --skip EndToEndTests

check: setup ## Format, links, warnings as errors, generated code
	@swift format lint --strict --parallel --recursive $(STRICT_SOURCES)
	@scripts/proto --check
	@scripts/check-links
	@$(SWIFT_BUILD) $(DEBUG_TRAITS) --build-tests
	@echo "check: all good"

docs: ## Build the documentation's site into .build/site
	@scripts/docs

format: ## Format the Swift sources
	@swift format --in-place --parallel --recursive $(STRICT_SOURCES)

proto: setup ## Compile proto/ into Sources/C/CMessages and proto/control.binpb
	@scripts/proto

hook: ## Run `make check` before each commit
	@ln -sf ../../scripts/pre-commit .git/hooks/pre-commit && echo "hook: .git/hooks/pre-commit runs make check"

clean: ## Remove all builds, and the servers with their data
	@for name in $$(ls .build/servers 2>/dev/null); do [ ! -d .build/servers/$$name/broker ] || scripts/servers stop $$name; done
	@rm -rf --one-file-system .build
