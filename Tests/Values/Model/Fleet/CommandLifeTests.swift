import Model
import Testing
import Time

/// The life of a command, from its issue to its end, whatever comes in whatever order.
@Suite struct CommandLifeTests {
    private let issued = Timestamp(unixMilliseconds: 1_763_728_440_000)
    private var expires: Timestamp { issued.advanced(bySeconds: 60) }

    private func ack(_ outcome: Ack.Outcome, _ reason: String = "") -> Ack {
        Ack(id: "c", outcome: outcome, reason: reason, at: nil)
    }

    /// A life after answers that came a second apart.
    private func life(_ acks: Ack..., from state: CommandLife.State = .queued) -> CommandLife {
        var life = CommandLife(state: state, expires: expires)
        for (second, ack) in acks.enumerated() { life.note(ack, at: issued.advanced(bySeconds: Int64(second) + 1)) }
        return life
    }

    @Test func theOrdinaryCourse() {
        #expect(life().state == .queued && life().state.isOpen)
        let delivered = life(ack(.received))
        #expect(delivered.state == .delivered && delivered.delivered == issued.advanced(bySeconds: 1))
        #expect(delivered.finished == nil && delivered.state.isOpen)
        let done = life(ack(.received), ack(.succeeded))
        #expect(done.state == .succeeded && done.delivered == issued.advanced(bySeconds: 1))
        #expect(done.finished == issued.advanced(bySeconds: 2) && !done.state.isOpen)
    }

    @Test func theSensorsLastWordStays() {
        for (first, state) in [
            (ack(.succeeded), CommandLife.State.succeeded), (ack(.failed, "no"), .failed),
            (ack(.rejected, "busy"), .rejected), (ack(.rejected, Ack.expired), .expired),
        ] {
            let ended = life(first)
            #expect(ended.state == state && ended.reason == first.reason)
            for later in Ack.Outcome.allCases {
                #expect(life(first, ack(later, "late")) == ended, "\(state), \(later)")
            }
            // It had it, even if it never said so.
            #expect(ended.delivered == issued.advanced(bySeconds: 1))
        }
    }

    @Test func silenceEndsIt() {
        func after(_ seconds: Int64, _ acks: Ack...) -> CommandLife.State {
            var life = CommandLife(expires: expires)
            for ack in acks { life.note(ack, at: issued.advanced(bySeconds: 50)) }
            life.expire(at: issued.advanced(bySeconds: seconds))
            return life.state
        }
        #expect(after(60 + CommandLife.expiryGraceSeconds - 1) == .queued)
        #expect(after(60 + CommandLife.expiryGraceSeconds) == .expired)
        #expect(after(60 + CommandLife.resultGraceSeconds - 1, ack(.received)) == .delivered)
        #expect(after(60 + CommandLife.resultGraceSeconds, ack(.received)) == .timedOut)
        #expect(after(10_000, ack(.succeeded)) == .succeeded)
        // Delivered by an answer that was long on its way: the result has its time from then on.
        var late = CommandLife(expires: expires)
        late.note(ack(.received), at: expires.advanced(bySeconds: 40))
        late.expire(at: expires.advanced(bySeconds: CommandLife.resultGraceSeconds))
        #expect(late.state == .delivered)
        var eternal = CommandLife(expires: nil)
        eternal.expire(at: issued.advanced(bySeconds: 1_000_000))
        #expect(eternal.state == .queued)
    }

    /// What was concluded from silence is given up when the sensor says otherwise.
    @Test func aLateAnswerIsTheTruth() {
        var expired = CommandLife(expires: expires)
        expired.expire(at: expires.advanced(bySeconds: 100))
        #expect(expired.state == .expired && expired.reason == CommandLife.silence)
        var delivered = expired
        delivered.note(ack(.received), at: expires.advanced(bySeconds: 101))
        #expect(delivered.state == .delivered && delivered.finished == nil && delivered.reason.isEmpty)
        expired.note(ack(.succeeded), at: expires.advanced(bySeconds: 101))
        #expect(expired.state == .succeeded && expired.reason.isEmpty)
        #expect(life(ack(.succeeded), from: .timedOut).state == .succeeded)
        #expect(life(ack(.failed, "x"), from: .timedOut).state == .failed)
    }

    @Test func whatWasTakenBackMayHaveBeenRun() {
        #expect(life(ack(.received), from: .cancelled).state == .cancelled)
        let run = life(ack(.received), ack(.succeeded), from: .cancelled)
        #expect(run.state == .succeeded && run.reason == "before it could be cancelled")
        var cancelled = CommandLife(state: .cancelled, expires: expires)
        cancelled.expire(at: expires.advanced(bySeconds: 1000))
        #expect(cancelled.state == .cancelled)
    }
}
