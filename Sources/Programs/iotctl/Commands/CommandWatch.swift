internal import Model
internal import Store

/// A step in the life of a command, seen at the broker.
struct CommandEvent: Sendable, Equatable {
    /// The command's id.
    var id: String
    /// The sensor it is for.
    var serial: String
    /// The command's name; nil if only an answer was seen.
    var name: String?
    /// `queued`, `sent_again`, `delivered`, `succeeded`, `failed`, `rejected` or `expired`.
    var event: String
    /// Why it failed or was rejected; empty otherwise.
    var reason: String
    /// The command itself; nil if the message was an answer.
    var command: Command?
}

/// Derives the events of commands from the messages at the broker. Pure.
struct CommandWatch: Sendable {
    /// At least this many commands' names are remembered; the oldest are forgotten first.
    static let rememberedMax = 10_000

    /// A command of the database that is younger than this may still be on its way from the broker to this program.
    static let inFlight: Duration = .seconds(5)

    /// Commands of the database whose first message may still arrive.
    private var awaited: Set<String> = []
    private var names: [String: String] = [:]
    private var order: [String] = []

    /// Takes over the commands that have not ended, from the database.
    mutating func note(open commands: [CommandRecord]) {
        for command in commands where names.updateValue(command.name, forKey: command.id) == nil {
            remember(command.id)
            if command.sends == 0, command.age ?? .zero < Self.inFlight { awaited.insert(command.id) }
        }
    }

    /// The event of a command that was sent; nil for the frequent commands that set a sensor's time, and for a command that
    /// `note(open:)` took over before its message arrived.
    mutating func note(_ command: Command, for serial: String) -> CommandEvent? {
        if Command.isTime(id: command.id) || awaited.remove(command.id) != nil { return nil }
        let isKnown = names.updateValue(command.name, forKey: command.id) != nil
        if !isKnown { remember(command.id) }
        return CommandEvent(
            id: command.id, serial: serial, name: command.name, event: isKnown ? "sent_again" : "queued", reason: "",
            command: command)
    }

    /// The event of a sensor's answer; nil if it answers a command that set its time.
    func note(_ ack: Ack, from serial: String) -> CommandEvent? {
        if Command.isTime(id: ack.id) { return nil }
        let event =
            switch ack.outcome {
            case .received: "delivered"
            case .succeeded, .failed: ack.outcome.rawValue
            case .rejected: ack.reason == Ack.expired ? "expired" : "rejected"
            }
        return CommandEvent(
            id: ack.id, serial: serial, name: names[ack.id], event: event,
            reason: event == "expired" ? "" : ack.reason)
    }

    private mutating func remember(_ id: String) {
        order.append(id)
        guard order.count > 2 * Self.rememberedMax else { return }
        for old in order.prefix(Self.rememberedMax) { names[old] = nil }
        order.removeFirst(Self.rememberedMax)
    }
}
