public import Broker
public import Model

/// How a command is sent to many sensors, and how long their answers are awaited.
public struct RolloutRules: Sendable, Equatable {
    /// When to stop asking further sensors.
    public enum Abortion: Sendable, Equatable {
        /// This many commands failed.
        case count(Int)
        /// This share of the ended commands failed, 0…1, once at least `sampleMin` have ended.
        case share(Double)

        /// The minimum number of ended commands for a share to be meaningful.
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

        /// Whether to stop.
        ///
        /// A share is examined once 20 commands have ended, and a single failure never suffices: for 5 % this takes 40
        /// ended commands, for 1 % 200.
        public func isDue(failed: Int, ended: Int) -> Bool {
            switch self {
            case .count(let count): failed >= count
            case .share(let share):
                ended >= Self.sampleMin && Double(ended) * share >= 2 && Double(failed) >= Double(ended) * share
            }
        }
    }

    /// The maximum number of open commands if failures stop the rollout: at most this many more may fail.
    public static let openMaxIfAborting = 100

    /// The answer to wait for.
    public var waitFor: AckLevel
    /// How long to wait for each answer, counted from sending the command.
    public var timeout: Duration
    /// How long each command is valid, counted from its sending.
    public var validity: Duration
    /// The maximum number of sensors asked in any minute; nil: as fast as the broker accepts commands.
    public var perMinuteMax: Int?
    /// When to stop asking further sensors; nil: never.
    public var abortion: Abortion?
    /// Whether the answer of a sensor is waited for after the registry has recorded it as offline.
    public var waitsForOffline: Bool

    /// Rules with these values.
    public init(
        waitFor: AckLevel = .done, timeout: Duration = .seconds(10), validity: Duration = .seconds(60),
        perMinuteMax: Int? = nil, abortion: Abortion? = nil, waitsForOffline: Bool = true
    ) {
        self.waitFor = waitFor
        self.timeout = timeout
        self.validity = validity
        self.perMinuteMax = perMinuteMax
        self.abortion = abortion
        self.waitsForOffline = waitsForOffline
    }
}

/// The result of one command.
public struct CommandResult: Sendable, Equatable {
    /// The command's id; nil if it was not sent.
    public var id: String?
    /// The sensor that the command is for.
    public var sensor: SerialNumber
    /// The outcome.
    public var outcome: CommandOutcome
    /// Why it went no further; empty otherwise.
    public var reason: String
    /// The time from publishing to this outcome; nil if the command was not sent.
    public var after: Duration?

    /// The result of a command to one sensor.
    public init(id: String?, sensor: SerialNumber, outcome: CommandOutcome, reason: String, after: Duration?) {
        self.id = id
        self.sensor = sensor
        self.outcome = outcome
        self.reason = reason
        self.after = after
    }
}

/// A command on its way to many sensors: which sensors may be asked now, what they answered, when to stop. Pure: the
/// caller passes times as durations since the start, which never decrease.
public struct Rollout: Sendable {
    /// How long after a command's expiry its answer may still arrive.
    public static let grace: Duration = .milliseconds(500)
    /// The maximum number of commands that the broker has not confirmed.
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
    /// No earlier entry is open: commands are sent in order, so they expire in order.
    private var firstOpen = 0
    /// No earlier entry lacks an answer.
    private var firstSilent = 0

    /// The number of sensors that were asked: the first ones.
    public private(set) var sent = 0
    /// The number of these commands that the broker confirmed or the sensor answered.
    public private(set) var confirmed = 0
    /// The number of commands that have ended, by outcome.
    public private(set) var counts: [CommandOutcome: Int] = [:]
    /// The reason why no more sensors are asked; nil while more may be asked.
    public private(set) var halt: String?

    /// A rollout to these sensors, none of which was asked yet.
    public init(_ sensors: [SerialNumber], _ rules: RolloutRules) {
        self.rules = rules
        entries = sensors.map { Entry(sensor: $0) }
    }

    /// The number of sensors.
    public var count: Int { entries.count }
    /// The number of commands that have ended.
    public var ended: Int { counts.values.reduce(0, +) }
    /// The number of commands that were sent and have not ended.
    public var open: Int { sent - ended + (counts[.skipped] ?? 0) }
    /// The number of commands that failed, were refused, or got no answer in time.
    public var failed: Int { counts.reduce(0) { $0 + ($1.key.isFailure ? $1.value : 0) } }
    /// Whether all commands have ended.
    public var isSettled: Bool { ended == count }

    // MARK: departures

    /// The next sensors that may be asked now, at most `countMax`.
    public func departing(at now: Duration, countMax: Int) -> Range<Int> {
        let end = min(sent + countMax, departuresEnd)
        var next = sent
        while next < end, let due = departure(of: next), due <= now { next += 1 }
        return sent..<next
    }

    /// Records that the next sensors were asked now, with commands of these ids.
    public mutating func depart(_ ids: [String], at now: Duration) {
        for id in ids {
            entries[sent].id = id
            entries[sent].sentAt = now
            positions[id] = sent
            sent += 1
        }
    }

    /// The position up to which sensors may be asked before another answer arrives.
    private var departuresEnd: Int {
        if halt != nil { return sent }
        var room = Self.unconfirmedMax - (sent - confirmed)
        if rules.abortion != nil { room = min(room, RolloutRules.openMaxIfAborting - open) }
        return min(count, sent + max(0, room))
    }

    /// When the sensor at `position` may be asked: the commands are spread evenly, and no minute ever holds more than
    /// the maximum, even if some were sent late. Nil: only after others were asked.
    private func departure(of position: Int) -> Duration? {
        guard let most = rules.perMinuteMax else { return .zero }
        let even = Duration.seconds(60) / most * position
        guard position >= most else { return even }
        return entries[position - most].sentAt.map { max(even, $0 + .seconds(60)) }
    }

    /// The next time at which a sensor can be asked or a command times out if no answer arrives.
    public var nextTurn: Duration? {
        var times: [Duration] = []
        if sent < departuresEnd, let next = departure(of: sent) { times.append(next) }
        if firstOpen < sent, let at = entries[firstOpen].sentAt { times.append(at + rules.timeout) }
        if firstSilent < sent, let at = entries[firstSilent].sentAt { times.append(at + rules.validity + Self.grace) }
        return times.min()
    }

    // MARK: answers

    /// Records the broker's answer to the command at `position`.
    public mutating func note(_ outcome: PublishOutcome, at position: Int, now: Duration) {
        confirm(position)
        switch outcome {
        case .confirmed: if rules.waitFor == .none { end(position, .queued, "", now) }
        case .refused: end(position, .failed, "the broker refused the command", now)
        case .unroutable: end(position, .failed, "the broker has no queue for the command", now)
        case .tooLarge: end(position, .failed, "the command is too large", now)
        }
    }

    /// Records that the command at `position` was not published, because the database did not record it.
    public mutating func noteUnrecorded(_ position: Int, now: Duration) {
        end(position, .failed, "not sent: the database did not record it", now)
    }

    /// Records a sensor's answer. An answer to an unknown command, or from another sensor, changes nothing.
    public mutating func note(_ ack: Ack, from sensor: SerialNumber, now: Duration) {
        guard let position = positions[ack.id], entries[position].sensor == sensor else { return }
        // The sensor's answer may arrive before the broker's confirm.
        confirm(position)
        switch ack.outcome {
        case .received:
            entries[position].isDelivered = true
            if rules.waitFor == .delivered { end(position, .delivered, "", now) }
        case .succeeded: end(position, .succeeded, "", now)
        case .failed: end(position, .failed, ack.reason, now)
        case .rejected: end(position, ack.reason == Ack.expired ? .expired : .rejected, ack.reason, now)
        }
    }

    /// The sensors whose commands have no answer yet.
    public var silentSensors: [SerialNumber] {
        entries[firstOpen..<sent].filter { $0.end == nil && !$0.isDelivered }.map(\.sensor)
    }

    /// Records that the sensors with these serial numbers are offline: those of their commands end that the broker has
    /// and that are not answered.
    public mutating func noteOffline(_ serials: Set<String>, now: Duration) {
        if serials.isEmpty { return }
        for position in firstOpen..<sent {
            let entry = entries[position]
            guard entry.isConfirmed, !entry.isDelivered, serials.contains(entry.sensor.text) else { continue }
            end(position, .timedOut, "offline", now)
        }
    }

    private mutating func confirm(_ position: Int) {
        if !entries[position].isConfirmed { confirmed += 1 }
        entries[position].isConfirmed = true
    }

    /// Ends the commands that have timed out. If the broker did not even confirm one of them, no more are sent.
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

    /// Ends everything now: sensors that were not asked are skipped; the outcome of the other commands is unknown.
    /// - Parameter reason: the reason for all of them.
    public mutating func breakOff(_ reason: String, at now: Duration) {
        stop(reason)
        for position in 0..<sent { end(position, .timedOut, reason, now) }
    }

    /// Stops asking further sensors; the answers to sent commands are still awaited.
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

    /// The results of the ended commands, in order; open commands are left out.
    public var results: [CommandResult] {
        entries.compactMap { entry in
            entry.end.map {
                CommandResult(
                    id: entry.id, sensor: entry.sensor, outcome: $0.outcome, reason: $0.reason, after: $0.after)
            }
        }
    }
}
