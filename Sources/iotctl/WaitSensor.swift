internal import ArgumentParser
internal import Pipelines
internal import Store

/// `iotctl wait sensor SENSOR… --for NAME=VALUE`
struct WaitSensor: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "sensor",
        abstract: "Waits until sensors are as they should be.",
        discussion: """
            Examples:
              iotctl wait sensor lab-1 --for state=awake --timeout 10s
              iotctl wait sensor lab-1 lab-2 --for presence=online --for drift=none
              iotctl wait sensor lab-1 --for reported.rate_hz=1000
              iotctl wait sensor lab-1 --for alarms=none --timeout 5m

            All conditions must hold at once, for each sensor. Conditions: state, presence,
            drift (none, some), alarms (none, active), reported.PROPERTY.
            Exit codes: 0 it is so; 2 no such sensor; 3 time is up.
            """,
        aliases: ["sensors"])

    /// Which.
    @Argument(help: ArgumentHelp("Serial numbers.", valueName: "sensor"), completion: .sensors)
    var serials: [String]

    /// What for.
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("A condition; more than one may be given.", valueName: "name=value"))
    var conditions: [String]

    /// How long.
    @Option(help: "Wait at most so long.")
    var timeout = Duration.seconds(30)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what is no condition.
    func validate() throws {
        guard !conditions.isEmpty else { throw ValidationError("needs a condition, e.g. --for state=awake") }
        do { _ = try conditions.map { try WaitCondition($0) } } catch let error as WaitCondition.Invalid {
            throw ValidationError(error.description)
        }
    }

    /// Waits.
    func run() async throws {
        let conditions = try conditions.map { try WaitCondition($0) }
        try await perform {
            let store = try Connections().store()
            let serials = try await store.require(serials)
            let results = try await wait(for: serials, until: conditions, in: store)
            try output.show(.list(results.map(\.value))) { wide, style in Self.table(results).text(wide: wide, style) }
            let unmet = results.filter { !$0.unmet.isEmpty }
            guard unmet.isEmpty else {
                throw Failure(ExitStatus.timedOut, "time is up: not so for \(unmet.count) of \(results.count)")
            }
        }
    }

    /// A sensor at the end.
    private struct Result {
        var serial: String
        /// What does not hold, and what is there instead.
        var unmet: [String]
        /// From the start until all held, for good; or until time was up.
        var after: Duration

        /// docs/iotctl-json.md, "waited for".
        var value: Value {
            .record([
                "sensor": .text(serial), "met": .flag(unmet.isEmpty), "unmet": .list(unmet.map { .text($0) }),
                "milliseconds": .integer(after.wholeMilliseconds),
            ])
        }
    }

    private func wait(
        for serials: [String], until conditions: [WaitCondition], in store: StoreConnection
    ) async throws -> [Result] {
        let start = ContinuousClock.now
        var metAfter: [String: Duration] = [:]
        while true {
            let twins = try await store.twins(of: serials)
            let now = start.duration(to: .now)
            let results = twins.map { twin in
                let unmet = conditions.filter { !$0.isMet(by: twin) }.map { $0.instead(twin) }
                metAfter[twin.serial] = unmet.isEmpty ? metAfter[twin.serial] ?? now : nil
                return Result(serial: twin.serial, unmet: unmet, after: metAfter[twin.serial] ?? now)
            }
            if now >= timeout || results.allSatisfy(\.unmet.isEmpty) { return results }
            try await Task.sleep(for: min(Wait.interval, max(.milliseconds(1), timeout - now)))
        }
    }

    private static func table(_ results: [Result]) -> Table {
        Table(
            columns: [.text("SENSOR"), .text("MET"), .number("MS"), .long("UNMET")],
            rows: results.map {
                [
                    Cell($0.serial), $0.unmet.isEmpty ? Cell("yes", .good) : Cell("no", .bad),
                    Cell(String($0.after.wholeMilliseconds)), Cell($0.unmet.joined(separator: ", ")),
                ]
            })
    }
}
