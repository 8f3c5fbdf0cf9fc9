internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl report storage`
struct ReportStorage: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "storage",
        abstract: "How large the store is, how it grows, and whether it is looked after.",
        discussion: """
            Examples:
              iotctl report storage
              iotctl report storage -o wide
              iotctl report storage -o json | jq '.tables[] | {table, bytes}'

            Growth comes from what sensor-registry writes down every hour. When the disk will be
            full is known if the registry was told of it (DATABASE_DISK). DEAD is the part of rows
            that were changed or deleted and not cleared away yet.
            """)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints it.
    func run() async throws {
        try await perform {
            let report = try await Connections().store().storageReport()
            try output.show(report.value) { wide, style in
                report.words + "\n\n" + report.table(wide: wide).text(wide: wide, style)
            }
        }
    }
}

extension StorageReport {
    /// Tables that are shown without -o wide.
    private static let tablesMin = 8

    /// As JSON (docs/iotctl-json.md, "storage report").
    var value: Value {
        .record([
            "at": .time(at), "bytes": .integer(bytes), "disk_bytes": .integer(diskBytes),
            "disk_free_bytes": .integer(freeBytes), "bytes_per_day": .number(forecast.bytesPerDay),
            "days_left": .number(forecast.daysLeft), "seen_hours": .number(forecast.hours),
            "compression_ratio": .number(compressionRatio),
            "last_backup": backup.map { backup in
                .record([
                    "started_at": .time(backup.started), "finished_at": .time(backup.finished),
                    "kind": .text(backup.kind), "bytes": .integer(backup.bytes), "place": .text(backup.place),
                ])
            } ?? .null,
            "tables": .list(
                tables.map { table in
                    .record([
                        "table": .text(table.table), "rows": .integer(table.rows), "bytes": .integer(table.bytes),
                        "toast_bytes": .integer(table.toastBytes), "index_bytes": .integer(table.indexBytes),
                        "chunks": .integer(table.chunks), "compressed_chunks": .integer(table.compressedChunks),
                        "before_compression_bytes": .integer(table.beforeCompression),
                        "after_compression_bytes": .integer(table.afterCompression), "oldest": .time(table.oldest),
                        "bytes_per_day": .number(table.bytesPerDay), "dead_ratio": .number(table.deadRatio),
                        "index_scans": .integer(table.indexScans),
                    ])
                }),
            "policies": .list(policies.map(\.value)),
            "unused_indexes": .list(
                unused.map { .record(["name": .text($0.name), "bytes": .integer($0.bytes)]) }),
            "words": .text(words),
        ])
    }

    /// Bytes before compression for each byte after it; nil: nothing is compressed.
    var compressionRatio: Double? {
        let after = tables.compactMap(\.afterCompression).reduce(0, +)
        let before = tables.compactMap(\.beforeCompression).reduce(0, +)
        return after > 0 ? Double(before) / Double(after) : nil
    }

    /// A paragraph.
    var words: String {
        var sentences: [String] = []
        let largest = tables.first.map { ", \($0.bytes.bytesForPeople) of it in \($0.table)" } ?? ""
        sentences.append("The database holds \(bytes.bytesForPeople)\(largest).")
        sentences.append(growthWords)
        if let ratio = compressionRatio {
            sentences.append("What is compressed takes 1/\(ratio.short) of what it took.")
        }
        let overdue = policies.filter(\.isOverdue)
        if overdue.isEmpty {
            sentences.append("Nothing is there that should be gone.")
        } else {
            let list = overdue.map { "\($0.tier.rawValue) for \($0.overdue.short)" }.joined(separator: ", ")
            sentences.append("Retention does not work: overdue are \(list).")
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
            return "How it grows is known when sensor-registry has run for two hours."
        }
        let past = Duration.seconds(forecast.hours * 3600).short
        if growth <= 0 { return "It has not grown in the past \(past)." }
        let rate = "It grows by \(Int64(growth).bytesForPeople) a day (seen over \(past))"
        guard let days = forecast.daysLeft else { return "\(rate); how large its disk is nobody said." }
        return
            "\(rate): at that rate its disk is full in \(days < 2 ? "\(Int(days * 24)) hours" : "\(Int(days)) days")."
    }

    private var backupWords: String {
        guard let backup else { return "No backup was ever written down." }
        let age = Duration.seconds(max(0, at.seconds(since: backup.started))).short
        let size = backup.bytes.map { " (\($0.bytesForPeople))" } ?? ""
        return "The last backup is \(age) old\(size)."
    }

    /// For people.
    func table(wide: Bool) -> Table {
        let shown = wide ? tables : Array(tables.prefix(Self.tablesMin))
        return Table(
            columns: [
                .text("TABLE"), .number("SIZE"), .number("A DAY"), .number("ROWS"), .number("CHUNKS"), .text("OLDEST"),
                .number("DEAD"), .wideNumber("INDEX"), .wideNumber("BESIDE"), .wideNumber("COMPRESSED"),
            ],
            rows: shown.map { table in
                [
                    Cell(table.table), Cell(table.bytes.bytesForPeople),
                    Cell(table.bytesPerDay.map { Int64($0).bytesForPeople }), Cell(Double(table.rows).short),
                    Cell(table.chunks.map(String.init)), Cell(table.oldest.map { String($0.description.prefix(10)) }),
                    Cell(
                        table.deadRatio.map { "\(Int($0 * 100))%" }, (table.deadRatio ?? 0) > 0.3 ? .doubtful : .plain),
                    Cell(table.indexBytes.bytesForPeople), Cell(table.toastBytes.bytesForPeople),
                    Cell(table.compressedChunks.map(String.init)),
                ]
            })
    }
}

extension Int64 {
    /// "512 B", "24 kB", "1.2 GB": powers of 1000.
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
