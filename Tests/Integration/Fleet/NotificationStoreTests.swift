import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// The outbox of notifications.
    @Suite struct Notifications {
        private let time = Timestamp(unixMilliseconds: 1_763_728_440_000)
        private let all = AlarmSubscription(receiver: "all")
        private let critical = AlarmSubscription(receiver: "critical", severities: [.critical])

        private func alarm(
            _ edge: Alarm.Edge, _ id: String, _ severity: Alarm.Severity = .critical
        ) throws -> (edge: Alarm.Edge, heard: Received<Alarm>) {
            let serial = try #require(SerialNumber("a"))
            var alarm = Alarm(
                id: id, rule: "limit:x:high", severity: severity, channel: 3, value: 6, limit: 5,
                at: edge == .trigger ? time : time.advanced(bySeconds: 9), position: nil, text: "x is high")
            alarm.channelName = "x"
            return (edge, Received(serial: serial, received: time, content: alarm))
        }

        private func migrated(_ body: (StoreConnection) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await body(system.store)
            }
        }

        private func waiting(_ store: StoreConnection, _ receiver: String) async throws -> [String] {
            try await store.waitingNotifications(of: receiver, atMost: 100).due.map(\.id)
        }

        @Test func aChangeIsWrittenOnceForEachReceiverThatWantsIt() async throws {
            try await migrated { store in
                for _ in 0..<2 {
                    try await store.record(
                        alarms: [try alarm(.trigger, "A"), try alarm(.trigger, "B", .info), try alarm(.clear, "A")],
                        notifying: [all, critical])
                }
                #expect(try await waiting(store, "all") == ["A/trigger", "B/trigger", "A/clear"])
                #expect(try await waiting(store, "critical") == ["A/trigger", "A/clear"])
                // A clear that overtook its trigger waits for it.
                try await store.record(alarms: [try alarm(.clear, "C")], notifying: [critical])
                #expect(try await waiting(store, "critical").count == 2)
                try await store.record(alarms: [try alarm(.trigger, "C")], notifying: [critical])
                #expect(try await waiting(store, "critical").suffix(2) == ["C/trigger", "C/clear"])
                // The clear goes to those that were told, whatever the file says by then.
                try await store.record(alarms: [try alarm(.clear, "B", .info)], notifying: [])
                #expect(try await waiting(store, "all").last == "B/clear")
            }
        }

        @Test func anEndIsNotToldBeforeItsBegin() async throws {
            try await migrated { store in
                try await store.record(
                    alarms: [try alarm(.trigger, "A"), try alarm(.clear, "A"), try alarm(.trigger, "B")],
                    notifying: [all])
                let first = try #require(try await store.waitingNotifications(of: "all", atMost: 1).due.first)
                try await store.failed(
                    [first.number], to: "all", because: "422", pause: .seconds(60), isReceivers: false)
                #expect(try await waiting(store, "all") == ["B/trigger"])
                #expect(try await store.waitingNotifications(of: "all", atMost: 1).count == 3)
            }
        }

        @Test func activeAlarmsAreReadInPages() async throws {
            try await migrated { store in
                try await store.record(alarms: try (0..<5).map { try alarm(.trigger, "A\($0)") }, notifying: [all])
                #expect(try await store.activeNotifications(of: "all", after: "", atMost: 9).isEmpty)
                let due = try await store.waitingNotifications(of: "all", atMost: 9).due
                try await store.delivered(due.map(\.number), to: "all")
                try await store.record(alarms: [try alarm(.clear, "A1")], notifying: [all])
                let page = try await store.activeNotifications(of: "all", after: "", atMost: 2)
                #expect(page.map(\.alarm) == ["A0", "A2"])
                #expect(
                    try await store.activeNotifications(of: "all", after: "A2", atMost: 9).map(\.alarm) == ["A3", "A4"])
                #expect(page[0].serial == "a" && page[0].channel == "x" && page[0].raisedAt == time)
            }
        }

        @Test func aReceiverHasOneHolder() async throws {
            try await migrated { store in
                let receivers = [(name: "r", kind: "mail"), (name: "s", kind: "webhook")]
                #expect(try await store.holdReceivers(receivers, as: "one") == ["r", "s"])
                #expect(try await store.holdReceivers(receivers, as: "two").isEmpty)
                #expect(try await store.holdReceivers(receivers, as: "one") == ["r", "s"])
                try await store.releaseReceivers(heldBy: "one")
                #expect(try await store.holdReceivers(receivers, as: "two") == ["r", "s"])
                try await store.run("UPDATE notification_receiver SET held_until = now() WHERE receiver = 'r'")
                #expect(try await store.holdReceivers(receivers, as: "one") == ["r"])
            }
        }

        @Test func whatNobodyWaitsForIsGivenUp() async throws {
            try await migrated { store in
                try await store.record(alarms: [try alarm(.trigger, "A")], notifying: [all, critical])
                #expect(try await store.giveUp("all", olderThan: .seconds(3600)) == 0)
                #expect(try await store.forgetReceivers() == 0)
                try await store.run("UPDATE notification SET created_at = now() - interval '25 h'")
                #expect(try await store.giveUp("all", olderThan: .seconds(86_400)) == 1)
                #expect(try await store.forgetReceivers() == 1)
                // Who was not told of the begin is not told of the end.
                try await store.record(alarms: [try alarm(.clear, "A")], notifying: [all])
                #expect(try await waiting(store, "all").isEmpty)
                let records = try await store.notifications(ofAlarm: "A")
                #expect(records.count == 2 && records.allSatisfy { $0.givenUp != nil && $0.delivered == nil })
            }
        }
    }
}
