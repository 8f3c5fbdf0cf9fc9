internal import Broker
internal import Store
internal import Wire

/// What must be there before a service can work.
enum Schema {
    /// Waits until the registry has brought the schema to the step that this program knows, and partitions are fixed.
    static func wait(_ context: ServiceContext, _ store: StoreConnection) async throws {
        struct Missing: Error, CustomStringConvertible {
            let description = "the schema is not there yet; sensor-registry applies it"
        }
        _ = try await context.retrying("waiting for the schema", part: "database") {
            guard try await Migrations.areApplied(in: store), try await store.partitionCount() != nil else {
                throw Missing()
            }
        }
    }

    /// Makes sure that the broker has everything, with as many streams as the database says.
    static func declareTopology(_ context: ServiceContext, _ store: StoreConnection) async throws {
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
            let broker = try await context.openBroker("topology")
            let next = Topology.Queue(name: Routing.stream(partitions), kind: .stream)
            if try await broker.messageCount(of: next) != nil {
                throw OtherStreams(
                    description: "the broker has a stream \(next.name), but the database has \(partitions) partitions")
            }
            try await broker.declare(.sensorStreaming(partitions: partitions))
            await broker.close()
        }
    }
}
