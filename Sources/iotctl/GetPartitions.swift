internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Store

/// `iotctl get partitions`
struct GetPartitions: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "partitions",
        abstract: "Lists the streams: who stores them, how far, how fast, how much is left.",
        discussion: """
            Examples:
              iotctl get partitions
              iotctl get partitions --look 5s
              iotctl get partitions -o json | jq 'map(.lag) | add'

            LAG is about how many messages are not stored: the broker's newest chunk may hold
            some more. MSG/S is what was stored while it looked. Without the broker LAG is "-".
            """,
        aliases: ["partition"])

    /// How long to look.
    @Option(help: "Look for so long to tell how fast they are stored; 0s: don't.")
    var look = Duration.seconds(1)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard look < .seconds(3600) else { throw ValidationError("--look must be less than 1h") }
    }

    /// Prints them.
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
            try output.show(.list(partitions.map(\.value))) { wide, style in
                PartitionStatus.table(partitions).text(wide: wide, style)
            }
            if partitions.isEmpty { Talk.sayOnTerminal("no partitions: sensor-registry makes them") }
        }
    }

    /// Where the streams end; and what was wrong, if nobody can say.
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

/// A partition, with what two looks and the broker say of it.
struct PartitionStatus: Sendable, Equatable {
    /// As it is now.
    var record: PartitionRecord
    /// Messages stored a second; nil: not known.
    var messagesPerSecond: Double?
    /// About how many messages are not stored; nil: not known.
    var lag: Int64?

    /// What came of the partitions from one look to the next.
    /// - Parameter ends: offsets near the ends of the streams.
    static func compare(
        _ before: [PartitionRecord], _ after: [PartitionRecord], ends: [String: Int64]
    ) -> [PartitionStatus] {
        after.map { record in
            let earlier = before.first { $0.stream == record.stream }
            return PartitionStatus(
                record: record, messagesPerSecond: earlier.flatMap { record.messagesPerSecond(since: $0) },
                lag: ends[record.stream].map { record.lag(end: $0) })
        }
    }

    /// As JSON (docs/iotctl-json.md, "partition").
    var value: Value {
        .record([
            "stream": .text(record.stream), "incarnation": .integer(record.incarnation), "owner": .text(record.owner),
            "epoch": .integer(record.epoch), "lease_left_s": .seconds(record.leaseLeft),
            "committed_offset": .integer(record.committedOffset), "committed_at": .time(record.committedAt),
            "committed_age_s": .seconds(record.committedAge), "messages_per_s": .number(messagesPerSecond),
            "lag": .integer(lag),
        ])
    }

    /// For people.
    static func table(_ partitions: [PartitionStatus]) -> Table {
        Table(
            columns: [
                .text("STREAM"), .long("OWNER"), .number("EPOCH"), .number("LEASE"), .number("OFFSET"),
                .number("COMMIT"), .number("MSG/S"), .number("LAG"), .wideNumber("INCARNATION"),
            ],
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
