import Model
import Store
import Testing
import Time

@testable import Notify

/// What is sent when, with the test's own clock.
@Suite struct NotifyPlannerTests {
    private let start = ContinuousClock.now

    /// A wait with jitter is between half of the full wait and all of it.
    private func isWait(_ wait: Duration, of seconds: Double) -> Bool {
        (.seconds(seconds / 2) ... .seconds(seconds)).contains(wait)
    }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func planner(
        alertmanager: Bool = false, rate: Int = 3, per window: Duration = .seconds(60)
    ) -> NotifyPlanner {
        var receiver = NotifyConfiguration.Receiver(
            name: "r",
            kind: alertmanager
                ? .alertmanager(.init(urls: ["http://a"], keepAlive: .seconds(30)))
                : .webhook(.init(url: .text("http://a"))), subscription: AlarmSubscription(receiver: "r"))
        receiver.rate = .init(messages: rate, window: window)
        receiver.retryAtMost = .seconds(8)
        return NotifyPlanner(receiver)
    }

    private func changes(_ count: Int) -> [AlarmNotification] {
        (0..<count).map { .example("a\($0)", number: Int64($0)) }
    }

    @Test func oneAfterTheOther() {
        var planner = planner()
        let waiting = changes(1)
        #expect(planner.next(at: at(0), waiting: []) == .wait(until: nil))
        #expect(planner.next(at: at(0), waiting: waiting) == .one(waiting[0]))
        planner.took(at: at(0))
        #expect(planner.next(at: at(0.1), waiting: []) == .wait(until: nil))
    }

    @Test func theLastMessageOfAWindowTellsAllThatWait() {
        var planner = planner(rate: 3)
        var waiting = changes(43)
        for _ in 0..<2 {
            #expect(planner.next(at: at(0), waiting: waiting) == .one(waiting[0]))
            planner.took(at: at(0))
            waiting.removeFirst()
        }
        #expect(planner.next(at: at(1), waiting: waiting) == .summary(waiting))
        #expect(waiting.count == 41)
        planner.took(at: at(1))
        // The window is full; what comes now waits until its first message is a minute old.
        #expect(planner.next(at: at(2), waiting: changes(1)) == .wait(until: at(60)))
        #expect(planner.next(at: at(59.9), waiting: changes(1)) == .wait(until: at(60)))
        #expect(planner.next(at: at(60), waiting: changes(1)) == .one(changes(1)[0]))
    }

    /// Three a minute that come one by one are three messages, and no summary.
    @Test func aSingleChangeIsNoSummary() {
        var planner = planner(rate: 3)
        for second in 0..<3 {
            #expect(planner.next(at: at(Double(second)), waiting: changes(1)) == .one(changes(1)[0]))
            planner.took(at: at(Double(second)))
        }
        #expect(planner.next(at: at(3), waiting: changes(1)) == .wait(until: at(60)))
    }

    @Test func aFailingReceiverIsLeftAloneForGrowingTimes() {
        var planner = planner()
        var now = at(0)
        var random = SystemRandomNumberGenerator()
        for seconds in [0.5, 1, 2, 4, 8, 8] {
            #expect(planner.next(at: now, waiting: changes(2)) == .one(changes(1)[0]))
            let pause = planner.failed(at: now, using: &random)
            #expect(isWait(pause, of: seconds))
            #expect(planner.next(at: now, waiting: changes(2)) == .wait(until: now + pause))
            now += pause
        }
        planner.took(at: now)
        let first = planner.failed(at: now, using: &random)
        #expect(isWait(first, of: 0.5))
    }

    @Test func aRefusedMessageDoesNotStopOthers() {
        var planner = planner()
        var random = SystemRandomNumberGenerator()
        let pauses = [0, 3].map { planner.refused(at: at(0), attempts: $0, using: &random) }
        #expect(isWait(pauses[0], of: 1) && isWait(pauses[1], of: 8))
        #expect(planner.next(at: at(0), waiting: changes(1)) == .one(changes(1)[0]))
        // Both took their share of the rate.
        planner.took(at: at(0))
        #expect(planner.next(at: at(1), waiting: changes(1)) == .wait(until: at(60)))
    }

    @Test func alertmanagerIsKeptAliveWhateverWaits() {
        var planner = planner(alertmanager: true)
        #expect(planner.next(at: at(0), waiting: changes(1)) == .keepAlive)
        planner.keptAlive(at: at(0))
        let waiting = changes(500)
        #expect(planner.next(at: at(1), waiting: waiting) == .alerts(Array(waiting.prefix(NotifyPlanner.alertsMax))))
        planner.took(at: at(1))
        // No rate: Alertmanager groups.
        #expect(planner.next(at: at(1), waiting: changes(1)) == .alerts(changes(1)))
        #expect(planner.next(at: at(1), waiting: []) == .wait(until: at(30)))
        #expect(planner.next(at: at(30), waiting: waiting) == .keepAlive)
    }

    @Test func aKeepAliveThatFailedIsTriedAgain() {
        var planner = planner(alertmanager: true)
        var random = SystemRandomNumberGenerator()
        #expect(planner.next(at: at(0), waiting: []) == .keepAlive)
        let pause = planner.failed(at: at(0), using: &random)
        #expect(planner.next(at: at(0), waiting: []) == .wait(until: at(0) + pause))
        #expect(planner.next(at: at(0) + pause, waiting: []) == .keepAlive)
    }
}

extension AlarmNotification {
    static func example(_ alarm: String, _ edge: Alarm.Edge = .trigger, number: Int64 = 1) -> AlarmNotification {
        AlarmNotification(
            alarm: alarm, edge: edge, number: number, attempts: 0, age: .zero, serial: "press-1",
            channel: "temperature",
            unit: "°C", rule: "limit:temperature:high", severity: .critical,
            raisedAt: Timestamp(unixMilliseconds: 1_763_728_440_000),
            clearedAt: edge == .clear ? Timestamp(unixMilliseconds: 1_763_728_450_000) : nil, value: 81.5, limit: 80,
            clearValue: edge == .clear ? 79 : nil, clearCause: nil, text: "temperature 81.5 °C is above 80 °C",
            runbook: "https://example.org/r", isLate: false)
    }
}
