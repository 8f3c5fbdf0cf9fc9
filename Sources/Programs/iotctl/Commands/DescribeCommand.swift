internal import ArgumentParser
internal import Model
internal import Records
internal import Store
internal import Time

/// `iotctl describe command ID`
struct DescribeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Shows the history of a command, with the time between its steps. Times are UTC.",
        discussion: """
            Examples:
              iotctl describe command 6fa459ea
              iotctl describe command 6fa459ea-ee8a-3ca4-894e-db77e160355e -o yaml
              iotctl describe command 6fa459ea -o json | jq .finished_after_s

            A prefix of the id is enough, if no other command's id begins with it.
            """,
        aliases: ["commands"])

    @Argument(help: "The command's id, or a prefix of it.")
    var id: String

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let command = try await Connections().store().requireCommand(id)
            try output.show(CommandDetailView(command)) { wide, style in
                CommandText(command: command).text(wide: wide, style)
            }
        }
    }
}

/// The text that describes a command to people.
struct CommandText {
    let command: CommandRecord

    /// The command's properties, then its history.
    func text(wide: Bool, _ style: Style) -> String {
        let facts: [(String, Cell)] = [
            ("Id", Cell(command.id)), ("Sensor", Cell(command.serial)), ("Command", Cell(command.name)),
            ("Arguments", Cell(command.argumentsText)), ("Issuer", Cell(command.issuer)),
            ("State", Cell(word: command.state)), ("Reason", Cell(command.reason)),
        ]
        let head = facts.map { name, cell in
            "\(name):" + String(repeating: " ", count: 11 - name.count) + style.paint(cell.text, cell.tone) + "\n"
        }.joined()
        return head + "\nLife:\n" + life.text(wide: wide, style, indent: "  ")
    }

    /// The command's steps by time, each with the time since the command was issued and since the step before.
    private var life: Table {
        let again = "sent by the registry" + (command.sends > 1 ? " (\(command.sends) times)" : "")
        let isOver = command.state != "queued" && command.state != "delivered"
        let expiry = (command.expiresIn ?? .zero) < .zero ? "expired" : "expires"
        let steps: [(name: String, at: Timestamp?)] = [
            ("issued", command.issuedAt), (again, command.sentAt), ("delivered", command.deliveredAt),
            (command.state, isOver ? command.finishedAt : nil), ("to be sent by the registry", command.sendAt),
            (isOver ? "expiry" : expiry, command.expiresAt),
        ]
        let known = steps.compactMap { step in step.at.map { (name: step.name, at: $0) } }.sorted { $0.at < $1.at }
        var before: Timestamp?
        let rows = known.map { step in
            let since = before.map { Duration.nanoseconds(step.at.nanoseconds(since: $0)) }
            before = step.at
            return [
                Cell(step.at.precise), Cell(command.after(step.at)?.short), Cell(since?.short),
                Cell(step.name, Tone(word: step.name)),
            ]
        }
        return Table(columns: [.text("AT"), .number("AFTER"), .number("STEP"), .text("WHAT")], rows: rows)
    }
}
