internal import ArgumentParser
internal import Model
internal import Records
internal import Store
internal import Time

/// `iotctl report storage`
struct ReportStorage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage",
        abstract: "Reports the database's size, growth, retention and last backup.",
        discussion: """
            Examples:
              iotctl report storage
              iotctl report storage -o wide
              iotctl report storage -o json | jq '.tables[] | {table, bytes}'

            Growth comes from the sizes that sensor-registry records every hour. The
            report predicts when the disk is full if the registry has the setting
            DATABASE_DISK. DEAD is the share of rows that were changed or deleted and that
            vacuum has not removed yet. ROWS is counted in small tables, and the
            server's estimate (~) of others. OLDEST is the date of the oldest datum, as in
            iotctl get policies.
            """)

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let report = try await Connections().store().storageReport()
            let view = StorageReportView(report, words: report.words)
            try output.show(view) { wide, style in
                view.words.folded(to: style.width) + "\n\n" + report.table(wide: wide).text(wide: wide, style)
            }
        }
    }
}

extension StorageReport {
    /// Number of tables that are shown without `-o wide`.
    private static let tablesMin = 8

    var words: String {
        var sentences: [String] = []
        let largest = tables.first.map { ", \($0.bytes.bytesForPeople) of it in \($0.table)" } ?? ""
        sentences.append("The database holds \(bytes.bytesForPeople)\(largest).")
        sentences.append(growthWords)
        if let ratio = compressionRatio {
            sentences.append("Compressed data takes 1/\(ratio.short) of its former size.")
        }
        let overdue = policies.filter(\.isOverdue)
        if overdue.isEmpty {
            sentences.append("No data is overdue for deletion.")
        } else {
            let list = overdue.map { "\($0.tier.rawValue) for \($0.overdue.short)" }.joined(separator: ", ")
            sentences.append("Retention does not work; overdue for deletion: \(list).")
        }
        if let table = tables.filter({ $0.bytes > 10_000_000 }).max(by: { ($0.deadRatio ?? 0) < ($1.deadRatio ?? 0) }),
            let dead = table.deadRatio, dead > 0.3
        {
            sentences.append(
                "\(Int(dead * 100)) % of the rows of \(table.table) are dead: autovacuum does not keep up.")
        }
        if !unused.isEmpty {
            let bytes = unused.reduce(0) { $0 + $1.bytes }
            sentences.append(
                "\(unused.count == 1 ? "An index" : "\(unused.count) indexes") of \(bytes.bytesForPeople) "
                    + "\(unused.count == 1 ? "was" : "were") never used.")
        }
        sentences.append(backupWords)
        return sentences.joined(separator: " ")
    }

    private var growthWords: String {
        guard let growth = forecast.bytesPerDay else {
            return "Its growth is known when sensor-registry has run for two hours."
        }
        let past = Duration.seconds(forecast.hours * 3600).short
        if growth <= 0 { return "It has not grown in the past \(past)." }
        let rate = "It grows by \(Int64(growth).bytesForPeople) a day (measured over \(past))"
        guard let days = forecast.daysLeft else { return "\(rate); the size of its disk is not known." }
        return
            "\(rate): at that rate its disk is full in \(days < 2 ? "\(Int(days * 24)) hours" : "\(Int(days)) days")."
    }

    private var backupWords: String {
        guard let backup else { return "No backup was ever recorded." }
        let age = Duration.seconds(max(0, at.seconds(since: backup.started))).short
        let size = backup.bytes.map { " (\($0.bytesForPeople))" } ?? ""
        return "The last backup is \(age) old\(size)."
    }

    func table(wide: Bool) -> Table {
        let shown = wide ? tables : Array(tables.prefix(Self.tablesMin))
        return Table(
            columns: [
                .text("TABLE"), .number("SIZE"), .number("A DAY"), .number("ROWS"), .number("CHUNKS"), .text("OLDEST"),
                .number("DEAD"), .wideNumber("INDEX"), .wideNumber("BESIDE"), .wideNumber("COMPRESSED"),
            ], expendable: ["CHUNKS", "DEAD", "A DAY", "OLDEST"],
            rows: shown.map { table in
                [
                    Cell(table.table), Cell(table.bytes.bytesForPeople),
                    Cell(table.bytesPerDay.map { Int64($0).bytesForPeople }),
                    Cell((table.areRowsCounted ? "" : "~") + Double(table.rows).short),
                    Cell(table.chunks.map(String.init)), Cell(table.oldest?.text(.day)),
                    Cell(
                        table.deadRatio.map { "\(Int($0 * 100))%" }, (table.deadRatio ?? 0) > 0.3 ? .doubtful : .plain),
                    Cell(table.indexBytes.bytesForPeople), Cell(table.toastBytes.bytesForPeople),
                    Cell(table.compressedChunks.map(String.init)),
                ]
            })
    }
}

extension Int64 {
    /// A number of bytes for people, "512 B", "24 kB", "1.2 GB"; units are powers of 1000.
    var bytesForPeople: String {
        var value = Double(self)
        for unit in ["B", "kB", "MB", "GB"] {
            if abs(value) < 1000 {
                return value < 10 && unit != "B" ? "\((value * 10).rounded() / 10) \(unit)" : "\(Int(value)) \(unit)"
            }
            value /= 1000
        }
        return "\((value * 10).rounded() / 10) TB"
    }
}
