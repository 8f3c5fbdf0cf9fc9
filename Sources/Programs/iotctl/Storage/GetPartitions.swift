internal import AMQP
internal import ArgumentParser
internal import Messaging
internal import Records
internal import Store

/// `iotctl get partitions`
struct GetPartitions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partitions",
        abstract: "Lists the streams with their owner, stored offset, rate and lag.",
        discussion: """
            Examples:
              iotctl get partitions
              iotctl get partitions --look 5s
              iotctl get partitions -o json | jq 'map(.lag) | add'

            LAG is the approximate number of messages that are not stored yet: the
            broker's newest chunk may hold more. MSG/S is the rate during --look. If the
            broker is unreachable, LAG is "-".
            """,
        aliases: ["partition"])

    @Option(help: "Measure the rate for this long; 0s: do not measure.")
    var look = Duration.seconds(1)

    @OptionGroup var output: ListOptions

    func validate() throws {
        guard look < .seconds(3600) else { throw ValidationError("--look must be less than 1h") }
    }

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let before = try await store.partitions()
            async let ends = Self.ends(of: before.map(\.stream), connections)
            if look > .zero, !before.isEmpty { try await Task.sleep(for: look) }
            let (known, trouble) = await ends
            if let trouble { Talk.say("\(trouble); lag is not known") }
            let partitions = PartitionStatus.compare(before, try await store.partitions(), ends: known)
            try output.show(partitions, name: \.record.stream, view: { PartitionView($0) }) { _ in
                PartitionStatus.table(partitions)
            }
            if partitions.isEmpty { Talk.sayOnTerminal("no partitions yet: sensor-registry creates them") }
        }
    }

    /// The streams' end offsets, by name; and an error text if the broker did not give them.
    private static func ends(of streams: [String], _ connections: Connections) async -> ([String: Int64], String?) {
        if streams.isEmpty { return ([:], nil) }
        do {
            let broker = try await connections.broker()
            let ends = try await StreamEnds.read(streams, over: broker)
            await broker.close()
            return (ends, nil)
        } catch { return ([:], "broker: \(error)") }
    }
}

extension PartitionStatus {
    static func table(_ partitions: [PartitionStatus]) -> Table {
        Table(
            columns: [
                .name("STREAM"), .long("OWNER"), .number("EPOCH"), .number("LEASE"), .number("OFFSET"),
                .number("COMMIT"), .number("MSG/S"), .number("LAG"), .wideNumber("INCARNATION"),
            ],
            expendable: ["EPOCH", "LEASE", "OFFSET", "OWNER", "COMMIT"],
            rows: partitions.map { partition in
                let record = partition.record
                let isLate = (record.leaseLeft ?? .zero) <= .zero
                return [
                    Cell(record.stream), Cell(record.owner), Cell(String(record.epoch)),
                    Cell(isLate ? "none" : record.leaseLeft?.short, isLate ? .bad : .plain),
                    Cell(record.committedOffset.map { String($0) }), Cell(record.committedAge?.short),
                    Cell(partition.messagesPerSecond.map { $0.rounded().short }),
                    Cell(partition.lag.map { $0 == 0 ? "0" : "~\($0)" }), Cell(String(record.incarnation)),
                ]
            })
    }
}
