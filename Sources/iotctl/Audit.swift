internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl audit [SERIAL…]`
struct Audit: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows which frames were published and stored, which are missing and why.",
        discussion: """
            Examples:
              iotctl audit
              iotctl audit lab-1 --since 1h
              iotctl audit --wait 30s
              iotctl audit -o json | jq '.causes'

            Exit codes: 0 nothing is missing; 1 something is; 2 no such sensor.

            PUBLISHED is what the sensor announced, or the highest number that came. What
            was announced within the last 10 s may be on its way and does not count yet;
            with --wait it does.

            Causes: sensor restarted, dropped at source (it said so), broker retention,
            stream reset, quarantined, still late (or not known). Devices that don't
            number their messages are shown as "not numbered": nobody knows. Of those STORED
            counts the rows of the last 24 h, or of --since.
            """)

    /// Ranges of a start that are printed for people, unless they ask for all.
    private static let rangesMax = 10

    /// Which.
    @Argument(
        help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "serial"), completion: .sensors)
    var serials: [String] = []

    /// Only recent ones.
    @Option(help: "Only starts heard of, and losses noted, within this time, e.g. 1h.")
    var since: Duration?

    /// How long to wait.
    @Option(help: "Wait at most so long until nothing is late, e.g. 30s.")
    var wait: Duration?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        if let since, since <= .zero { throw ValidationError("--since must be more than 0") }
        if let wait, wait < .zero { throw ValidationError("--wait must not be less than 0") }
    }

    /// Prints it. If frames are missing, stderr says how many and the exit code is 1.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let asked = try await serials.isEmpty ? nil : store.require(serials)
            let audits = try await audit(store, asked)
            try output.show(record(audits)) { wide, style in text(audits, wide, style) }
            let missing = audits.saturatingSum(\.missing)
            if audits.isEmpty { Talk.sayOnTerminal("no sensors yet") }
            guard missing == 0 else {
                let sensors = audits.count { $0.missing > 0 }
                throw Failure(
                    ExitStatus.failed,
                    "\(missing) frame\(missing == 1 ? "" : "s") of \(sensors) sensor\(sensors == 1 ? "" : "s") missing")
            }
        }
    }

    /// Looks once, or with `--wait` until nothing is late.
    private func audit(_ store: StoreConnection, _ asked: [String]?) async throws -> [SensorAudit] {
        guard let wait else { return try await store.audit(asked, since: since) }
        let end = ContinuousClock.now + wait
        while true {
            let audits = try await store.audit(asked, since: since, grace: .zero)
            let isLate = audits.contains { $0.boots.contains { $0.losses.contains { $0.cause == .late } } }
            if !isLate || ContinuousClock.now >= end { return audits }
            try await Task.sleep(for: min(.milliseconds(250), ContinuousClock.now.duration(to: end)))
        }
    }

    // MARK: for people

    private func text(_ audits: [SensorAudit], _ wide: Bool, _ style: Style) -> String {
        let losses = losses(audits, wide)
        return boots(audits).text(wide: wide, style)
            + (losses.rows.isEmpty ? "" : "\nMissing:\n" + losses.text(wide: wide, style, indent: "  "))
    }

    private func boots(_ audits: [SensorAudit]) -> Table {
        Table(
            columns: [
                .text("SERIAL"), .text("BOOT"), .number("PUBLISHED"), .number("STORED"), .number("MISSING"),
                .number("DUPLICATES"), .wideNumber("GIVEN UP"),
            ],
            rows: audits.flatMap { audit -> [[Cell]] in
                if let rows = audit.unnumberedRows {
                    let count = rows < SensorAudit.rowsMax ? "\(rows)" : "\(rows) or more"
                    return [[Cell(audit.serial), "not numbered", "-", Cell(count), "-", "-", "-"]]
                }
                if audit.boots.isEmpty { return [[Cell(audit.serial), "-", "0", "0", "0", "0", "0"]] }
                return audit.boots.map { boot in
                    [
                        Cell(audit.serial), Cell("\(boot.boot)"), Cell("\(boot.published)"), Cell("\(boot.stored)"),
                        Cell("\(boot.missing)", boot.missing > 0 ? .bad : .plain), Cell("\(boot.duplicates)"),
                        Cell("\(boot.givenUp)"),
                    ]
                }
            })
    }

    private func losses(_ audits: [SensorAudit], _ wide: Bool) -> Table {
        var rows: [[Cell]] = []
        for audit in audits {
            for boot in audit.boots {
                let shown = wide ? boot.losses[...] : boot.losses.prefix(Self.rangesMax)
                for loss in shown {
                    let (low, high) = (loss.range.lowerBound, loss.range.upperBound)
                    rows.append([
                        Cell(audit.serial), Cell("\(boot.boot)"), Cell(low == high ? "\(low)" : "\(low)-\(high)"),
                        Cell("\(loss.missing)"), Cell(loss.cause.words, loss.cause == .late ? .doubtful : .bad),
                    ])
                }
                let rest = boot.losses.dropFirst(shown.count)
                if rest.isEmpty { continue }
                let frames = rest.saturatingSum(\.missing)
                rows.append([
                    Cell(audit.serial), Cell("\(boot.boot)"), Cell("\(rest.count) more"), Cell("\(frames)"),
                    "-o wide shows them",
                ])
            }
        }
        return Table(
            columns: [.text("SERIAL"), .text("BOOT"), .text("SEQUENCES"), .number("FRAMES"), .text("CAUSE")], rows: rows
        )
    }

    // MARK: JSON

    private func record(_ audits: [SensorAudit]) -> Value {
        let boots = audits.flatMap(\.boots)
        let missing = audits.saturatingSum(\.missing)
        let causes = LossCause.allCases.map { cause in
            let frames = boots.lazy.flatMap(\.losses).filter { $0.cause == cause }.saturatingSum(\.missing)
            return Value.Field(name: cause.rawValue, value: .integer(frames))
        }
        return .record([
            "complete": .flag(missing == 0), "published": .integer(boots.saturatingSum(\.published)),
            "stored": .integer(boots.saturatingSum(\.stored)), "missing": .integer(missing),
            "duplicates": .integer(boots.saturatingSum(\.duplicates)),
            "given_up": .integer(boots.saturatingSum(\.givenUp)), "causes": .object(causes),
            "sensors": .list(audits.map(\.record)),
        ])
    }
}

extension LossCause {
    /// For people.
    fileprivate var words: String { self == .late ? "still late" : rawValue.replacing("_", with: " ") }
}

extension SensorAudit {
    /// As JSON (docs/iotctl-json.md, "audit").
    fileprivate var record: Value {
        .record([
            "sensor": .text(serial), "numbered": .flag(unnumberedRows == nil),
            "unnumbered_rows": .integer(unnumberedRows), "boots": .list(boots.map(\.record)),
        ])
    }
}

extension LossAudit.Result {
    fileprivate var record: Value {
        .record([
            "boot_id": .integer(boot), "published": .integer(published), "stored": .integer(stored),
            "missing": .integer(missing), "duplicates": .integer(duplicates), "given_up": .integer(givenUp),
            "losses": .list(losses.map(\.record)),
        ])
    }
}

extension SequenceGap {
    fileprivate var record: Value {
        .record([
            "first": .integer(range.lowerBound), "last": .integer(range.upperBound), "missing": .integer(missing),
            "cause": .text(cause.rawValue),
        ])
    }
}
