internal import ArgumentParser
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl wait sensor SENSOR… --for NAME=VALUE`
struct WaitSensor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Waits until sensors meet conditions.",
        usage: """
            iotctl wait sensor <sensor> ... --for <name=value> ... [<options>]
            """,
        discussion: """
            Examples:
              iotctl wait sensor lab-1 --for state=awake --timeout 10s
              iotctl wait sensor lab-1 lab-2 --for presence=online --for drift=none
              iotctl wait sensor lab-1 --for reported.rate_hz=1000
              iotctl wait sensor lab-1 --for alarms=none --timeout 5m

            All conditions must hold at once, for each sensor. Conditions: state,
            presence, drift (none, some), alarms (none, active), reported.PROPERTY.

            Exit codes: 0 conditions met; 2 no such sensor; 3 timed out.
            """,
        aliases: ["sensors"])

    @Argument(help: ArgumentHelp("Serial numbers or globs.", valueName: "sensor"), completion: .sensors)
    var serials: [String]

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("A condition; may be repeated.", valueName: "name=value"))
    var conditions: [String]

    @Option(help: "Wait at most this long.")
    var timeout = Duration.seconds(30)

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard !conditions.isEmpty else { throw ValidationError("needs a condition, e.g. --for state=awake") }
        do { _ = try conditions.map { try WaitCondition($0) } } catch let error as WaitCondition.Invalid {
            throw ValidationError(error.description)
        }
    }

    func run() async throws {
        let conditions = try conditions.map { try WaitCondition($0) }
        try await perform {
            let store = try Connections().store()
            let serials = try await store.require(serials)
            let results = try await wait(for: serials, until: conditions, in: store)
            try output.show(results) { wide, style in Self.table(results).text(wide: wide, style) }
            let unmet = results.filter { !$0.isMet }
            guard unmet.isEmpty else {
                throw Failure(
                    ExitStatus.timedOut, "timed out: conditions not met for \(unmet.count) of \(results.count)")
            }
        }
    }

    private func wait(
        for serials: [String], until conditions: [WaitCondition], in store: StoreConnection
    ) async throws -> [WaitedForView] {
        let start = ContinuousClock.now
        var metAfter: [String: Duration] = [:]
        while true {
            let twins = try await store.twins(of: serials)
            let now = start.duration(to: .now)
            let results = twins.map { twin in
                let unmet = conditions.filter { !$0.isMet(by: twin) }.map { $0.instead(twin) }
                metAfter[twin.serial] = unmet.isEmpty ? metAfter[twin.serial] ?? now : nil
                return WaitedForView(sensor: twin.serial, unmet: unmet, after: metAfter[twin.serial] ?? now)
            }
            if now >= timeout || results.allSatisfy(\.isMet) { return results }
            try await Task.sleep(for: min(Wait.interval, max(.milliseconds(1), timeout - now)))
        }
    }

    private static func table(_ results: [WaitedForView]) -> Table {
        Table(
            columns: [.name("SENSOR"), .text("MET"), .number("MS"), .long("UNMET")], expendable: ["MS"],
            rows: results.map {
                [
                    Cell($0.sensor), $0.isMet ? Cell("yes", .good) : Cell("no", .bad), Cell(String($0.milliseconds)),
                    Cell($0.unmet.joined(separator: ", ")),
                ]
            })
    }
}
