internal import AMQP
internal import Broker
public import Postgres
public import Service
internal import Store
internal import Wire

/// Preconditions of every service: the schema and the broker's topology.
public enum Schema {
    /// Waits until the registry has applied the schema of this program, and the number of partitions is fixed.
    public static func wait(_ context: Runtime, _ store: StoreConnection) async throws {
        struct Missing: Error, CustomStringConvertible {
            let description = "the schema has not been applied yet; sensor-registry applies it"
        }
        _ = try await context.retrying("waiting for the schema", part: "database") {
            guard try await Migrations.areApplied(in: store), try await store.partitionCount() != nil else {
                throw Missing()
            }
        }
    }

    /// Declares everything that the broker needs, with as many streams as the database has partitions.
    public static func declareTopology(_ context: Runtime, _ store: StoreConnection) async throws {
        struct OtherStreams: Error, CustomStringConvertible {
            let description: String
        }
        _ = try await context.retrying(
            "declaring the topology", part: "broker",
            while: { error in
                if error is OtherStreams { return false }
                if case BrokerError.rejected(_, 406, _) = error { return false }
                return true
            }
        ) {
            let partitions = try await store.partitionCount() ?? 0
            // The service is ready when all is declared, not when it is connected.
            try await context.withBroker("topology", part: nil) { broker in
                let next = Topology.Queue(name: Routing.stream(partitions), kind: .stream)
                if try await broker.messageCount(of: next) != nil {
                    throw OtherStreams(
                        description:
                            "the broker has a stream \(next.name), but the database has \(partitions) partitions")
                }
                try await broker.declare(.sensorStreaming(partitions: partitions))
            }
        }
    }
}
