internal import ArgumentParser
internal import Pipelines
internal import Store

/// `iotctl set SENSOR path=value…`
struct SetDesired: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Changes what is wanted of a sensor (the desired half of its twin).",
        discussion: """
            Examples:
              iotctl set lab-1 limits.temperature.high=30 limits.temperature.hysteresis=0.5
              iotctl set lab-1 limits.temperature.high=null
              iotctl set lab-1 location.name="Hall 3" rate_hz=1000 calibrated=true

            A value is a number, true, false, null (takes the property away) or text. Limits are
            limits.CHANNEL.high, .low and .hysteresis; they raise alarms and must be numbers.
            """)

    /// Which.
    @Argument(help: "Serial number.")
    var sensor: String

    /// What.
    @Argument(help: ArgumentHelp("Properties, nested by dots.", valueName: "path=value"))
    var assignments: [String]

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what is no change.
    func validate() throws {
        do { _ = try assignments.map { try DesiredChange($0) } } catch let error as DesiredChange.Invalid {
            throw ValidationError(error.description)
        }
    }

    /// Changes them.
    func run() async throws {
        let changes = try assignments.map { try DesiredChange($0) }
        try await perform {
            let store = try Connections().store()
            let record = try await store.changeDesired(of: sensor) { json in
                changes.reduce(Value(json: json) ?? .object([])) { $1.applied(to: $0) }.json
            }
            guard let record else { throw try await store.notFound([sensor]) }
            try await hint(changes, store)
            try output.show(Self.value(record)) { _, style in Self.text(record, style) }
        }
    }

    /// A limit of a channel that there is not raises no alarm: somebody may have mistyped it.
    private func hint(_ changes: [DesiredChange], _ store: StoreConnection) async throws {
        let names = try await store.channels(of: sensor).map(\.name)
        let limited = Set(changes.filter(\.isLimit).map { $0.path[1] })
        for channel in limited.subtracting(names).sorted() {
            let proposals = DidYouMean.proposals(for: channel, among: names)
            let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
            Talk.say("\(sensor) has no channel \(channel) so far\(hint)")
        }
    }

    private static func value(_ record: DesiredRecord) -> Value {
        .record([
            "serial": .text(record.serial), "desired": Value(json: record.json) ?? .null,
            "desired_version": .integer(record.version), "desired_changed_at": .time(record.changedAt),
        ])
    }

    private static func text(_ record: DesiredRecord, _ style: Style) -> String {
        let leaves = Twin.leaves(of: Value(json: record.json) ?? .null)
        let table = Table(
            columns: [.text("DESIRED (version \(record.version))"), .text("VALUE")],
            rows: leaves.map { [Cell($0.path), Cell($0.value.plain)] })
        return table.text(wide: false, style)
    }
}
