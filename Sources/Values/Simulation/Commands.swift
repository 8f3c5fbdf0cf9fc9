public import Model
public import Time

/// A message that a sensor sends.
public enum Reply: Sendable, Equatable {
    /// The samples of a frame that a command ended early, or of an event capture.
    case frame(Frame)
    /// The answer to a command or an alarm.
    case ack(Ack)
    /// The sensor's announcement after a change.
    case announcement(Announcement)
    /// A line of the sensor's log.
    case log(LogLine)
}

/// The last 256 commands, or alarms, that a sensor has answered, with their newest answers.
struct AnswerMemory: Sendable {
    private static let capacity = 256
    private var acks: [String: Ack] = [:]
    private var ids: [String] = []
    private var oldest = 0

    /// The newest answer to `id`, if it is remembered.
    subscript(id: String) -> Ack? { acks[id] }

    /// Remembers an answer in place of an earlier one to the same id; forgets the oldest one if the memory is full.
    mutating func remember(_ ack: Ack) {
        guard acks.updateValue(ack, forKey: ack.id) == nil else { return }
        if ids.count < Self.capacity {
            ids.append(ack.id)
        } else {
            acks[ids[oldest]] = nil
            ids[oldest] = ack.id
            oldest = (oldest + 1) % Self.capacity
        }
    }
}

extension VirtualSensor {
    /// Executes a command and returns, in this order: `received`, the samples of a frame that the command ended early,
    /// the final answer, an announcement if the command succeeded, and a log line.
    ///
    /// A command whose id was seen before (the last 256 are remembered) is not executed again: its final answer is
    /// repeated. An expired, unknown or invalid command is rejected with a reason. Complete frames that
    /// `frames(until:)` has not returned yet are returned as well.
    public mutating func receive(_ command: Command, at now: Timestamp) -> [Reply] {
        if let ack = answers[command.id] { return [.ack(ack)] }
        var replies: [Reply] = [.ack(Ack(id: command.id, outcome: .received, at: now))]
        let result = run(command, at: now)
        let final: Ack
        switch result {
        case .done(let messages):
            replies += messages
            final = Ack(id: command.id, outcome: .succeeded, at: now)
        case .rejected(let reason):
            final = Ack(id: command.id, outcome: .rejected, reason: reason.cut(toBytes: 256), at: now)
        }
        answers.remember(final)
        replies.append(.ack(final))
        let name = command.name.cut(toBytes: 64)
        switch result {
        case .done:
            replies.append(.announcement(announcement(at: now)))
            let issuer = command.issuer.cut(toBytes: 128)
            replies.append(.log(log(.info, "\(name) by \(issuer): \(state), \(rate)", at: now)))
        case .rejected:
            replies.append(.log(log(.warning, "\(name) rejected: \(final.reason)", at: now)))
        }
        return replies
    }

    private enum Execution {
        /// With the messages that the execution caused.
        case done([Reply])
        case rejected(String)
    }

    private mutating func run(_ command: Command, at now: Timestamp) -> Execution {
        if let expires = command.expires, expires < now { return .rejected(Ack.expired) }
        if state == .stopped { return .rejected("the sensor has stopped") }
        switch command.name {
        case Command.Name.sleep:
            return .done(fallAsleep(at: now))
        case Command.Name.awake:
            wake(at: now)
            return .done([])
        case Command.Name.changeSampleFrequency:
            return changeFrequency(command.arguments["hertz"], at: now)
        case Command.Name.set:
            return set(command.arguments)
        default:
            return .rejected("unknown command \(command.name)")
        }
    }

    private mutating func set(_ arguments: [String: Command.Value]) -> Execution {
        guard !arguments.isEmpty else { return .rejected("no properties to set") }
        let all = properties.merging(arguments) { _, new in new }
        guard all.count <= Self.propertiesMax else {
            return .rejected("\(all.count) properties, at most \(Self.propertiesMax)")
        }
        properties = all
        return .done([])
    }

    private mutating func changeFrequency(_ argument: Command.Value?, at now: Timestamp) -> Execution {
        guard case .kind(let kind) = configuration.source else {
            return .rejected("a recording plays at its own rate, \(rate)")
        }
        guard let argument else { return .rejected("argument hertz is missing") }
        guard case .number(let hertz) = argument else { return .rejected("argument hertz is not a number") }
        guard let rate = SampleRate(hertz: hertz) else {
            return .rejected("\(hertz) Hz is not a sample rate: 1e-7…1e9 Hz are")
        }
        guard rate.hertz <= kind.rateMax.hertz else {
            return .rejected("\(rate) is too fast for \(kind.rawValue), at most \(kind.rateMax)")
        }
        return .done(change(to: rate, at: now).map { .frame($0) })
    }
}
