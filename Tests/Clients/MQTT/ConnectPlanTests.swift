import Testing

@testable import MQTT

@Suite struct ConnectPlanTests {
    private let start = ContinuousClock.now

    /// Always the same jitter.
    private struct Halves: RandomNumberGenerator, Sendable {
        mutating func next() -> UInt64 { 1 << 63 }
    }

    private func plan(clients: Int, connectingMax: Int = 200) -> ConnectPlan {
        var limits = FleetLimits()
        limits.connectingMax = connectingMax
        var plan = ConnectPlan(limits: limits, random: Halves())
        for _ in 0..<clients { plan.add(at: start) }
        return plan
    }

    @Test func aBoundedNumberConnectsAtATime() {
        var plan = plan(clients: 10, connectingMax: 3)
        #expect(plan.start(at: start) == [0, 1, 2])
        let none = plan.start(at: start)
        #expect(none.isEmpty && plan.connecting == 3 && plan.waiting == 7)
        plan.succeeded(1, at: start)
        plan.failed(0, at: start)
        #expect(plan.start(at: start) == [3, 4])
        #expect(plan.connecting == 3 && plan.waiting == 6)
    }

    @Test func everyClientGetsItsTurn() {
        var plan = plan(clients: 5, connectingMax: 2)
        var turns = Array(repeating: 0, count: 5)
        var now = start
        for _ in 0..<100 {
            for client in plan.start(at: now) {
                turns[client] += 1
                plan.failed(client, at: now)
            }
            now += .seconds(5)
        }
        #expect(turns.allSatisfy { $0 == 40 })
    }

    /// The wait before each of the next tries of client 0.
    private func waits(_ plan: inout ConnectPlan, tries: Int, from begin: ContinuousClock.Instant) -> [Duration] {
        var now = begin
        return (0..<tries).map { _ in
            let failed = now
            plan.failed(0, at: now)
            while plan.start(at: now).isEmpty { now += .milliseconds(10) }
            return now - failed
        }
    }

    @Test func waitsDoubleUpToALimit() {
        var plan = plan(clients: 1)
        _ = plan.start(at: start)
        let waits = waits(&plan, tries: 8, from: start)
        #expect(waits == [150, 300, 600, 1200, 2400, 3750, 3750, 3750].map { .milliseconds($0) })
    }

    @Test func onlyAStableConnectionForgetsTheFailures() {
        var plan = plan(clients: 1)
        _ = plan.start(at: start)
        _ = waits(&plan, tries: 4, from: start)
        plan.succeeded(0, at: start)
        #expect(waits(&plan, tries: 1, from: start + .seconds(1)) == [.milliseconds(2400)])
        plan.succeeded(0, at: start + .seconds(10))
        #expect(waits(&plan, tries: 1, from: start + .seconds(30)) == [.milliseconds(150)])
    }

    @Test func whatTakesTooLongIsFound() {
        var plan = plan(clients: 3)
        _ = plan.start(at: start)
        plan.succeeded(1, at: start + .seconds(1))
        #expect(plan.overdue(at: start + .seconds(15)).isEmpty)
        #expect(plan.overdue(at: start + .seconds(16)) == [0, 2])
    }

    @Test func jitterSpreadsTheTries() {
        var limits = FleetLimits()
        limits.connectingMax = 10_000
        var plan = ConnectPlan(limits: limits)
        for _ in 0..<1000 { plan.add(at: start) }
        for client in plan.start(at: start) { plan.failed(client, at: start) }
        let early = plan.start(at: start + .milliseconds(150)).count
        #expect((300...700).contains(early))
        #expect(plan.start(at: start + .milliseconds(200)).count == 1000 - early)
    }
}
