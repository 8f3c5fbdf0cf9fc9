import Broker
import Pipelines
import Sensors
import Testing

@Suite struct AckLedgerTests {
    private static let serials = ["a", "b", "c"].compactMap { SerialNumber($0) }

    /// Commands "1", "2" and "3" for a, b and c, valid for 10 s.
    private func ledger(_ patience: AckPatience) -> AckLedger {
        let issued = Timestamp(unixMilliseconds: 1_000_000)
        return AckLedger(
            zip(1..., Self.serials).map { number, serial in
                let command = Command(
                    id: "\(number)", name: "sleep", issued: issued, expires: issued.advanced(bySeconds: 10),
                    issuer: "test")
                return (serial, command)
            }, patience: patience)
    }

    private func ack(_ id: String, _ outcome: Ack.Outcome, _ reason: String = "") -> Ack {
        Ack(id: id, outcome: outcome, reason: reason, at: nil)
    }

    @Test func finalAnswersSettle() {
        var ledger = ledger(.done)
        ledger.note(.confirmed, at: 0, after: .milliseconds(1))
        ledger.note(ack("1", .received), from: Self.serials[0], after: .milliseconds(2))
        #expect(ledger.results.isEmpty)
        ledger.note(ack("1", .succeeded), from: Self.serials[0], after: .milliseconds(3))
        ledger.note(ack("2", .failed, "worn out"), from: Self.serials[1], after: .milliseconds(4))
        #expect(!ledger.isSettled)
        ledger.note(ack("3", .rejected, "too fast"), from: Self.serials[2], after: .milliseconds(5))
        #expect(ledger.isSettled)
        #expect(ledger.results.map(\.outcome) == [.succeeded, .failed, .rejected])
        #expect(ledger.results.map(\.reason) == ["", "worn out", "too fast"])
        #expect(ledger.results.map(\.after) == [.milliseconds(3), .milliseconds(4), .milliseconds(5)])
    }

    @Test func theFirstFinalAnswerStays() {
        var ledger = ledger(.done)
        ledger.note(ack("1", .succeeded), from: Self.serials[0], after: .milliseconds(3))
        ledger.note(ack("1", .failed), from: Self.serials[0], after: .milliseconds(4))
        #expect(ledger.results.map(\.outcome) == [.succeeded])
        #expect(!ledger.isSettled)
    }

    @Test func answersOfOthersCountForNothing() {
        var ledger = ledger(.done)
        ledger.note(ack("1", .succeeded), from: Self.serials[1], after: .milliseconds(3))
        ledger.note(ack("9", .succeeded), from: Self.serials[0], after: .milliseconds(3))
        #expect(ledger.results.isEmpty)
    }

    @Test func aSensorThatSaysExpired() {
        var ledger = ledger(.done)
        ledger.note(ack("1", .rejected, Ack.expired), from: Self.serials[0], after: .seconds(1))
        #expect(ledger.results.map(\.outcome) == [.expired])
    }

    @Test func deliveredIsEnoughForWhoWantsNoMore() {
        var ledger = ledger(.delivered)
        for (id, serial) in zip(["1", "2", "3"], Self.serials) {
            ledger.note(ack(id, .received), from: serial, after: .milliseconds(3))
        }
        #expect(ledger.isSettled)
        #expect(ledger.results.map(\.outcome) == [.delivered, .delivered, .delivered])
    }

    @Test func whoWaitsForNothingIsDoneWithTheConfirm() {
        var ledger = ledger(.none)
        ledger.note(.confirmed, at: 0, after: .milliseconds(1))
        ledger.note(.refused, at: 1, after: .milliseconds(1))
        ledger.note(.unroutable, at: 2, after: .milliseconds(1))
        #expect(ledger.isSettled)
        #expect(ledger.results.map(\.outcome) == [.queued, .failed, .failed])
    }

    @Test func silenceTimesOutBeforeTheExpiryAndExpiresAfterIt() {
        var ledger = ledger(.done)
        ledger.note(ack("2", .received), from: Self.serials[1], after: .milliseconds(3))
        #expect(ledger.nextExpiry == .seconds(10) + AckLedger.grace)
        var early = ledger
        early.giveUp(after: .seconds(5))
        #expect(early.results.map(\.outcome) == [.timedOut, .timedOut, .timedOut])
        #expect(early.results.map(\.reason) == ["no answer", "delivered, no result yet", "no answer"])
        ledger.expire(after: .seconds(10))
        #expect(ledger.results.isEmpty, "an answer may still be on its way")
        ledger.expire(after: .seconds(10) + AckLedger.grace)
        #expect(ledger.results.map(\.outcome) == [.expired, .expired])
        #expect(ledger.nextExpiry == nil)
        ledger.giveUp(after: .seconds(20))
        #expect(ledger.results.map(\.outcome) == [.expired, .timedOut, .expired])
        #expect(ledger.isSettled)
    }

    @Test func theWorstOutcomeSpeaksForAll() {
        #expect(CommandOutcome.worst([]) == nil)
        #expect(CommandOutcome.worst([.succeeded, .expired]) == .expired)
        #expect(CommandOutcome.worst([.succeeded, .expired, .timedOut]) == .timedOut)
        #expect(CommandOutcome.worst([.rejected, .expired, .timedOut]) == .rejected)
        #expect(CommandOutcome.worst([.rejected, .failed, .timedOut]) == .failed)
    }
}
