internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl get commands [SENSOR…]`
struct GetCommands: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "commands",
        abstract: "Lists commands and how far they have come, the newest first.",
        discussion: """
            Examples:
              iotctl get commands
              iotctl get commands lab-1 --state queued,delivered
              iotctl get commands --since 1h -o wide
              iotctl get commands --state failed -o json | jq '.[].reason'

            States: queued, delivered, succeeded, failed, rejected, expired, cancelled, timed_out.
            ID is the beginning of an id, which is all that describe command needs.
            """,
        aliases: ["command"])

    /// Whose.
    @Argument(help: ArgumentHelp("Serial numbers; all if none is given.", valueName: "sensor"), completion: .sensors)
    var serials: [String] = []

    /// How far they have come.
    @Option(
        name: .customLong("state"),
        help: ArgumentHelp("Only those in one of these states, e.g. queued,delivered.", valueName: "state,…"),
        transform: CommandStates.init)
    var states: CommandStates?

    /// Only recent ones.
    @Option(help: "Only those given within this time, e.g. 1h.")
    var since: Duration?

    /// Most that are listed.
    @Option(help: ArgumentHelp("List at most so many.", valueName: "count"))
    var limit = 100

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
        if let since, since <= .zero { throw ValidationError("--since must be more than 0") }
    }

    /// Prints them.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let asked = try await serials.isEmpty ? nil : store.require(serials)
            let commands = try await store.commands(
                CommandFilter(serials: asked, states: states?.states, within: since, countMax: limit))
            try output.show(.list(commands.map(\.record))) { wide, style in
                Self.table(commands, wide: wide).text(wide: wide, style)
            }
            if commands.isEmpty { Talk.sayOnTerminal("no commands") }
            if commands.count == limit { Talk.say("the newest \(limit) only; --limit shows more") }
        }
    }

    /// For people.
    static func table(_ commands: [CommandRecord], wide: Bool) -> Table {
        let ids = commands.map(\.id).shortened
        return Table(
            columns: [
                .text("ID"), .long("SENSOR"), .text("COMMAND"), .text("STATE"), .number("AGE"), .long("REASON"),
                .wide("ARGUMENTS"), .wide("ISSUER"), .wide("ISSUED"), .wideNumber("SENDS"),
            ],
            rows: commands.map {
                [
                    Cell(wide ? $0.id : ids[$0.id]), Cell($0.serial), Cell($0.name), Cell(word: $0.state),
                    Cell($0.age?.short), Cell($0.reason), Cell($0.argumentsText), Cell($0.issuer),
                    Cell($0.issuedAt?.short), Cell(String($0.sends)),
                ]
            })
    }
}

/// States of commands, as they stand on the command line: `queued,delivered`.
struct CommandStates: Sendable {
    /// Each once.
    let states: [CommandLife.State]

    /// Reads them.
    /// - Throws: `ValidationError`, with what may have been meant.
    init(_ text: String) throws {
        let names = CommandLife.State.allCases.map(\.rawValue)
        states = try text.split(separator: ",").map { word in
            if let state = CommandLife.State(rawValue: String(word)) { return state }
            let proposals = DidYouMean.proposals(for: String(word), among: names)
            let hint = proposals.first.map { "did you mean \($0)?" } ?? "there are \(names.joined(separator: ", "))"
            throw ValidationError("no state \(word); \(hint)")
        }
        if states.isEmpty { throw ValidationError("needs a state: \(names.joined(separator: ", "))") }
    }
}

extension StoreConnection {
    /// The command whose id begins so.
    /// - Throws: `Failure`: `notFound` if there is none, `usage` if there are several.
    func requireCommand(_ prefix: String) throws -> CommandRecord {
        guard !prefix.isEmpty else { throw Failure(ExitStatus.usage, "the id is empty") }
        let found = try commands(withPrefix: prefix)
        if found.count == 1 { return found[0] }
        if found.isEmpty {
            throw Failure(ExitStatus.notFound, "no command \(prefix); iotctl get commands lists them")
        }
        var failure = Failure(ExitStatus.usage, "several commands begin with \(prefix); give more of the id:")
        failure.lines += found.map { "  \($0.id)  \($0.serial)  \($0.name)  \($0.state)" }
        throw failure
    }
}
