import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// MQTT 3.1.1 sensors that flush all they kept the moment the broker's MQTT port opens (docs/decisions/0007, 11).
    @Suite struct FirstPublishes {
        /// An outside client, four starts, half of them after SIGKILL: twice as the broker starts by itself, and twice
        /// with a stream that cannot start before the broker is up, which makes the window as wide as it takes.
        @Test func whatABrokerConfirmsAtItsStartIsThere() async throws {
            try await TestSystem.with { system in
                let instance = try #require(TestServers.instance)
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/first-publishes.py").path
                let done = try await system.run(
                    "/usr/bin/python3", [script, instance, "2", "2"], deadline: .seconds(600))
                try #require(done.status == 0, "\(done.errors)")
                let sums = try JSONDecoder().decode([String: Int].self, from: Data(done.output.utf8))
                #expect(sums["confirmed"] == 4 * 12 * 300 && sums["unconfirmed"] == 0, "\(done.errors)")
                #expect(sums["lost"] == 0, "\(done.errors)")
            }
        }

        /// RabbitMQ may not have a quorum queue on record yet that it declared just before it is killed. The queue elects a
        /// leader all the same: otherwise MQTT would stay closed, and the restart would not end.
        @Test func queuesDeclaredJustBeforeAKillAreUpAgain() async throws {
            try await TestSystem.with { system in
                for number in 0..<5 {
                    try await TestServers.management(
                        "PUT", "/api/queues/\(system.name)/young.\(number)",
                        body: #"{"durable": true, "arguments": {"x-queue-type": "quorum"}}"#)
                }
                try await TestServers.control("restart", "broker", "--kill")
                for number in 0..<5 {
                    let answer = try await TestServers.management(
                        "POST", "/api/exchanges/\(system.name)/amq.default/publish",
                        body: """
                            {"properties": {}, "routing_key": "young.\(number)", "payload": "x", "payload_encoding": "string"}
                            """)
                    #expect(String(decoding: answer, as: UTF8.self) == #"{"routed":true}"#)
                }
            }
        }
    }
}
