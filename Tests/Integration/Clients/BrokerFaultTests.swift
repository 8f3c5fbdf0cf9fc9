import AMQP
import Broker
import Endpoint
import Foundation
import Service
import TestSupport
import Testing

extension Integration {
    @Suite struct BrokerFaults {
        private let queue = Topology.Queue(name: "q", kind: .quorum)

        private func openError(
            _ system: TestSystem, _ change: (inout Endpoint) -> Void
        ) async throws -> BrokerError {
            var endpoint = try system.settings.broker
            change(&endpoint)
            let changed = endpoint
            let error = try await #require(throws: BrokerError.self) {
                try await BrokerConnection.open(changed, name: "test")
            }
            #expect(!"\(error)".contains(changed.password.text), "the password shows")
            #expect("\(error)".contains("\(changed.host)"), "\(error)")
            return error
        }

        @Test func whoIsRefusedAndWhoFindsNobodyIsToldApart() async throws {
            try await TestSystem.with { system in
                let password = try await openError(system) { $0.password = Secret("hunter2") }
                let user = try await openError(system) { $0.user = "nobody" }
                let virtualHost = try await openError(system) { $0.path = "nowhere" }
                for refused in [password, user, virtualHost] {
                    guard case .refused = refused else {
                        Issue.record("not refused: \(refused)")
                        continue
                    }
                }
                #expect("\(virtualHost)".contains("nowhere"))
                let port = try await openError(system) { $0.host.port = 1 }
                let host = try await openError(system) { $0.host.name = "no-such-host.invalid" }
                for unreachable in [port, host] {
                    guard case .unreachable = unreachable else {
                        Issue.record("not unreachable: \(unreachable)")
                        continue
                    }
                }
            }
        }

        /// A waiting reader is told, so that the owner opens another connection.
        @Test func aConnectionThatIsCutTellsAllThatWait() async throws {
            try await TestSystem.with { system in
                try await system.withUser { doomed in
                    try await system.withBroker(at: doomed) { broker in
                        _ = try await broker.declare(queue)
                        _ = try await broker.declare(Topology.Queue(name: "silent", kind: .quorum))
                        let consumer = try await broker.consume(ConsumerOptions(queue: "silent", prefetch: 10))
                        let reading = Task { try await broker.nextBatch(consumer, upTo: 1) }
                        let publishing = Task {
                            while true { try await broker.send(numbered(0..<1000), to: "q") }
                        }
                        try await eventually("it publishes") { try await broker.messageCount(of: queue) ?? 0 > 0 }
                        try await system.cut(doomed.user)
                        let errors = [
                            try await #require(throws: BrokerError.self) { try await reading.value },
                            try await #require(throws: BrokerError.self) { try await publishing.value },
                            try await #require(throws: BrokerError.self) {
                                try await broker.consume(ConsumerOptions(queue: "q", prefetch: 1))
                            },
                        ]
                        for error in errors {
                            guard case .lost = error else {
                                Issue.record("not lost: \(error)")
                                continue
                            }
                        }
                    }
                }
                try await system.withBroker("next") { broker in
                    try await broker.send(numbered(0..<1), to: "q")
                }
            }
        }

        /// An alarm makes publishers wait, it does not break them; consumers go on.
        @Test func aMemoryAlarmMakesPublishersWait() async throws {
            try await TestSystem.with { system in
                try await system.withUser { doomed in
                    try await system.withBroker("consumer") { reader in
                        try await system.withBroker("publisher") { publisher in
                            let cut = try await BrokerConnection.open(doomed, name: "doomed")
                            try await publishAcrossAnAlarm(system, reader, publisher, cut)
                        }
                    }
                }
            }
        }

        private func publishAcrossAnAlarm(
            _ system: TestSystem, _ reader: BrokerConnection, _ publisher: BrokerConnection, _ doomed: BrokerConnection
        ) async throws {
            _ = try await reader.declare(queue)
            let consumer = try await reader.consume(ConsumerOptions(queue: "q", prefetch: 100))
            try await publisher.send(numbered(0..<1), to: "q")
            #expect(await publisher.blockedReason == nil)
            let publishing = try await duringMemoryAlarm {
                let publishing = Task {
                    for number in 1..<20 { try await publisher.send(numbered(number..<number + 1), to: "q") }
                }
                let waiting = Task { while true { try await doomed.send(numbered(99..<100), to: "q") } }
                try await eventually("both are blocked", within: .seconds(20)) {
                    let reasons = [await publisher.blockedReason, await doomed.blockedReason]
                    return reasons.allSatisfy { $0?.contains("memory") == true }
                }
                // Consumers get what was accepted, and a blocked publisher that is cut says so.
                #expect(try await reader.receive(1, consumer).numbers == [0])
                try await system.cut("\(system.name)-doomed")
                let error = try await #require(throws: BrokerError.self) { try await waiting.value }
                guard case .lost = error else { throw error }
                return publishing
            }
            try await publishing.value
            #expect(await publisher.blockedReason == nil)
            var numbers: [Int] = []
            while numbers.last != 19 {
                numbers += try await reader.receive(1, consumer).numbers.filter { $0 != 99 }
            }
            #expect(numbers == Array(1..<20))
        }

        /// A publisher that is told to stop while the broker blocks it must still be gone within 5 s.
        @Test func aBlockedConnectionClosesQuickly() async throws {
            try await TestSystem.with { system in
                try await system.withBroker { publisher in
                    _ = try await publisher.declare(queue)
                    try await duringMemoryAlarm {
                        let publishing = Task { while true { try await publisher.send(numbered(0..<1), to: "q") } }
                        try await eventually("it is blocked", within: .seconds(20)) {
                            await publisher.blockedReason != nil
                        }
                        let began = ContinuousClock.now
                        await publisher.close()
                        #expect(began.duration(to: .now) < .seconds(5))
                        await #expect(throws: BrokerError.lost("closed by this program")) { try await publishing.value }
                    }
                }
            }
        }

        /// A blocked broker stops reading the socket. A send that waits for it would stop the thread, and with it
        /// consumers, heartbeats and `close`, until the alarm is over.
        @Test func largeMessagesDoNotStopTheThreadDuringAnAlarm() async throws {
            let messages = (0..<40).map { _ in
                OutgoingMessage(exchange: "", key: "q", body: [UInt8](repeating: 1, count: 512 << 10))
            }
            try await TestSystem.with { system in
                try await system.withBroker { publisher in
                    _ = try await publisher.declare(queue)
                    let publishing = try await duringMemoryAlarm {
                        let publishing = Task { try await publisher.publish(messages) }
                        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
                        let asking = Task {
                            while await publisher.blockedReason == nil { try await Task.sleep(for: .milliseconds(5)) }
                            answer.yield()
                            answer.finish()
                        }
                        let deadline = Task {
                            try await Task.sleep(for: .seconds(5))
                            answer.finish()
                        }
                        var isAnswered = false
                        for await _ in answers { isAnswered = true }
                        #expect(isAnswered, "the connection does not say that it is blocked")
                        asking.cancel()
                        deadline.cancel()
                        return publishing
                    }
                    #expect(try await publishing.value == Array(repeating: .confirmed, count: messages.count))
                }
            }
        }

        /// The broker believes for as long as `body` runs that its memory is used up.
        private func duringMemoryAlarm<Result>(_ body: () async throws -> Result) async throws -> Result {
            func set(_ watermark: String) async throws {
                try await TestServers.control("rabbitmqctl", "set_vm_memory_high_watermark", watermark)
            }
            try await set("0.00001")
            let result: Result
            do { result = try await body() } catch {
                try await set("0.4")
                throw error
            }
            try await set("0.4")
            return result
        }
    }
}
