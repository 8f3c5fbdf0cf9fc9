internal import ArgumentParser
internal import Pipelines
internal import Store

/// What `iotctl set` waits for.
enum TwinPatience: String, ExpressibleByArgument, CaseIterable {
    /// Nothing: it is wanted from now on.
    case none
    /// That the sensors report it.
    case done
}

/// `iotctl set SENSOR…|-l SELECTOR|--all path=value…`
struct SetDesired: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Changes what is wanted of sensors (the desired half of their twins).",
        usage: """
            iotctl set <sensor> ... <path=value> ... [<options>]
            iotctl set -l <selector>|--all <path=value> ... [<options>]
            """,
        discussion: """
            Examples:
              iotctl set lab-1 limits.temperature.high=30 limits.temperature.hysteresis=0.5
              iotctl set lab-1 limits.temperature.high=null
              iotctl set lab-1 lab-2 location.name="Hall 3" calibrated=true
              iotctl set lab-1 rate=2.5kHz --wait done --timeout 5s
              iotctl set -l kind=vibration,hall=3 rate=1000 --dry-run
              iotctl set sensor lab-1 calibrated=true

            Words with = are changes, the others serial numbers. A value is a number, true,
            false, null (takes the property away) or text. rate=1000 means rate_hz=1000. Limits
            are limits.CHANNEL.high, .low and .hysteresis; they raise alarms and must be numbers.

            sensor-registry tells the sensors what has changed, those that are away when they
            return. Unless --wait done is given nobody waits for that. Exit code 3: some do not
            report within --timeout what was set; it stays wanted.
            """)

    /// Which, and what.
    @Argument(
        help: ArgumentHelp("Serial numbers and properties, nested by dots.", valueName: "sensor> ... <path=value"),
        completion: .sensors)
    var words: [String] = []

    /// Which, if they are not named.
    @OptionGroup var selection: SensorSelection

    /// How far to wait.
    @Option(name: .customLong("wait"), help: "done: until the sensors report what was set; none.")
    var patience = TwinPatience.none

    /// How long to wait.
    @Option(help: "How long to wait for that, in all.")
    var timeout = Duration.seconds(10)

    /// How to print.
    @OptionGroup var output: OutputOptions

    private var serials: [String] { words.filter { !$0.contains("=") } }

    private func changes() throws(DesiredChange.Invalid) -> [DesiredChange] {
        try words.filter { $0.contains("=") }.map { word throws(DesiredChange.Invalid) in try DesiredChange(word) }
    }

    /// Refuses what is no change.
    func validate() throws {
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        do {
            if try changes().isEmpty { throw ValidationError("which properties? give path=value") }
        } catch let error as DesiredChange.Invalid { throw ValidationError(error.description) }
        try selection.check(serials)
    }

    /// Changes them.
    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().store()
            let serials = try await selection.serials(serials, in: store)
            let twins = try await change(serials, changes, store)
            let places = Dictionary(serials.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: min)
            let sorted = twins.sorted { (places[$0.serial] ?? 0) < (places[$1.serial] ?? 0) }
            try show(sorted)
            if selection.dryRun { Talk.say("dry run: \(twins.count.sensors) would be changed, nothing was done") }
            let late = twins.count { $0.outcome == .timedOut }
            if late > 0 {
                throw Failure(
                    ExitStatus.timedOut,
                    "\(late.sensors) did not report it within \(timeout.short); it stays wanted: describe sensor shows it"
                )
            }
        }
    }

    private func change(
        _ serials: [String], _ changes: [DesiredChange], _ store: StoreConnection
    ) async throws -> [TwinChange] {
        let apply: @Sendable (String) -> String = { json in
            changes.reduce(Value(json: json) ?? .object([])) { $1.applied(to: $0) }.json
        }
        if selection.dryRun {
            return try await store.twins(of: serials).map { twin in
                var wanted = twin
                wanted.desired.json = apply(twin.desired.json)
                return TwinChange(wanted, .planned)
            }
        }
        try selection.confirm(serials.count, "change what is wanted of \(serials.count.sensors)")
        let records = try await store.changeDesired(of: serials, apply)
        if let sensor = serials.first, serials.count == 1 { try await hint(changes, sensor, store) }
        guard patience == .done else { return records.map { TwinChange($0, .changed) } }
        return try await wait(records.map { TwinChange($0, .changed) }, for: changes, store)
    }

    /// Looks until every sensor reports what was set, or time is up.
    private func wait(
        _ twins: [TwinChange], for changes: [DesiredChange], _ store: StoreConnection
    ) async throws -> [TwinChange] {
        let start = ContinuousClock.now
        var bar = ProgressBar("set")
        defer { bar.clear() }
        var done: [TwinChange] = []
        var open = twins
        while true {
            done += open.filter { $0.drift(of: changes).isEmpty }.map { $0.with(.reported) }
            open.removeAll { $0.drift(of: changes).isEmpty }
            bar.show(of: twins.count, ended: done.count, open: open.count, counts: [("reported", done.count)])
            let elapsed = start.duration(to: .now)
            if open.isEmpty || elapsed >= timeout { return done + open.map { $0.with(.timedOut) } }
            // A fleet is a larger question.
            let pause: Duration = open.count > 1000 ? .seconds(1) : .milliseconds(200)
            try await Task.sleep(for: min(pause, timeout - elapsed))
            open = try await store.twins(of: open.map(\.serial)).map { TwinChange($0, .changed) }
        }
    }

    /// A limit of a channel that there is not raises no alarm: somebody may have mistyped it.
    private func hint(_ changes: [DesiredChange], _ sensor: String, _ store: StoreConnection) async throws {
        let names = try await store.channels(of: sensor).map(\.name)
        let limited = Set(changes.filter(\.isLimit).map { $0.path[1] })
        for channel in limited.subtracting(names).sorted() {
            let proposals = DidYouMean.proposals(for: channel, among: names)
            let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
            Talk.say("\(sensor) has no channel \(channel) so far\(hint)")
        }
    }

    // MARK: output

    /// One object for one sensor that was named, otherwise a list.
    private func show(_ twins: [TwinChange]) throws {
        if let twin = twins.first, serials.count == 1 {
            let showsDrift = selection.dryRun || patience == .done
            return try output.show(twin.value) { _, style in twin.text(style, showsDrift: showsDrift) }
        }
        try output.show(.list(twins.map(\.value))) { wide, style in
            selection.isFleet && !selection.dryRun
                ? FleetReport(lines: twins.map(\.line)).text(wide: wide, style)
                : Self.table(twins).text(wide: wide, style)
        }
    }

    private static func table(_ twins: [TwinChange]) -> Table {
        Table(
            columns: [.text("SENSOR"), .number("VERSION"), .text("OUTCOME"), .text("WANTED, BUT NOT REPORTED")],
            rows: twins.map {
                [
                    Cell($0.serial), Cell("\($0.twin.desired.version)"), Cell(word: $0.outcome.rawValue),
                    Cell($0.driftText),
                ]
            })
    }
}

/// What `set` did to a sensor.
private struct TwinChange {
    enum Outcome: String {
        /// `--dry-run`: nothing was done.
        case planned
        /// It is wanted from now on.
        case changed
        /// The sensor reports it.
        case reported
        /// It did not in time.
        case timedOut = "timed_out"
    }

    let twin: TwinRecord
    let outcome: Outcome
    let drift: [Twin.Drift]

    init(_ twin: TwinRecord, _ outcome: Outcome) {
        self.twin = twin
        self.outcome = outcome
        drift = Twin.drift(
            desired: Value(json: twin.desired.json) ?? .null, reported: Value(json: twin.reportedJSON) ?? .null)
    }

    var serial: String { twin.desired.serial }

    func with(_ outcome: Outcome) -> TwinChange { TwinChange(twin, outcome) }

    /// What is not reported of what was set.
    func drift(of changes: [DesiredChange]) -> [Twin.Drift] {
        let paths = changes.map { $0.path.joined(separator: ".") }
        return drift.filter { drift in paths.contains { drift.path == $0 || drift.path.hasPrefix($0 + ".") } }
    }

    /// "rate_hz=1000 (has 500)", for people.
    var driftText: String {
        drift.map { drift in
            let has = drift.reported == .null ? "" : " (has \(drift.reported.plain))"
            return "\(drift.path)=\(drift.desired.plain)\(has)"
        }.joined(separator: ", ")
    }

    /// docs/iotctl-json.md, "desired".
    var value: Value {
        .record([
            "serial": .text(serial), "desired": Value(json: twin.desired.json) ?? .null,
            "desired_version": .integer(twin.desired.version), "desired_changed_at": .time(twin.desired.changedAt),
            "outcome": .text(outcome.rawValue), "drift": .list(drift.map(\.record)),
        ])
    }

    var line: FleetReport.Line {
        FleetReport.Line(
            sensor: serial, outcome: outcome.rawValue,
            gravity: outcome == .timedOut ? CommandOutcome.timedOut.gravity : 0, milliseconds: nil, reason: driftText)
    }

    func text(_ style: Style, showsDrift: Bool) -> String {
        let leaves = Twin.leaves(of: Value(json: twin.desired.json) ?? .null).filter { !$0.path.isEmpty }
        let table = Table(
            columns: [.text("DESIRED (version \(twin.desired.version))"), .text("VALUE")],
            rows: leaves.map { [Cell($0.path), Cell($0.value.plain)] })
        let wanted = table.text(wide: false, style)
        if !showsDrift { return wanted }
        return wanted + "\nWanted, but not reported: \(driftText.isEmpty ? "nothing" : driftText)\n"
    }
}
