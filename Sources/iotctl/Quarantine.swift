internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl quarantine …`
struct Quarantine: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Shows, replays and drops payloads that could not be stored.",
        discussion: """
            Examples:
              iotctl quarantine ls --since 1h
              iotctl quarantine show 17
              iotctl quarantine replay --reason newer_schema
              iotctl quarantine drop --sensor lab-1 --reason undecodable

            What can't be stored costs nobody else anything: it is kept here with its reason.
            A payload is kept up to its first 64 KiB; the stream has the rest for a while.
            """,
        subcommands: [
            QuarantineList.self, QuarantineShow.self, QuarantineReplay.self, QuarantineDrop.self,
        ])
}

/// Which rows of quarantine.
struct QuarantineOptions: ParsableArguments {
    /// Why they are there.
    @Option(help: ArgumentHelp("Only those with this reason, e.g. newer_schema.", valueName: "reason"))
    var reason: String?

    /// Whose they are.
    @Option(help: ArgumentHelp("Only those of this sensor.", valueName: "serial"))
    var sensor: String?

    /// How old they are at most.
    @Option(help: ArgumentHelp("Only those put there within this time, e.g. 1h.", valueName: "duration"))
    var since: Duration?

    /// Whether nothing was said.
    var isEmpty: Bool { reason == nil && sensor == nil && since == nil }

    /// Refuses a reason that there is not.
    func validate() throws {
        guard let reason, RejectionReason(rawValue: reason) == nil else { return }
        let names = RejectionReason.allCases.map(\.rawValue)
        let proposals = DidYouMean.proposals(for: reason, among: names)
        throw ValidationError(
            "no reason \(reason); "
                + (proposals.isEmpty
                    ? names.joined(separator: ", ") : "did you mean \(proposals.joined(separator: " or "))?"))
    }

    /// As the store takes it.
    func filter(countMax: Int) -> QuarantineFilter {
        var filter = QuarantineFilter(countMax: countMax)
        filter.reason = reason
        filter.serial = sensor
        filter.within = since
        return filter
    }
}

/// The rows that a command works on: numbers, or filters, or all.
struct QuarantineSelection: ParsableArguments {
    /// Rows read at a time.
    static let pageMax = 500

    /// Which.
    @Argument(help: ArgumentHelp("Numbers, as ls shows them.", valueName: "id"))
    var ids: [Int64] = []

    /// Which.
    @OptionGroup var options: QuarantineOptions

    /// Everything.
    @Flag(help: "Everything that is there.")
    var all = false

    /// Refuses nothing, and numbers with filters.
    func validate() throws {
        guard [!ids.isEmpty, !options.isEmpty, all].count(where: { $0 }) == 1 else {
            throw ValidationError("say which: numbers, or --reason, --sensor, --since, or --all")
        }
    }

    /// Gives the rows to `body` page by page, in order of number.
    /// - Throws: `Failure` with `notFound` if a number that was given is not there.
    func forEachPage(in store: StoreConnection, _ body: ([QuarantineRecord]) async throws -> Void) async throws {
        if !ids.isEmpty {
            var filter = QuarantineFilter(countMax: ids.count)
            filter.ids = ids
            filter.after = -1
            let records = try await store.quarantined(filter)
            let missing = Set(ids).subtracting(records.map(\.id)).sorted()
            if !missing.isEmpty {
                var failure = Failure(ExitStatus.notFound)
                failure.lines = missing.map { "nothing in quarantine with number \($0)" }
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
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists what is in quarantine, the newest first. Times are UTC.",
        discussion: """
            Examples:
              iotctl quarantine ls
              iotctl quarantine ls --reason newer_schema --sensor lab-1 -o wide
              iotctl quarantine ls --since 1h -o json | jq -r '.[].routing_key'

            Reasons: undecodable, newer_schema, invalid_frame, no_numeric_fields, bad_serial,
            too_large, unroutable, dead_letter, refused_by_database.
            """,
        aliases: ["list"])

    /// Which.
    @OptionGroup var options: QuarantineOptions

    /// Most that are listed.
    @Option(help: ArgumentHelp("List at most so many.", valueName: "count"))
    var limit = 100

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
    }

    /// Prints them.
    func run() async throws {
        try await perform {
            let records = try await Connections().store().quarantined(options.filter(countMax: limit))
            try output.show(.list(records.map(\.record))) { wide, style in Self.table(records).text(wide: wide, style) }
            if records.isEmpty { Talk.sayOnTerminal("nothing in quarantine") }
            if records.count == limit { Talk.say("the newest \(limit) only; --limit shows more") }
        }
    }

    /// For people.
    private static func table(_ records: [QuarantineRecord]) -> Table {
        Table(
            columns: [
                .number("ID"), .text("AT"), .text("REASON"), .text("SENSOR"), .number("BYTES"), .wide("KEY"),
                .wideNumber("BOOT"), .wideNumber("SEQUENCE"), .wide("SOURCE"), .wideNumber("OFFSET"), .wide("DETAIL"),
            ],
            rows: records.map {
                [
                    Cell(String($0.id)), Cell($0.at?.short), Cell($0.reason, .doubtful), Cell($0.whose),
                    Cell(String($0.length)), Cell($0.key), Cell($0.boot.map { String($0) }),
                    Cell($0.sequence.map { String($0) }), Cell($0.source), Cell($0.offset.map { String($0) }),
                    Cell($0.detail),
                ]
            })
    }
}
