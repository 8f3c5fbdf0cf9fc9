import Foundation
import Model
import Postgres
import Store
import TestSupport
import Testing
import Time
import Wire

/// A registry with receivers, and the outside programs that are told.
struct NotifyArena {
    let system: TestSystem
    /// NOTIFY_CONFIG.
    let file: String

    /// An arena with an empty file of receivers.
    static func with(_ body: (NotifyArena) async throws -> Void) async throws {
        try await TestSystem.with { system in
            let arena = NotifyArena(system: system, file: system.folder.appending(path: "receivers.yaml").path)
            try arena.configure("")
            try await body(arena)
        }
    }

    /// Writes the file of receivers, at once as a whole.
    func configure(_ receivers: String) throws {
        let text = receivers.isEmpty ? "receivers: []\n" : "receivers:\n\(receivers)\n"
        try Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
    }

    /// Starts a registry.
    func registry() async throws -> Program {
        let registry = try system.start("sensor-registry", ["--notify-config", file])
        try await registry.ready()
        return registry
    }

    /// Publishes begins or ends of alarms as an ingester does, and waits until they are recorded.
    func publish(_ edge: Alarm.Edge, _ ids: [String], rule: String = "hot", sensor: String = "press-1") async throws {
        let serial = try #require(SerialNumber(sensor))
        for id in ids {
            var alarm = Alarm(
                id: id, rule: "\(rule)-\(id)", severity: .critical, channel: 1, value: 81, limit: 80, at: .now,
                position: nil, text: "\(id) is above 80 °C")
            alarm.channelName = "temperature"
            alarm.unit = "°C"
            let message: [String: Any] = [
                "properties": [String: String](), "routing_key": Routing.key(serial, .alarm(edge)),
                "payload": Data(AlarmCodec.encode(alarm)).base64EncodedString(), "payload_encoding": "base64",
            ]
            let body = String(decoding: try JSONSerialization.data(withJSONObject: message), as: UTF8.self)
            try await TestServers.management(
                "POST", "/api/exchanges/\(system.name)/\(Routing.exchange)/publish", body: body)
        }
        let column: SQL = edge == .trigger ? "raised_at" : "cleared_at"
        try await eventually("\(ids.count) alarms are recorded") {
            try await system.number(
                "SELECT count(*) FROM alarm WHERE alarm_id = ANY (\(ids)::text[]) AND \(column) IS NOT NULL")
                == ids.count
        }
    }

    /// How many changes a receiver has taken, by the outbox.
    func delivered(to receiver: String) async throws -> Int64 {
        try await system.number(
            "SELECT count(*) FROM notification WHERE receiver = \(receiver) AND delivered_at IS NOT NULL")
    }

    /// Starts a receiver of webhooks.
    func webhook(mode: String = "ok", secret: String? = nil) async throws -> WebhookReceiver {
        let modeFile = system.folder.appending(path: "mode-\(UUID().uuidString.prefix(4))")
        try Data(mode.utf8).write(to: modeFile)
        let program = try outside("notify-receiver", [modeFile.path] + (secret.map { [$0] } ?? []))
        return WebhookReceiver(program: program, port: try await Self.port(of: program), modeFile: modeFile)
    }

    func outside(_ script: String, _ arguments: [String]) throws -> Program {
        let path = TestServers.root.appending(path: "Tests/EndToEnd/Outside/\(script).py").path
        return try system.start(
            "/usr/bin/python3", [path] + arguments, log: "\(script)-\(UUID().uuidString.prefix(4))")
    }

    static func port(of program: Program) async throws -> Int {
        struct Line: Decodable { var port: Int }
        try await eventually("a port") {
            try program.expectRunning()
            return program.output.contains("\n")
        }
        return try JSONDecoder().decode(Line.self, from: Data(program.output.prefix { $0 != "\n" }.utf8)).port
    }
}

/// An outside HTTP server, which records and answers as it is told.
struct WebhookReceiver {
    let program: Program
    let port: Int
    let modeFile: URL

    var url: String { "http://127.0.0.1:\(port)" }

    /// A request.
    struct Request: Decodable {
        var id: String?
        var mode: String
        var signed: Bool?
        var body: Body
    }

    /// Our JSON, or Slack's, or Alertmanager's.
    struct Body: Decodable {
        struct Alert: Decodable {
            var status: String
            var labels: [String: String]
            var annotations: [String: String]
        }

        var kind: String?
        var id: String?
        var edge: String?
        var count: Int?
        var more: Int?
        var text: String?
        var alerts: [Alert]?
    }

    /// What came so far.
    var requests: [Request] {
        get throws {
            try program.output.split(separator: "\n").dropFirst().map {
                try JSONDecoder().decode(Request.self, from: Data($0.utf8))
            }
        }
    }

    func set(mode: String) throws { try Data(mode.utf8).write(to: modeFile, options: .atomic) }

    /// The ids of what it took.
    var taken: [String] { get throws { try requests.filter { $0.mode == "ok" }.compactMap(\.id) } }
}
