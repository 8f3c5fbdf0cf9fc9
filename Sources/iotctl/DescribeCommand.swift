internal import ArgumentParser
internal import Sensors
internal import Store

/// `iotctl describe command ID`
struct DescribeCommand: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Shows a command's whole life, with the time between its steps. Times are UTC.",
        discussion: """
            Examples:
              iotctl describe command 6fa459ea
              iotctl describe command 6fa459ea-ee8a-3ca4-894e-db77e160355e -o yaml
              iotctl describe command 6fa459ea -o json | jq .finished_after_s

            The beginning of the id is enough, if no other command's id begins so.
            """,
        aliases: ["commands"])

    /// Which.
    @Argument(help: "Its id, or the beginning of it.")
    var id: String

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints it.
    func run() async throws {
        try await perform {
            let command = try await Connections().store().requireCommand(id)
            try output.show(command.detail) { wide, style in CommandText(command: command).text(wide: wide, style) }
        }
    }
}

extension CommandRecord {
    /// As JSON (docs/iotctl-json.md, "command in detail").
    var detail: Value {
        let more = Value.record([
            "age_s": .seconds(age), "delivered_after_s": .seconds(after(deliveredAt)),
            "finished_after_s": .seconds(after(finishedAt)), "expires_in_s": .seconds(expiresIn),
        ])
        guard case .object(let added) = more else { return more }
        return .object(fields + added)
    }
}

/// A command for people to read.
struct CommandText {
    /// Which.
    let command: CommandRecord

    /// Facts, then its life.
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

    /// Its steps in the order of their times, with how long each was after the command was given and after the step
    /// before.
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

extension Timestamp {
    /// To the millisecond, for people: "2026-11-21 09:30:00.123".
    var precise: String {
        let text = description
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(12))"
    }
}
