import AMQP
import Broker
import Endpoint
import Foundation
import Postgres
import Service
import TestSupport
import Testing
import Time

/// The client libraries against the real servers, one test after another: some change what holds for the whole broker.
@Suite(.serialized, .enabled(if: TestServers.areThere, "make test starts the servers"), .timeLimit(.minutes(5)))
enum Integration {}

extension TestSystem {
    /// Gives `body` a connection to the test's virtual host, named after it, and closes it.
    func withBroker(
        _ label: String = "main", at endpoint: Endpoint? = nil, _ body: (BrokerConnection) async throws -> Void
    ) async throws {
        let broker = try await BrokerConnection.open(try endpoint ?? settings.broker, name: "\(name)-\(label)")
        do { try await body(broker) } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }

    /// Gives `body` a user of the test's own, whose connections can be cut without touching others.
    func withUser(_ body: (Endpoint) async throws -> Void) async throws {
        let name = "\(self.name)-doomed"
        try await TestServers.management(
            "PUT", "/api/users/\(name)", body: #"{"password": "\#(name)", "tags": ""}"#)
        try await TestServers.management(
            "PUT", "/api/permissions/\(self.name)/\(name)",
            body: #"{"configure": ".*", "write": ".*", "read": ".*"}"#)
        var endpoint = try settings.broker
        endpoint.user = name
        endpoint.password = Secret(name)
        let failure: (any Error)?
        do {
            try await body(endpoint)
            failure = nil
        } catch { failure = error }
        try await TestServers.management("DELETE", "/api/users/\(name)")
        if let failure { throw failure }
    }

    /// Closes all connections of that user by the management API.
    func cut(_ user: String) async throws {
        try await TestServers.management("DELETE", "/api/connections/username/\(user)")
    }

    /// Another connection to the test's database.
    func anotherStore(_ label: String = "another") throws -> StoreConnection {
        StoreConnection(try settings.database, applicationName: "\(name)-\(label)")
    }
}

extension BrokerConnection {
    /// Publishes straight to a queue; all must be confirmed.
    func send(_ bodies: [[UInt8]], to queue: String) async throws {
        let outcomes = try await publish(bodies.map { OutgoingMessage(exchange: "", key: queue, body: $0) })
        guard outcomes == Array(repeating: .confirmed, count: bodies.count) else {
            throw TestServers.Failure("not all confirmed: \(outcomes.filter { $0 != .confirmed })")
        }
    }

    /// Takes exactly that many deliveries; acknowledges them, if asked to.
    func receive(_ count: Int, _ consumer: Consumer, acknowledging: Bool = false) async throws -> [Delivery] {
        var all: [Delivery] = []
        while all.count < count {
            let batch = try await nextBatch(consumer, upTo: count - all.count, timeout: .seconds(10))
            guard let last = batch.last else { throw TestServers.Failure("\(all.count) messages of \(count)") }
            if acknowledging { try acknowledge(consumer, upTo: last) }
            all += batch
        }
        return all
    }
}

extension BrokerConnection {
    /// Reads the first `partitions` streams from their beginning until `count` messages have come in all.
    func readPartitions(_ partitions: Int, count: Int) async throws -> [[Delivery]] {
        var consumers: [Consumer] = []
        for partition in 0..<partitions {
            consumers.append(
                try consume(
                    ConsumerOptions(queue: "measurements.\(partition)", prefetch: 5000, offset: .first)))
        }
        var found = Array(repeating: [Delivery](), count: partitions)
        try await eventually("\(count) messages in \(partitions) streams", within: .seconds(20)) {
            for (partition, consumer) in consumers.enumerated() {
                found[partition] += try await nextBatch(consumer, upTo: 5000, timeout: .milliseconds(50))
            }
            return found.reduce(0) { $0 + $1.count } >= count
        }
        return found
    }
}

/// "0", "1", "2" … as payloads.
func numbered(_ range: Range<Int>) -> [[UInt8]] { range.map { Array("\($0)".utf8) } }

extension [Delivery] {
    /// The payloads as numbers.
    var numbers: [Int] { map { Int(String(decoding: $0.body, as: UTF8.self)) ?? -1 } }
}
