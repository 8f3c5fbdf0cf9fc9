internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl audit [SERIAL…]`
struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows which frames were published and stored, and which are missing and why.",
        discussion: """
            Examples:
              iotctl audit
              iotctl audit lab-1 --since 1h
              iotctl audit --wait 30s
              iotctl audit -o json | jq '.causes'

            Exit codes: 0 no frame is missing; 1 frames are missing; 2 no such sensor.

            PUBLISHED is the number of frames that the sensor announced, or one above the
            highest sequence received, if that is more. Frames that were announced within
            the last 10 s may be in flight and count only with --wait.

            Causes: sensor restarted, dropped at source (as the sensor reported), broker
            retention, stream reset, quarantined, still late (or not known). Devices that
            do not number their messages are shown as "not numbered": their losses are not
            known, and STORED is the number of their rows of the last 24 h, or since
            --since. If a sensor's history was deleted while it was publishing, the deleted
            frames of that boot are missing; the audit says so.
            """)

    /// Missing ranges of a boot that are printed without `-o wide`.
    private static let rangesMax = 10

    @Argument(
        help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "serial"), completion: .sensors)
    var serials: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only boots with a message, and losses, since then: 1h, or a date.", valueName: "time"))
    var since: Timestamp?

    @Option(help: "Wait at most this long until no frame is late, e.g. 30s.")
    var wait: Duration?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let since, since.age <= .zero { throw ValidationError("--since is not in the past: \(since)") }
        if let wait, wait < .zero { throw ValidationError("--wait must not be less than 0") }
    }

    /// Prints the audit. If frames are missing, stderr says how many and the exit code is 1.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let asked = try await serials.isEmpty ? nil : store.require(serials)
            let audits = try await audit(store, asked)
            try output.show(AuditView(audits)) { wide, style in text(audits, wide, style) }
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

    /// Reads the audit once, or with `--wait` until no frame is late.
    private func audit(_ store: StoreConnection, _ asked: [String]?) async throws -> [SensorAudit] {
        guard let wait else { return try await store.audit(asked, since: since?.age) }
        let end = ContinuousClock.now + wait
        while true {
            let audits = try await store.audit(asked, since: since?.age, grace: .zero)
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
            + deletions(audits, style)
    }

    /// Which of the missing frames were deleted.
    private func deletions(_ audits: [SensorAudit], _ style: Style) -> String {
        let lines = audits.compactMap { audit in
            audit.historyDeletedAt.map { time in
                "\(audit.serial): its history was deleted at \(time.short) UTC; the missing frames from 0 on are those "
                    + "that were stored before, until the device restarts."
            }
        }
        return lines.isEmpty ? "" : "\n" + lines.map { $0.folded(to: style.width) + "\n" }.joined()
    }

    private func boots(_ audits: [SensorAudit]) -> Table {
        Table(
            columns: [
                .name("SERIAL"), .text("BOOT"), .number("PUBLISHED"), .number("STORED"), .number("MISSING"),
                .number("DUPLICATES"), .wideNumber("GIVEN UP"),
            ], expendable: ["DUPLICATES", "PUBLISHED"],
            rows: audits.flatMap { audit -> [[Cell]] in
                if let rows = audit.unnumberedRows {
                    let more = rows < SensorAudit.rowsMax ? "" : " or more"
                    let count = rows == 1 ? "1 row" : "\(rows) rows\(more)"
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
            columns: [.name("SERIAL"), .text("BOOT"), .text("SEQUENCES"), .number("FRAMES"), .long("CAUSE")],
            expendable: ["BOOT"], rows: rows)
    }
}

extension LossCause {
    fileprivate var words: String { self == .late ? "still late" : rawValue.replacing("_", with: " ") }
}
