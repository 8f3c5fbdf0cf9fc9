internal import Sensors

/// What happened to a command.
struct CommandEvent: Sendable, Equatable {
    /// The command's id.
    var id: String
    /// The sensor it is for.
    var serial: String
    /// Its name; nil where only an answer was seen.
    var name: String?
    /// `queued`, `sent_again`, `delivered`, `succeeded`, `failed`, `rejected` or `expired`.
    var event: String
    /// Why it failed or was rejected; empty otherwise.
    var reason: String
    /// The command itself, where that is what was seen.
    var command: Command?
}

/// Tells what happens to commands from the messages at the broker. Pure.
struct CommandWatch: Sendable {
    /// Most commands whose names are remembered; the oldest are forgotten first.
    static let rememberedMax = 10_000

    private var names: [String: String] = [:]
    private var order: [String] = []

    /// A command was sent; nil: it is about the time, of which there are too many.
    mutating func note(_ command: Command, for serial: String) -> CommandEvent? {
        if Command.isTime(id: command.id) { return nil }
        let isKnown = names.updateValue(command.name, forKey: command.id) != nil
        if !isKnown { remember(command.id) }
        return CommandEvent(
            id: command.id, serial: serial, name: command.name, event: isKnown ? "sent_again" : "queued", reason: "",
            command: command)
    }

    /// A sensor answered.
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
