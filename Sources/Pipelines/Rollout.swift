public import Broker
public import Sensors

/// How a command goes out to many sensors, and how long their answers are waited for.
public struct RolloutRules: Sendable, Equatable {
    /// When to ask no more sensors.
    public enum Abortion: Sendable, Equatable {
        /// So many failed.
        case count(Int)
        /// This part of those that ended failed, 0…1, once there are `sampleMin` of them.
        case share(Double)

        /// Fewest ended commands that a share says something about.
        public static let sampleMin = 20

        /// Reads `10` or `5%`.
        /// - Returns: nil unless it is a count of 1 or more, or a percentage above 0 and up to 100.
        public init?(_ text: String) {
            if text.hasSuffix("%") {
                guard let percent = Double(text.dropLast()), percent > 0, percent <= 100 else { return nil }
                self = .share(percent / 100)
            } else {
                guard let count = Int(text), count > 0 else { return nil }
                self = .count(count)
            }
        }

        /// Whether it is time to stop.
        ///
        /// A share is looked at once 20 commands ended, and never because of a single failure: for 5 % once 40 ended,
        /// for 1 % once 200 did.
        public func isDue(failed: Int, ended: Int) -> Bool {
            switch self {
            case .count(let count): failed >= count
            case .share(let share):
                ended >= Self.sampleMin && Double(ended) * share >= 2 && Double(failed) >= Double(ended) * share
            }
        }
    }

    /// Most commands that are open at a time if failures are to stop the rest: so many more may fail.
    public static let openMaxIfAborting = 100

    /// What to wait for.
    public var patience: AckPatience
    /// How long to wait for the answer to each, from its sending on.
    public var timeout: Duration
    /// For how long each may be run, from its sending on.
    public var validity: Duration
    /// Most sensors that are asked within any minute; nil: as fast as the broker takes them.
    public var perMinuteMax: Int?
    /// When to stop; nil: never.
    public var abortion: Abortion?

    /// Those rules.
    public init(
        patience: AckPatience = .done, timeout: Duration = .seconds(10), validity: Duration = .seconds(60),
        perMinuteMax: Int? = nil, abortion: Abortion? = nil
    ) {
        self.patience = patience
        self.timeout = timeout
        self.validity = validity
        self.perMinuteMax = perMinuteMax
        self.abortion = abortion
    }
}

/// What became of one command.
public struct CommandResult: Sendable, Equatable {
    /// The command's id; nil if it was not sent.
    public var id: String?
    /// The sensor it was for.
    public var sensor: SerialNumber
    /// How far it came.
    public var outcome: CommandOutcome
    /// Why it went no further; empty otherwise.
    public var reason: String
    /// From publishing to this outcome; nil if it was not sent.
    public var after: Duration?
}

/// A command on its way to many sensors: which may be asked now, what they answered, when to stop. Pure: times are given
/// to it, as durations since the start, and never go back.
public struct Rollout: Sendable {
    /// How long after its expiry an answer to a command may still be on its way.
    public static let grace: Duration = .milliseconds(500)
    /// Most commands that the broker has not confirmed.
    public static let unconfirmedMax = 2000

    private struct Entry: Sendable {
        let sensor: SerialNumber
        var id: String?
        var sentAt: Duration?
        var isConfirmed = false
        var isDelivered = false
        var end: (outcome: CommandOutcome, reason: String, after: Duration?)?
    }

    private let rules: RolloutRules
    private var entries: [Entry]
    private var positions: [String: Int] = [:]
    /// No open entry is before it: commands are sent in order, so they run out of time in order.
    private var firstOpen = 0
    /// No entry without any answer is before it.
    private var firstSilent = 0

    /// How many sensors were asked: the first ones.
    public private(set) var sent = 0
    /// For how many of these the broker, or the sensor itself, has answered.
    public private(set) var confirmed = 0
    /// How many commands have come to an end, by outcome.
    public private(set) var counts: [CommandOutcome: Int] = [:]
    /// Why no more sensors are asked; nil while more may be.
    public private(set) var halt: String?

    /// Those sensors, none of them asked yet.
    public init(_ sensors: [SerialNumber], _ rules: RolloutRules) {
        self.rules = rules
        entries = sensors.map { Entry(sensor: $0) }
    }

    /// How many sensors there are.
    public var count: Int { entries.count }
    /// How many have come to an end.
    public var ended: Int { counts.values.reduce(0, +) }
    /// How many were asked and have not come to an end.
    public var open: Int { sent - ended + (counts[.skipped] ?? 0) }
    /// How many failed, or were refused, or gave no answer in time.
    public var failed: Int { counts.reduce(0) { $0 + ($1.key.isFailure ? $1.value : 0) } }
    /// Whether nothing is waited for any more.
    public var isSettled: Bool { ended == count }

    // MARK: departures

    /// Which sensors may be asked now: the next ones, `countMax` at most.
    public func departing(at now: Duration, countMax: Int) -> Range<Int> {
        let end = min(sent + countMax, departuresEnd)
        var next = sent
        while next < end, let due = departure(of: next), due <= now { next += 1 }
        return sent..<next
    }

    /// Notes that the next sensors were asked now, with commands of these ids.
    public mutating func depart(_ ids: [String], at now: Duration) {
        for id in ids {
            entries[sent].id = id
            entries[sent].sentAt = now
            positions[id] = sent
            sent += 1
        }
    }

    /// Up to where sensors may be asked before somebody answers.
    private var departuresEnd: Int {
        if halt != nil { return sent }
        var room = Self.unconfirmedMax - (sent - confirmed)
        if rules.abortion != nil { room = min(room, RolloutRules.openMaxIfAborting - open) }
        return min(count, sent + max(0, room))
    }

    /// When the sensor at `position` may be asked: the minute is divided evenly, and never holds more than it may, also
    /// if some were asked late. Nil: not before others are asked.
    private func departure(of position: Int) -> Duration? {
        guard let most = rules.perMinuteMax else { return .zero }
        let even = Duration.seconds(60) / most * position
        guard position >= most else { return even }
        return entries[position - most].sentAt.map { max(even, $0 + .seconds(60)) }
    }

    /// When there is something to do if nobody answers: to ask the next sensor, or to give one up.
    public var nextTurn: Duration? {
        var times: [Duration] = []
        if sent < departuresEnd, let next = departure(of: sent) { times.append(next) }
        if firstOpen < sent, let at = entries[firstOpen].sentAt { times.append(at + rules.timeout) }
        if firstSilent < sent, let at = entries[firstSilent].sentAt { times.append(at + rules.validity + Self.grace) }
        return times.min()
    }

    // MARK: answers

    /// Notes what the broker said of the command at `position`.
    public mutating func note(_ outcome: PublishOutcome, at position: Int, now: Duration) {
        confirm(position)
        switch outcome {
        case .confirmed: if rules.patience == .none { end(position, .queued, "", now) }
        case .refused: end(position, .failed, "the broker refused the command", now)
        case .unroutable: end(position, .failed, "the broker has no queue for the command", now)
        case .tooLarge: end(position, .failed, "the command is too large", now)
        }
    }

    /// Notes an answer. What answers no command of ours, or comes from another sensor, changes nothing.
    public mutating func note(_ ack: Ack, from sensor: SerialNumber, now: Duration) {
        guard let position = positions[ack.id], entries[position].sensor == sensor else { return }
        // The answer may be here before the broker's.
        confirm(position)
        switch ack.outcome {
        case .received:
            entries[position].isDelivered = true
            if rules.patience == .delivered { end(position, .delivered, "", now) }
        case .succeeded: end(position, .succeeded, "", now)
        case .failed: end(position, .failed, ack.reason, now)
        case .rejected: end(position, ack.reason == Ack.expired ? .expired : .rejected, ack.reason, now)
        }
    }

    private mutating func confirm(_ position: Int) {
        if !entries[position].isConfirmed { confirmed += 1 }
        entries[position].isConfirmed = true
    }

    /// Gives up the commands whose time is over. If the broker did not even confirm them, no more are sent.
    public mutating func pass(_ now: Duration) {
        while firstSilent < sent, let at = entries[firstSilent].sentAt {
            let entry = entries[firstSilent]
            if entry.end == nil, !entry.isDelivered {
                guard now >= at + rules.validity + Self.grace else { break }
                end(firstSilent, .expired, "no answer before it expired", now)
            }
            firstSilent += 1
        }
        while firstOpen < sent, let at = entries[firstOpen].sentAt {
            if entries[firstOpen].end == nil {
                guard now >= at + rules.timeout else { break }
                timeOut(firstOpen, now)
            }
            firstOpen += 1
        }
    }

    private mutating func timeOut(_ position: Int, _ now: Duration) {
        let entry = entries[position]
        if entry.isDelivered {
            end(position, .timedOut, "delivered, no result yet", now)
        } else if !entry.isConfirmed {
            end(position, .timedOut, "the broker has not confirmed it", now)
            stop("the broker does not confirm")
        } else if let at = entry.sentAt, now >= at + rules.validity {
            end(position, .expired, "no answer before it expired", now)
        } else {
            end(position, .timedOut, "no answer", now)
        }
    }

    /// Ends everything now: who was not asked is skipped, and of the others nobody knows.
    /// - Parameter reason: why, for all of them.
    public mutating func breakOff(_ reason: String, at now: Duration) {
        stop(reason)
        for position in 0..<sent { end(position, .timedOut, reason, now) }
    }

    /// Asks no more sensors; the answers of the others are still waited for.
    private mutating func stop(_ reason: String) {
        guard halt == nil else { return }
        halt = reason
        for position in sent..<count { end(position, .skipped, "not sent: \(reason)", nil) }
    }

    private mutating func end(_ position: Int, _ outcome: CommandOutcome, _ reason: String, _ now: Duration?) {
        guard entries[position].end == nil else { return }
        let after = now.flatMap { now in entries[position].sentAt.map { now - $0 } }
        entries[position].end = (outcome, reason, after)
        counts[outcome, default: 0] += 1
        if outcome.isFailure, sent < count, rules.abortion?.isDue(failed: failed, ended: ended) == true {
            stop("\(failed) of \(ended) failed")
        }
    }

    /// What became of each command, in their order; those that are still waited for are left out.
    public var results: [CommandResult] {
        entries.compactMap { entry in
            entry.end.map {
                CommandResult(
                    id: entry.id, sensor: entry.sensor, outcome: $0.outcome, reason: $0.reason, after: $0.after)
            }
        }
    }
}
