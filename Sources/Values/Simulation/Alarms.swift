public import Model
public import Time

extension VirtualSensor {
    /// Hears an alarm of its own: answers a trigger, and begins an event capture where that is switched on.
    ///
    /// A trigger that was heard before (the last 256 are remembered) starts no other capture: its newest answer is repeated.
    /// A clear is not answered.
    public mutating func hear(_ alarm: Alarm, _ edge: Alarm.Edge, at now: Timestamp) -> [Reply] {
        guard edge == .trigger else { return [] }
        if let ack = alarmAnswers[alarm.id] { return [.ack(ack)] }
        var ack = Ack(id: alarm.id, outcome: .received, at: now, isOfAlarm: true)
        let heard = log(.info, "alarm: \(alarm.text.cut(toBytes: 512))", at: now)
        guard recorder != nil else {
            alarmAnswers.remember(ack)
            return [.ack(ack), .log(heard)]
        }
        do throws(EventRecorder.Refusal) {
            if let position = alarm.position, position.boot != boot {
                throw EventRecorder.Refusal(reason: "an earlier start of the sensor took its samples")
            }
            if state != .awake { throw EventRecorder.Refusal(reason: "the sensor does not sample") }
            try recorder?.begin(alarm: alarm.id, at: alarm.at, now: now)
            alarmAnswers.remember(ack)
            return [.ack(ack), .log(heard)] + captured(until: now)
        } catch {
            ack.outcome = .rejected
            ack.reason = error.reason
            alarmAnswers.remember(ack)
            return [.ack(ack), .log(log(.warning, "no capture of \(alarm.id): \(error.reason)", at: now))]
        }
    }

    /// Records the signal until `now`.
    /// - Returns: the frames of captures that are due, then the answers for captures that are complete.
    public mutating func captured(until now: Timestamp) -> [Reply] {
        guard state == .awake, recorder != nil else { return [] }
        recorder?.record(until: now)
        let replies = captureFrames()
        return replies + (recorder?.takeComplete() ?? []).map { answer($0, .succeeded, "", at: now) }
    }

    /// Records the signal until `now`, when the sensor stops sampling: captures that are running end early, and fail.
    mutating func endCaptures(_ reason: String, at now: Timestamp) -> [Reply] {
        guard state == .awake, recorder != nil else { return [] }
        recorder?.record(until: now, stops: true)
        var replies = captureFrames()
        for alarm in recorder?.takeComplete() ?? [] { replies.append(answer(alarm, .succeeded, "", at: now)) }
        for alarm in recorder?.cancelAll() ?? [] { replies.append(answer(alarm, .failed, reason, at: now)) }
        return replies
    }

    private mutating func captureFrames() -> [Reply] {
        (recorder?.takePieces() ?? []).map { piece in
            let samples = piece.recorded.samples
            let blocks = zip(configuration.source.channels, samples).map {
                Block(channel: .number($0.number), samples: $1)
            }
            var frame = Frame(
                position: takePosition(), start: piece.recorded.start, rate: piece.recorded.rate, blocks: blocks)
            frame.captures = piece.marks
            return .frame(frame)
        }
    }

    private mutating func answer(
        _ alarm: String, _ outcome: Ack.Outcome, _ reason: String, at now: Timestamp
    ) -> Reply {
        let ack = Ack(id: alarm, outcome: outcome, reason: reason, at: now, isOfAlarm: true)
        alarmAnswers.remember(ack)
        return .ack(ack)
    }
}
