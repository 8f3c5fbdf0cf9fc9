internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl get commands [SENSOR…|-l SELECTOR]`
struct GetCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commands",
        abstract: "Lists commands with their states, newest first.",
        discussion: """
            Examples:
              iotctl get commands
              iotctl get commands lab-1 'press-*' --state queued,delivered
              iotctl get commands -l hall=3 -o name | xargs iotctl command cancel
              iotctl get commands --since 1h -o wide
              iotctl get commands --state failed -o json | jq '.[].reason'

            States: queued, delivered, succeeded, failed, rejected, expired, cancelled,
            timed_out. ID is a prefix of the id; describe command accepts it.
            """,
        aliases: ["command"])

    @OptionGroup var filter: SensorFilter

    @Option(
        name: .customLong("state"),
        help: ArgumentHelp("Only commands in one of these states, e.g. queued,delivered.", valueName: "state,…"),
        transform: CommandStates.init)
    var states: CommandStates?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only commands issued since then: 1h, or a date.", valueName: "time"))
    var since: Timestamp?

    @Option(help: ArgumentHelp("List at most this many commands.", valueName: "count"))
    var limit = 100

    @OptionGroup var watch: WatchOption

    @OptionGroup var output: ListOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
        try watch.check(output, ["--state": states != nil, "--since": since != nil])
        if let since, since.age <= .zero { throw ValidationError("--since is not in the past: \(since)") }
    }

    func run() async throws {
        if watch.isOn { return try await showChanges(WatchCommands.self, filter, output) }
        try await perform {
            let store = try Connections().store()
            let asked = try await filter.serials(in: store)
            let commands = try await store.commands(
                CommandFilter(serials: asked, states: states?.states, within: since?.age, countMax: limit))
            try output.show(commands, name: \.id, view: { CommandView($0) }) { Self.table(commands, wide: $0) }
            if commands.isEmpty { Talk.sayOnTerminal("no commands") }
            if commands.count == limit { Talk.say("only the newest \(limit) are listed; --limit shows more") }
        }
    }

    static func table(_ commands: [CommandRecord], wide: Bool) -> Table {
        let ids = commands.map(\.id).shortened
        return Table(
            columns: [
                .text("ID"), .name("SENSOR"), .name("COMMAND"), .text("STATE"), .number("AGE"), .long("REASON"),
                .wide("ARGUMENTS"), .wide("ISSUER"), .wide("ISSUED"), .wideNumber("SENDS"),
            ], expendable: ["AGE"],
            rows: commands.map {
                [
                    Cell(wide ? $0.id : ids[$0.id]), Cell($0.serial), Cell($0.name), Cell(word: $0.state),
                    Cell($0.age?.short), Cell($0.reason), Cell($0.argumentsText), Cell($0.issuer),
                    Cell(at: $0.issuedAt), Cell(String($0.sends)),
                ]
            })
    }
}

/// The command line's value of `--state`: states of commands separated by commas, such as `queued,delivered`.
struct CommandStates: Sendable {
    /// The states in the given order.
    let states: [CommandLife.State]

    /// Parses the states.
    /// - Throws: `ValidationError` for an unknown state; it proposes similar names.
    init(_ text: String) throws {
        let names = CommandLife.State.allCases.map(\.rawValue)
        states = try text.split(separator: ",").map { word in
            if let state = CommandLife.State(rawValue: String(word)) { return state }
            let proposals = DidYouMean.proposals(for: String(word), among: names)
            let hint =
                proposals.first.map { "did you mean \($0)?" } ?? "expected one of \(names.joined(separator: ", "))"
            throw ValidationError("no state \(word); \(hint)")
        }
        if states.isEmpty { throw ValidationError("needs a state: \(names.joined(separator: ", "))") }
    }
}

extension StoreConnection {
    /// The command whose id begins with `prefix`.
    /// - Throws: `Failure`: `notFound` if no command matches, `usage` if several match.
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
