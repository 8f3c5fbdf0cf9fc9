internal import ArgumentParser
internal import Control
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store

/// The event that `iotctl set` waits for.
enum WaitFor: String, ExpressibleByArgument, CaseIterable {
    /// None: it returns when the properties are recorded as desired.
    case none
    /// All sensors report the properties.
    case done
}

/// `iotctl set SENSOR…|-l SELECTOR|--all path=value…`
struct SetDesired: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Sets desired properties of sensors, also of sensors that are offline.",
        usage: """
            iotctl set <sensor> ... <path=value> ... [<options>]
            iotctl set -l <selector>|--all <path=value> ... [<options>]
            """,
        discussion: """
            Examples:
              iotctl set lab-1 limits.x.high=30 limits.x.hysteresis=0.5
              iotctl set lab-1 limits.temperature.high=null
              iotctl set lab-1 lab-2 location.name="Hall 3" calibrated=true
              iotctl set lab-1 rate=2.5kHz --wait done --timeout 5s
              iotctl set -l kind=vibration,hall=3 rate=1000 --dry-run
              iotctl set sensor lab-1 calibrated=true

            Words with = are properties, other words are serial numbers. A value is a
            number, true, false, null (which removes the property) or text. rate=1000 sets
            rate_hz. The limits of a channel are limits.CHANNEL.high, .low and
            .hysteresis. They must be numbers, and low must not be above high; values
            beyond them raise alarms. A name that resembles one of these is refused.

            sensor-registry sends changes to the sensors, and to a sensor that is offline
            when it returns. With --wait done iotctl waits until the sensors report the
            properties, or until they answer that they refuse them. The properties stay
            desired in any case.

            Exit codes with --wait done: 0 all sensors report the properties; 1 a sensor
            failed to set them; 3 timed out; 4 rejected by a sensor.
            """)

    @Argument(
        help: ArgumentHelp(
            "Serial numbers or globs and properties, nested by dots.", valueName: "sensor> ... <path=value"),
        completion: .sensors)
    var words: [String] = []

    @OptionGroup var selection: SensorSelection

    @Option(name: .customLong("wait"), help: "Wait until the sensors report the properties (done), or not (none).")
    var waitFor = WaitFor.none

    @Option(help: "Timeout of --wait done.")
    var timeout = Duration.seconds(10)

    @OptionGroup var output: OutputOptions

    private var serials: [String] { words.filter { !$0.contains("=") } }

    private func changes() throws(DesiredChange.Invalid) -> [DesiredChange] {
        try words.filter { $0.contains("=") }.map { word throws(DesiredChange.Invalid) in try DesiredChange(word) }
    }

    func validate() throws {
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        do {
            if try changes().isEmpty { throw ValidationError("which properties? give path=value") }
        } catch let error as DesiredChange.Invalid { throw ValidationError(error.description) }
        try selection.check(serials)
    }

    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().acting(unless: selection.dryRun).store()
            let serials = try await selection.serials(serials, in: store)
            let twins = try await change(serials, changes, store)
            let places = Dictionary(serials.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: min)
            let sorted = twins.sorted { (places[$0.serial] ?? 0) < (places[$1.serial] ?? 0) }
            try show(sorted)
            if selection.dryRun { Talk.say("dry run: \(twins.count.sensors) would be changed; nothing was changed") }
            try end(sorted)
        }
    }

    /// Ends with the exit code of the worst outcome.
    private func end(_ twins: [TwinChange]) throws {
        var failure = Failure(CommandOptions.status(CommandOutcome.worst(twins.compactMap(\.outcome.ofCommand))))
        let refused = twins.filter { $0.outcome == .rejected || $0.outcome == .failed }
        failure.lines = refused.prefix(Self.refusalsMax).map {
            "\($0.serial) \($0.outcome.rawValue): \($0.view.reason)"
        }
        if refused.count > Self.refusalsMax {
            failure.lines.append("\((refused.count - Self.refusalsMax).sensors) more refused the properties")
        }
        let late = twins.count { $0.outcome == .timedOut }
        if late > 0 { failure.lines.append("\(late.sensors) did not report the properties within \(timeout.short)") }
        if failure.lines.isEmpty { return }
        failure.lines.append("the properties stay desired; iotctl describe sensor shows them")
        throw failure
    }

    /// The most refusals that are printed one by one.
    private static let refusalsMax = 3

    private func change(
        _ serials: [String], _ changes: [DesiredChange], _ store: StoreConnection
    ) async throws -> [TwinChange] {
        let apply: @Sendable (String) throws -> String = { json in
            let desired = changes.reduce(JSONValue(json: json) ?? .object([])) { $1.applied(to: $0) }
            // A contradiction that was set earlier does not refuse a change of other channels.
            let touched = Set(changes.filter(\.isLimit).map { "limits.\($0.path[1]): " })
            let wrong = DesiredChange.contradictions(in: desired).filter { line in
                touched.contains { line.hasPrefix($0) }
            }
            if let line = wrong.first { throw Failure(ExitStatus.usage, line) }
            return desired.json
        }
        if selection.dryRun {
            return try await store.twins(of: serials).map { twin in
                var planned = twin
                planned.desired.json = try apply(twin.desired.json)
                return TwinChange(planned, .planned)
            }
        }
        try selection.naming(self.serials).confirm(
            serials.count, "change the desired properties of \(serials.count.sensors)")
        let records = try await store.changeDesired(of: serials, apply)
        if let sensor = serials.first, serials.count == 1 { try await hint(changes, sensor, store) }
        guard waitFor == .done else { return records.map { TwinChange($0, .changed) } }
        let offline = try await store.absentSensors(among: serials).filter { $0.presence == .offline }
        if !offline.isEmpty {
            let subject = serials.count == 1 ? serials[0] : "\(offline.count) of \(serials.count) sensors"
            Talk.say(
                "offline: \(subject); the properties stay desired, waiting at most \(timeout.short) for the sensors' reports"
            )
        }
        return try await wait(records.map { TwinChange($0, .changed) }, for: changes, store)
    }

    /// Waits until every sensor reports the properties or refuses them, or until the timeout.
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
            let refusals = try await refusals(of: open, store)
            for twin in open {
                guard let refusal = refusals[twin.serial], !twin.drift(of: changes, in: refusal).isEmpty else {
                    continue
                }
                let outcome: TwinChange.Outcome =
                    refusal.state == CommandLife.State.rejected.rawValue ? .rejected : .failed
                done.append(twin.with(outcome, reason: refusal.reason))
                open.removeAll { $0.serial == twin.serial }
            }
            bar.show(of: twins.count, ended: done.count, open: open.count, counts: TwinChange.Outcome.counts(done))
            let elapsed = start.duration(to: .now)
            if open.isEmpty || elapsed >= timeout { return done + open.map { $0.with(.timedOut) } }
            // A query for a large fleet is expensive.
            let pause: Duration = open.count > 1000 ? .seconds(1) : .milliseconds(200)
            try await Task.sleep(for: min(pause, timeout - elapsed))
            open = try await store.twins(of: open.map(\.serial)).map { TwinChange($0, .changed) }
        }
    }

    /// The newest commands by which the registry asked sensors for these versions of their properties, and which they
    /// rejected or failed to run, by serial.
    private func refusals(of twins: [TwinChange], _ store: StoreConnection) async throws -> [String: CommandRecord] {
        if twins.isEmpty { return [:] }
        let versions = Dictionary(twins.map { ($0.serial, $0.twin.desired.version) }, uniquingKeysWith: max)
        let commands = try await store.commands(
            CommandFilter(
                serials: twins.map(\.serial), states: [.rejected, .failed], countMax: max(100, 4 * twins.count)))
        return Dictionary(
            commands.filter { ($0.desiredVersion ?? -1) >= versions[$0.serial] ?? .max }.map { ($0.serial, $0) },
            uniquingKeysWith: { newest, _ in newest })
    }

    /// A limit of a channel that does not exist raises no alarm; its name may be mistyped.
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
        let selection = selection.naming(serials)
        if let twin = twins.first, serials.count == 1, !selection.isFleet {
            let showsDrift = selection.dryRun || waitFor == .done
            return try output.show(twin.view) { _, style in twin.text(style, showsDrift: showsDrift) }
        }
        try output.show(twins.map(\.view)) { wide, style in
            selection.isFleet && !selection.dryRun
                ? FleetReport(lines: twins.map(\.line)).text(wide: wide, style)
                : Self.table(twins).text(wide: wide, style)
        }
    }

    private static func table(_ twins: [TwinChange]) -> Table {
        Table(
            columns: [.name("SENSOR"), .number("VERSION"), .text("OUTCOME"), .long("NOT REPORTED")],
            expendable: ["VERSION"],
            rows: twins.map {
                [
                    Cell($0.serial), Cell("\($0.twin.desired.version)"), Cell(word: $0.outcome.rawValue),
                    Cell($0.driftText),
                ]
            })
    }
}

/// The result of `set` for a sensor.
private struct TwinChange {
    enum Outcome: String {
        /// `--dry-run`: nothing was changed.
        case planned
        /// The property is desired from now on.
        case changed
        /// The sensor reports it.
        case reported
        /// The sensor did not report it within the timeout.
        case timedOut = "timed_out"
        /// The sensor refused it.
        case rejected
        /// The sensor failed to set it.
        case failed

        /// The outcome of a command that means the same; nil: none was waited for.
        var ofCommand: CommandOutcome? {
            switch self {
            case .planned, .changed: nil
            case .reported: .succeeded
            case .timedOut: .timedOut
            case .rejected: .rejected
            case .failed: .failed
            }
        }

        /// How many changes have each outcome, for the progress.
        static func counts(_ changes: [TwinChange]) -> [(word: String, count: Int)] {
            [.reported, .rejected, .failed].compactMap { (outcome: Outcome) in
                let count = changes.count { $0.outcome == outcome }
                return count == 0 ? nil : (outcome.rawValue, count)
            }
        }
    }

    let twin: TwinRecord
    let outcome: Outcome
    let view: DesiredView

    init(_ twin: TwinRecord, _ outcome: Outcome, reason: String = "") {
        self.twin = twin
        self.outcome = outcome
        view = DesiredView(twin, outcome: outcome.rawValue, reason: reason)
    }

    var serial: String { twin.desired.serial }

    func with(_ outcome: Outcome, reason: String = "") -> TwinChange { TwinChange(twin, outcome, reason: reason) }

    /// The changed properties that the sensor does not report yet.
    func drift(of changes: [DesiredChange]) -> [DriftView] {
        let paths = changes.map { $0.path.joined(separator: ".") }
        return view.drift.filter { drift in paths.contains { drift.path == $0 || drift.path.hasPrefix($0 + ".") } }
    }

    /// Those of them that a command asked for.
    func drift(of changes: [DesiredChange], in command: CommandRecord) -> [DriftView] {
        drift(of: changes).filter { command.desiredProperties.contains($0.path) }
    }

    /// "rate_hz=1000 (has 500)", for people.
    var driftText: String {
        view.drift.map { drift in
            let has = drift.reported == .null ? "" : " (has \(drift.reported.plain))"
            return "\(drift.path)=\(drift.desired.plain)\(has)"
        }.joined(separator: ", ")
    }

    var line: FleetReport.Line {
        FleetReport.Line(
            sensor: serial, outcome: outcome.rawValue,
            severity: outcome.ofCommand?.severity ?? 0, milliseconds: nil,
            reason: view.reason.isEmpty ? driftText : view.reason)
    }

    func text(_ style: Style, showsDrift: Bool) -> String {
        let leaves = view.desired.leaves.filter { !$0.path.isEmpty }
        let table = Table(
            columns: [.text("DESIRED (version \(twin.desired.version))"), .text("VALUE")],
            rows: leaves.map { [Cell($0.path), Cell($0.value.plain)] })
        let desired = table.text(wide: false, style)
        if !showsDrift { return desired }
        return desired + "\nDesired, but not reported: \(driftText.isEmpty ? "nothing" : driftText)\n"
    }
}
