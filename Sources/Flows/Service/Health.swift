internal import FlyingFox
internal import FlyingSocks
internal import Foundation
public import Logging
public import ServiceLifecycle
internal import Synchronization

/// Whether a service can do its work now, with a reason for each part that can't.
public final class Readiness: Sendable {
    private let reasons: Mutex<[String: String]>

    /// Not ready until each of `parts` has been set ready.
    public init(waitingFor parts: [String]) {
        reasons = Mutex(Dictionary(parts.map { ($0, "not connected yet") }, uniquingKeysWith: { first, _ in first }))
    }

    /// Records that a part works.
    public func ready(_ part: String) { reasons.withLock { $0[part] = nil } }

    /// Records why a part does not work.
    public func notReady(_ part: String, _ reason: String) { reasons.withLock { $0[part] = reason } }

    /// The parts that do not work, one line each; empty: the service is ready.
    public var missing: [String] { reasons.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" } } }
}

/// `/livez`, `/readyz` and `/metrics` over HTTP.
public struct HealthServer: Service {
    private let port: UInt16
    private let readiness: Readiness
    private let metrics: Metrics
    private let logger: Logger

    /// - Parameter port: 0 lets the system choose a free port, which is logged.
    public init(port: UInt16, readiness: Readiness, metrics: Metrics = .shared, logger: Logger) {
        self.port = port
        self.readiness = readiness
        self.metrics = metrics
        self.logger = logger
    }

    /// Serves until a graceful shutdown.
    public func run() async throws {
        let server = HTTPServer(address: sockaddr_in.inet(port: port), timeout: 5, logger: .disabled)
        await server.appendRoute("GET /livez") { _ in Self.text(.ok, "ok\n") }
        await server.appendRoute("GET /readyz") { [readiness] _ in
            let missing = readiness.missing
            return missing.isEmpty
                ? Self.text(.ok, "ready\n") : Self.text(.serviceUnavailable, missing.joined(separator: "\n") + "\n")
        }
        await server.appendRoute("GET /metrics") { [readiness, metrics] _ in
            metrics.set("iot_ready", "1 if /readyz reports ready, otherwise 0.", to: readiness.missing.isEmpty ? 1 : 0)
            return Self.text(.ok, metrics.exposition(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.waitUntilListening()
            let port = await Self.port(of: server)
            logger.info("listening", metadata: ["http_port": "\(port)"])
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }

    private static func port(of server: HTTPServer) async -> UInt16 {
        switch await server.listeningAddress {
        case .ip4(_, let port), .ip6(_, let port): port
        case .unix, nil: 0
        }
    }

    private static func text(
        _ status: HTTPStatusCode, _ text: String, type: String = "text/plain; charset=utf-8"
    ) -> HTTPResponse {
        HTTPResponse(statusCode: status, headers: [.contentType: type], body: Data(text.utf8))
    }
}
