internal import Broker
internal import Messaging
internal import Model
internal import Rules
internal import Store
internal import Time

/// The evaluation of one stream: the engine, and how far it has read. A value without I/O.
///
/// Each reader tells it of the messages that it has read. Messages that were evaluated before are passed over, so that
/// several readers may tell it of the same ones; the first one counts.
struct StreamEvaluation: Sendable {
    /// A message that was evaluated so long after the broker received it is late.
    static let lateAfter: Duration = .seconds(10)

    /// What became of messages.
    enum Outcome: Equatable {
        /// All of them are evaluated.
        case done
        /// Messages before them are not evaluated yet: the reader is ahead of the evaluation.
        case ahead
        /// The next message names a rule revision that is not known here. Those before it are evaluated.
        case needs(Int64)
    }

    /// The stream's name.
    let stream: String
    /// The epoch of the lease.
    let epoch: Int64
    /// The stream's incarnation.
    private(set) var incarnation: Int64
    /// The engine.
    private(set) var engine: RuleEngine
    /// The offset of the last message that was evaluated; nil: none.
    private(set) var offset: Int64?
    /// The fingerprint of that message; nil: unknown.
    private(set) var fingerprint: Int64?
    /// The arrival of that message.
    private(set) var received: Timestamp?
    /// The messages of sensors that were evaluated, and the transitions that followed.
    private(set) var work = 0
    /// Alarms of limits that are on as an older release, or the owner of another stream, left them, of sensors of which the
    /// engine knows nothing yet. Most are of other streams.
    private var inherited: [SerialNumber: [LimitAlarm]] = [:]
    /// The limits' alarms that began or ended since they were taken last.
    private var limits: [LimitKey: LimitAlarm] = [:]

    private struct LimitKey: Hashable {
        var serial: SerialNumber
        var channel: String
    }

    /// An evaluation behind a message.
    init(
        _ engine: RuleEngine, of lease: PartitionLease, behind offset: Int64?, fingerprint: Int64? = nil
    ) {
        stream = lease.stream
        epoch = lease.epoch
        incarnation = lease.incarnation
        self.engine = engine
        self.offset = offset
        self.fingerprint = fingerprint
    }

    /// Whether frames and ticks say nothing to it, but for new rules.
    var isIdle: Bool { engine.isEmpty && inherited.isEmpty }

    /// Where the evaluation is, for `StoreConnection.save`; nil: no rule holds.
    var record: RuleStateRecord {
        RuleStateRecord(incarnation: incarnation, offset: offset, fingerprint: fingerprint, body: engine.encoded())
    }

    /// The limits' alarms that began or ended since the last call.
    mutating func takeLimits() -> [LimitAlarm] {
        defer { limits = [:] }
        return limits.values.sorted { ($0.serial, $0.number) < ($1.serial, $1.number) }
    }

    /// Gives changes back that could not be saved.
    mutating func putBack(_ alarms: [LimitAlarm]) {
        for alarm in alarms {
            let key = LimitKey(serial: alarm.serial, channel: alarm.channel)
            if limits[key] == nil { limits[key] = alarm }
        }
    }

    /// Goes on behind an offset that the broker cannot deliver.
    mutating func pass(_ dead: Int64) {
        offset = max(offset ?? dead, dead)
        fingerprint = nil
    }

    /// The stream is another one now, and read from its first message. What is known of sensors stays.
    mutating func reset(to incarnation: Int64) {
        self.incarnation = incarnation
        offset = nil
        fingerprint = nil
    }

    /// Goes back to a message: those behind it are evaluated again.
    mutating func rewind(to offset: Int64?) {
        self.offset = min(self.offset ?? -1, offset ?? -1) < 0 ? nil : min(self.offset ?? -1, offset ?? -1)
        fingerprint = nil
    }

    // MARK: what others knew

    /// Learns which alarms of limits are on. Of sensors that the engine knows, it knows better.
    mutating func inherit(_ alarms: [LimitAlarm]) {
        inherited = Dictionary(grouping: alarms.filter { $0.id != nil && !engine.knows($0.serial) }, by: \.serial)
    }

    /// Takes over the alarms of limits as a release without rules left them, which had the partition in between.
    mutating func takeOver(_ alarms: [LimitAlarm]) {
        for alarm in alarms where engine.knows(alarm.serial) { _ = takeOver(alarm) }
        inherit(alarms)
    }

    private mutating func takeOver(_ alarm: LimitAlarm) -> Bool {
        let raised = alarm.raised
        return engine.takeOver(
            raised == nil ? nil : alarm.side, of: alarm.serial, channel: alarm.channel,
            raised: raised ?? StreamPosition(incarnation: 0, offset: 0), since: alarm.since)
    }

    // MARK: messages

    /// Evaluates messages.
    /// - Parameters:
    ///   - before: the offset up to which the reader has read before them; nil: it began at the first message.
    ///   - revision: a rule revision by its number; nil: it is not known here.
    ///   - events: the alarms that follow are appended.
    mutating func judge(
        _ batch: FrameBatch, after before: Int64?, now: Timestamp = .now, revision: (Int64) -> KnownRevision?,
        into events: inout [AlarmEvent]
    ) -> Outcome {
        guard let last = batch.deliveries.last, let lastOffset = last.streamOffset else { return .done }
        guard (before ?? -1) <= (offset ?? -1) else { return .ahead }
        let known = offset ?? -1
        if lastOffset <= known { return .done }
        var ticks = batch.ticks[...]
        var transitions: [RuleTransition] = []
        // Without rules only ticks are looked at.
        for received in isIdle && batch.ticks.isEmpty ? [] : batch.frames {
            while let tick = ticks.first, tick.index < received.index {
                ticks.removeFirst()
                if let missing = judge(tick, in: batch, known, now, revision, &transitions, &events) { return missing }
            }
            let delivery = batch.deliveries[received.index]
            guard let place = delivery.streamOffset, place > known, !isIdle else { continue }
            judge(received, delivery, at: place, &transitions, &events)
            finish(delivery, now, &transitions, &events)
        }
        for tick in ticks {
            if let missing = judge(tick, in: batch, known, now, revision, &transitions, &events) { return missing }
        }
        offset = lastOffset
        fingerprint = last.fingerprint
        received = last.received
        return .done
    }

    private mutating func judge(
        _ received: FrameBatch.Received, _ delivery: Delivery, at place: Int64, _ transitions: inout [RuleTransition],
        _ events: inout [AlarmEvent]
    ) {
        // Captures are samples of the past.
        if received.frame.isCapture { return }
        work += 1
        let position = StreamPosition(incarnation: incarnation, offset: place)
        if !inherited.isEmpty, let alarms = inherited.removeValue(forKey: received.serial),
            !engine.knows(received.serial)
        {
            for alarm in alarms where !takeOver(alarm) { events += end(alarm, at: position, delivery.received) }
        }
        engine.observe(
            received.frame, of: received.serial, at: position, received: delivery.received, into: &transitions)
    }

    /// - Returns: what is missing to evaluate it.
    private mutating func judge(
        _ tick: FrameBatch.Tick, in batch: FrameBatch, _ known: Int64, _ now: Timestamp,
        _ revision: (Int64) -> KnownRevision?, _ transitions: inout [RuleTransition], _ events: inout [AlarmEvent]
    ) -> Outcome? {
        let delivery = batch.deliveries[tick.index]
        guard let place = delivery.streamOffset, place > known else { return nil }
        let position = StreamPosition(incarnation: incarnation, offset: place)
        if tick.tick.revision > engine.revision {
            switch revision(tick.tick.revision) {
            case nil:
                if tick.index > batch.deliveries.startIndex {
                    let before = batch.deliveries[tick.index - 1]
                    if let offset = before.streamOffset, offset > known {
                        self.offset = offset
                        fingerprint = before.fingerprint
                        received = before.received
                    }
                }
                return .needs(tick.tick.revision)
            case .gone: break
            case .revision(let revision):
                work += 1
                engine.adopt(revision, at: position, stamp: delivery.received, into: &transitions)
            }
        }
        if !engine.isEmpty { engine.tick(delivery.received, at: position, into: &transitions) }
        finish(delivery, now, &transitions, &events)
        return nil
    }

    /// Turns the transitions of a message into alarms.
    private mutating func finish(
        _ delivery: Delivery, _ now: Timestamp, _ transitions: inout [RuleTransition], _ events: inout [AlarmEvent]
    ) {
        if transitions.isEmpty { return }
        let isLate = now.seconds(since: delivery.received) > Self.lateAfter.seconds
        for transition in transitions {
            note(transition)
            events.append(
                AlarmEvent(
                    serial: transition.serial, edge: transition.edge,
                    alarm: transition.alarm(stream: stream, epoch: epoch, isLate: isLate),
                    offset: transition.decided.offset))
        }
        transitions.removeAll(keepingCapacity: true)
        work += 1
    }

    /// Remembers that the alarm of a limit began or ended.
    private mutating func note(_ transition: RuleTransition) {
        guard let side = LimitSide(rawValue: transition.leaf), let channel = transition.channel else { return }
        let isOn = transition.edge == .trigger
        limits[LimitKey(serial: transition.serial, channel: channel.name)] = LimitAlarm(
            serial: transition.serial, channel: channel.name, number: channel.number ?? 0,
            id: isOn ? transition.id : nil, side: isOn ? side : nil, since: transition.time)
    }

    /// Ends an alarm of limits that exist no more.
    private mutating func end(_ inherited: LimitAlarm, at position: StreamPosition, _ time: Timestamp) -> [AlarmEvent] {
        guard let id = inherited.id, let side = inherited.side else { return [] }
        var alarm = Alarm(
            id: id, rule: "limit:\(inherited.channel):\(side.rawValue)", channel: inherited.number, value: 0, limit: 0,
            at: time, position: nil, text: "\(inherited.serial) \(inherited.channel): the rule was removed")
        alarm.channelName = inherited.channel
        alarm.cause = RuleTransition.Cause.ruleRemoved.rawValue
        alarm.origin = Alarm.Origin(stream: stream, epoch: epoch, offset: position.offset)
        var off = inherited
        (off.id, off.side, off.since) = (nil, nil, time)
        limits[LimitKey(serial: inherited.serial, channel: inherited.channel)] = off
        return [AlarmEvent(serial: inherited.serial, edge: .clear, alarm: alarm, offset: position.offset)]
    }
}

/// A rule revision that was asked for.
enum KnownRevision: Sendable {
    /// That revision.
    case revision(RuleRevision)
    /// It does not exist any more.
    case gone
}

extension LimitAlarm {
    /// The message that raised it, as its id says; nil: it is off, or the message is unknown.
    fileprivate var raised: StreamPosition? {
        guard let words = id?.split(separator: "/").suffix(2), words.count == 2,
            let last = Int64(words[words.endIndex - 1])
        else { return nil }
        let word = words[words.startIndex]
        if LimitSide(rawValue: String(word)) != nil {
            return StreamPosition(incarnation: RuleTransition.olderIncarnation, offset: last)
        }
        return Int64(word).map { StreamPosition(incarnation: $0, offset: last) }
    }
}
