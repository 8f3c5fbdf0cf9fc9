import AMQP
import Broker
import Foundation
import Model
import Service
import TestSupport
import Testing
import Time
import Wire

/// Machine control as an outside client sees it: `Outside/control.py`, with Debian's grpcio and protobuf.
struct ControlClient {
    /// A line that the client prints for a response of WatchAlarms, or for the end of the stream.
    struct Line: Decodable {
        struct Alarm: Decodable {
            var id: String
            var rule: String?
            var severity: String?
            var value: Double?
            var limit: Double?
            var text: String?
            /// Numbers of 64 bits are texts in protobuf's JSON.
            var epoch: String?
            var offset: String?
        }

        var token: String?
        var alarm: Alarm?
        var sensor: String?
        var edge: String?
        var receivedUnixNs: String?
        var streamOffset: String?
        var heardS: Double?
        /// The end of the stream.
        var code: String?
        var details: String?
    }

    /// The answer to a call.
    struct Answer: Decodable {
        var code: String
        var details: String
        var response: JSON

        struct JSON: Decodable {
            var id: String?
            var outcome: String?
            var reason: String?
            var afterS: Double?
            var atUnixNs: String?
            var serial: String?
            var presence: String?
            var kind: String?
            var channels: [Channel]?
            var activeAlarms: [String]?
            var sensors: [Sensor]?
            var nextPageToken: String?
        }

        struct Channel: Decodable {
            var name: String
            var unit: String?
            var hasValue: Bool?
            var value: Double?
        }

        struct Sensor: Decodable { var serial: String }
    }

    static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    static let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/control.py").path

    let system: TestSystem
    let address: String

    /// A client of a registry that was started with `--grpc-port`.
    init(_ system: TestSystem, of registry: Program) async throws {
        self.system = system
        var port: Substring = ""
        try await eventually("the gRPC port") {
            let text = registry.errors
            try registry.expectRunning()
            guard let found = text.range(of: #""grpc_port":""#, options: .backwards) else { return false }
            port = text[found.upperBound...].prefix { $0.isNumber }
            return true
        }
        address = "127.0.0.1:\(port)"
    }

    func call(_ method: String, _ request: String, seconds: Int = 30) async throws -> Answer {
        let done = try await system.run(
            "/usr/bin/python3", [Self.script, address, "call", method, request, "\(seconds)"])
        guard done.status == 0 else { throw TestServers.Failure("\(method): \(done.errors)") }
        return try ControlClient.decoder.decode(Answer.self, from: Data(done.output.utf8))
    }

    /// Starts a client that watches until it is ended.
    /// - Parameter verb: "watch", or "follow": then it goes on whenever the server is back.
    func watch(_ request: String = "{}", _ verb: String = "watch") async throws -> Watch {
        let folder = system.folder.appending(path: "watch-\(UUID().uuidString.prefix(4)).log")
        let program = try Program(
            "/usr/bin/python3", [Self.script, address, verb, request], environment: system.environment, log: folder)
        let watch = Watch(program: program)
        try await eventually("the first response, or the end") { try !watch.lines.isEmpty }
        return watch
    }

    /// A client that watches.
    struct Watch {
        let program: Program

        /// What it has printed so far, but for a line that is not whole.
        var lines: [Line] {
            get throws {
                let whole = program.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                return try whole.map { try ControlClient.decoder.decode(Line.self, from: Data($0.utf8)) }
            }
        }

        /// The alarms among them.
        var alarms: [Line] { get throws { try lines.filter { $0.alarm != nil } } }
        var ids: [String] { get throws { try alarms.compactMap(\.alarm?.id) } }
        var token: String { get throws { try #require(try lines.last { $0.token != nil }?.token) } }

        func waits(for count: Int) async throws {
            do {
                try await eventually("\(count) alarms", within: .seconds(60)) { try alarms.count >= count }
            } catch {
                throw TestServers.Failure("\(error): \(program.output.suffix(1000))\(program.errors.suffix(2000))")
            }
        }

        /// Ends it at once, as a cut would.
        func kill() async throws {
            program.signal(SIGKILL)
            _ = try await program.end()
        }
    }
}

extension TestSystem {
    /// Publishes alarms as an evaluator does, and waits for the confirms.
    /// - Parameter ids: the ids, in order; the number behind the last "-" is the offset.
    func publish(
        alarms ids: [String], of sensor: String = "g-1", edge: Alarm.Edge = .trigger, rule: String = "limit:x:high",
        severity: Alarm.Severity = .warning, text: String = "x is 2, high limit 1"
    ) async throws {
        let serial = try #require(SerialNumber(sensor))
        let broker = try await BrokerConnection.open(try settings.broker, name: "test alarms")
        let messages = ids.map { id in
            var alarm = Alarm(
                id: id, rule: rule, severity: severity, channel: 0, value: 2, limit: 1, at: .now, position: nil,
                text: text)
            alarm.origin = Alarm.Origin(
                stream: "measurements.0", epoch: 3, offset: Int64(id.split(separator: "-").last ?? "") ?? 0)
            return OutgoingMessage(
                exchange: Routing.exchange, key: Routing.key(serial, .alarm(edge)), body: AlarmCodec.encode(alarm))
        }
        let outcomes = try await broker.publish(messages)
        await broker.close()
        #expect(outcomes.allSatisfy { $0 == .confirmed })
    }
}
