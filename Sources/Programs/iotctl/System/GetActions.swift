internal import ArgumentParser
internal import Model
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl get actions [SENSOR…]`
struct GetActions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "actions",
        abstract: "Lists who deleted or renamed which sensors, newest first.",
        discussion: """
            Examples:
              iotctl get actions
              iotctl get actions lab-1
              iotctl get actions 'test-*'
              iotctl get actions --since 7d -o json

            ROWS: rows of the history that were deleted so far. FINISHED is empty while
            rows remain; sensor-registry deletes them.
            """,
        aliases: ["action"])

    @Argument(
        help: ArgumentHelp(
            "Serial numbers that sensors had or got, or globs; deleted ones too.", valueName: "sensor"),
        completion: .sensors)
    var words: [String] = []

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Only actions since then: 7d, or a date.", valueName: "time"))
    var since: Timestamp?

    @Option(help: ArgumentHelp("List at most this many actions.", valueName: "count"))
    var limit = 100

    @OptionGroup var output: ListOptions

    func validate() throws {
        try SerialPattern.check(words)
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
        if let since, since.age <= .zero { throw ValidationError("--since is not in the past: \(since)") }
    }

    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let actions = try await store.operatorActions(
                of: words.isEmpty ? nil : words.map { SerialPattern($0) }, within: since?.age, countMax: limit)
            try output.show(actions, name: { String($0.id) }, view: { OperatorActionView($0) }) { _ in
                Self.table(actions)
            }
            if actions.isEmpty { Talk.sayOnTerminal("no actions") }
            if actions.count == limit { Talk.say("only the newest \(limit) are listed; --limit shows more") }
        }
    }

    private static func table(_ actions: [OperatorAction]) -> Table {
        Table(
            columns: [
                .text("AT"), .text("ACTION"), .name("SENSOR"), .name("NEW"), .number("ROWS"), .long("ISSUER"),
                .wide("FINISHED"), .wideNumber("ID"),
            ], expendable: ["ROWS", "ISSUER"],
            rows: actions.map {
                [
                    Cell(at: $0.at), Cell(word: $0.kind.rawValue), Cell($0.serial), Cell($0.newSerial),
                    Cell($0.kind == .deleteWithHistory ? String($0.rowsDeleted) : nil), Cell($0.issuer),
                    Cell(at: $0.finishedAt), Cell(String($0.id)),
                ]
            })
    }
}
