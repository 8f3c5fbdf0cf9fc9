internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl quarantine …`
struct Quarantine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Shows, replays and deletes payloads that could not be stored.",
        discussion: """
            Examples:
              iotctl quarantine ls --since 1h
              iotctl quarantine show 17
              iotctl quarantine replay --reason newer_schema
              iotctl quarantine drop --sensor lab-1 --reason undecodable

            A payload that cannot be stored is kept in quarantine with the reason; other
            payloads are not affected. The first 64 KiB of a payload are kept. The stream
            keeps all of it until its retention.
            """,
        subcommands: [
            QuarantineList.self, QuarantineShow.self, QuarantineReplay.self, QuarantineDrop.self,
        ])
}

/// Filters of payloads in quarantine.
struct QuarantineOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Only payloads with this reason, such as newer_schema.", valueName: "reason"))
    var reason: String?

    @Option(help: ArgumentHelp("Only payloads of this sensor.", valueName: "serial"))
    var sensor: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only payloads stored since then: 1h, or a date.", valueName: "time"))
    var since: Timestamp?

    /// Whether there is no filter.
    var isEmpty: Bool { reason == nil && sensor == nil && since == nil }

    func validate() throws {
        guard let reason, RejectionReason(rawValue: reason) == nil else { return }
        let names = RejectionReason.allCases.map(\.rawValue)
        let proposals = DidYouMean.proposals(for: reason, among: names)
        throw ValidationError(
            "no reason \(reason); "
                + (proposals.isEmpty
                    ? names.joined(separator: ", ") : "did you mean \(proposals.joined(separator: " or "))?"))
    }

    /// The filter for the store.
    func filter(countMax: Int) -> QuarantineFilter {
        var filter = QuarantineFilter(countMax: countMax)
        filter.reason = reason
        filter.serial = sensor
        filter.within = since?.age
        return filter
    }
}

/// The payloads that a command acts on: numbers, filters, or all.
struct QuarantineSelection: ParsableArguments {
    /// Rows read at a time.
    static let pageMax = 500

    @Argument(help: ArgumentHelp("Numbers of payloads, as ls lists them.", valueName: "id"))
    var ids: [Int64] = []

    @OptionGroup var options: QuarantineOptions

    @Flag(help: "All payloads in quarantine.")
    var all = false

    func validate() throws {
        guard [!ids.isEmpty, !options.isEmpty, all].count(where: { $0 }) == 1 else {
            throw ValidationError("which payloads? give numbers, or --reason, --sensor or --since, or --all")
        }
    }

    /// Gives the rows to `body` page by page, in order of number.
    /// - Throws: `Failure` with `notFound` if a number does not exist.
    func forEachPage(in store: StoreConnection, _ body: ([QuarantineRecord]) async throws -> Void) async throws {
        if !ids.isEmpty {
            var filter = QuarantineFilter(countMax: ids.count)
            filter.ids = ids
            filter.after = -1
            let records = try await store.quarantined(filter)
            let missing = Set(ids).subtracting(records.map(\.id)).sorted()
            if !missing.isEmpty {
                var failure = Failure(ExitStatus.notFound)
                failure.lines = missing.map { "no payload \($0) in quarantine; iotctl quarantine ls lists them" }
                throw failure
            }
            return try await body(records)
        }
        var filter = options.filter(countMax: Self.pageMax)
        filter.after = -1
        while case let records = try await store.quarantined(filter), let last = records.last {
            try await body(records)
            filter.after = last.id
        }
    }
}

/// `iotctl quarantine ls`
struct QuarantineList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists payloads in quarantine, the newest first. Times are UTC.",
        discussion: """
            Examples:
              iotctl quarantine ls
              iotctl quarantine ls --reason newer_schema --sensor lab-1 -o wide
              iotctl quarantine ls --since 1h -o json | jq -r '.[].routing_key'

            Reasons: undecodable, newer_schema, invalid_frame, no_numeric_fields,
            bad_serial, too_large, unroutable, dead_letter, refused_by_database,
            undeliverable.
            """,
        aliases: ["list"])

    @OptionGroup var options: QuarantineOptions

    @Option(help: ArgumentHelp("List at most this many payloads.", valueName: "count"))
    var limit = 100

    @OptionGroup var output: ListOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
    }

    func run() async throws {
        try await perform {
            let records = try await Connections().store().quarantined(options.filter(countMax: limit))
            try output.show(records, name: { "\($0.id)" }, view: { QuarantinedPayloadView($0) }) { _ in
                Self.table(records)
            }
            if records.isEmpty { Talk.sayOnTerminal("no payloads in quarantine") }
            if records.count == limit { Talk.say("only the newest \(limit) are listed; --limit shows more") }
        }
    }

    private static func table(_ records: [QuarantineRecord]) -> Table {
        Table(
            columns: [
                .number("ID"), .text("AT"), .text("REASON"), .name("SENSOR"), .number("BYTES"), .wide("KEY"),
                .wideNumber("BOOT"), .wideNumber("SEQUENCE"), .wide("SOURCE"), .wideNumber("OFFSET"), .wide("DETAIL"),
            ], expendable: ["BYTES"],
            rows: records.map {
                [
                    Cell(String($0.id)), Cell(at: $0.at), Cell($0.reason, .doubtful), Cell($0.origin),
                    Cell(String($0.length)), Cell($0.key), Cell($0.boot.map { String($0) }),
                    Cell($0.sequence.map { String($0) }), Cell($0.source), Cell($0.offset.map { String($0) }),
                    Cell($0.detail),
                ]
            })
    }
}
