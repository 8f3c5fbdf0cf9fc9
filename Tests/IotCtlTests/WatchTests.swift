import Sensors
import Testing

@testable import Store
@testable import iotctl

@Suite struct WatchTests {
    private func announcement(
        boot: Int64 = 5, connection: Int64 = 1, _ state: Announcement.State = .awake, hertz: Double? = 1000
    ) -> Announcement {
        Announcement(
            boot: boot, connection: connection, kind: "vibration", firmware: "1.0", state: state,
            rate: hertz.flatMap { SampleRate(hertz: $0) }, nextSequence: 0, framesDropped: 0, channels: [], at: nil)
    }

    private func known(boot: Int64 = 5) -> SensorWatch {
        SensorWatch([
            SensorSummary(
                serial: "a", kind: "vibration", firmware: "1.0", state: "awake", presence: "online",
                rate: SampleRate(hertz: 1000), tagsJSON: "{}", boot: boot, framesDropped: 0)
        ])
    }

    private func told(_ changes: [SensorChange]) -> [String] {
        changes.map { "\($0.property) \($0.before.plain)>\($0.after.plain)" }
    }

    @Test func onlyChangesAreTold() {
        var watch = known()
        #expect(watch.note(announcement(), from: "a").isEmpty)
        #expect(
            told(watch.note(announcement(.asleep, hertz: 500), from: "a")) == [
                "state awake>asleep", "rate_hz 1000>500",
            ])
        #expect(watch.note(announcement(.asleep, hertz: nil), from: "a").isEmpty, "what it does not say is no change")
        #expect(told(watch.note(announcement(.stopped), from: "a")).first == "presence online>offline")
        #expect(
            told(watch.note(announcement(boot: 6), from: "a")).prefix(2) == ["boot_id 5>6", "presence offline>online"])
    }

    @Test func whatItReportsIsToldWhenItChanges() {
        var watch = known()
        var said = announcement()
        said.properties = ["location.name": .text("Hall 3"), "gain": .number(2)]
        #expect(watch.note(said, from: "a").isEmpty, "nobody knows what it was before")
        said.properties["gain"] = .number(3)
        #expect(told(watch.note(said, from: "a")) == ["reported.gain 2>3"])
        _ = watch.note(announcement(.lost), from: "a")
        said.properties["location.name"] = nil
        #expect(
            told(watch.note(said, from: "a")) == ["presence lost>online", "reported.location.name Hall 3>null"])
    }

    @Test func aWillCountsOnlyForItsOwnConnection() {
        var watch = known()
        #expect(watch.note(announcement(boot: 4, .lost), from: "a").isEmpty, "of an older start")
        #expect(told(watch.note(announcement(connection: 2, .lost), from: "a")) == ["presence online>lost"])
        #expect(told(watch.note(announcement(connection: 3), from: "a")) == ["presence lost>online"])
        #expect(watch.note(announcement(connection: 2, .lost), from: "a").isEmpty, "of an older connection")
        _ = watch.note(announcement(connection: 3, .stopped), from: "a")
        #expect(watch.note(announcement(connection: 3, .lost), from: "a").isEmpty, "it had said good-bye")
    }

    @Test func aSensorThatNobodyKnewIsTold() {
        var watch = known()
        let changes = watch.note(announcement(), from: "b")
        #expect(changes.allSatisfy { $0.serial == "b" && $0.before == .null })
        #expect(
            changes.map(\.property) == [
                "boot_id", "presence", "state", "rate_hz", "kind", "firmware", "frames_dropped",
            ])
        #expect(watch.note(announcement(), from: "b").isEmpty)
    }

    private func command(_ id: String = "c1") -> Command {
        Command(id: id, name: "sleep", issued: Timestamp(unixMilliseconds: 0), expires: nil, issuer: "me")
    }

    @Test func aCommandsLifeIsTold() {
        var watch = CommandWatch()
        #expect(watch.note(command(), for: "a")?.event == "queued")
        #expect(watch.note(command(), for: "a")?.event == "sent_again")
        let answers: [(Ack.Outcome, String, String)] = [
            (.received, "", "delivered"), (.succeeded, "", "succeeded"), (.failed, "no", "failed"),
            (.rejected, "busy", "rejected"), (.rejected, Ack.expired, "expired"),
        ]
        for (outcome, reason, event) in answers {
            let told = watch.note(Ack(id: "c1", outcome: outcome, reason: reason, at: nil), from: "a")
            #expect(told?.event == event && told?.name == "sleep" && told?.serial == "a")
            #expect(told?.reason == (event == "expired" ? "" : reason))
        }
        let unseen = watch.note(Ack(id: "c2", outcome: .received, at: nil), from: "a")
        #expect(unseen?.event == "delivered" && unseen?.name == nil)
        #expect(watch.note(Command.time(Timestamp(unixMilliseconds: 0), id: "x"), for: "a") == nil)
        #expect(watch.note(Ack(id: "time:x", outcome: .succeeded, at: nil), from: "a") == nil)
    }

    @Test func namesAreForgottenInTime() {
        var watch = CommandWatch()
        for number in 0...(2 * CommandWatch.rememberedMax) { _ = watch.note(command("c\(number)"), for: "a") }
        #expect(watch.note(Ack(id: "c0", outcome: .received, at: nil), from: "a")?.name == nil)
        let last = "c\(2 * CommandWatch.rememberedMax)"
        #expect(watch.note(Ack(id: last, outcome: .received, at: nil), from: "a")?.name == "sleep")
        #expect(watch.note(command(last), for: "a")?.event == "sent_again")
    }

    private func line(_ text: String) -> LogLine { LogLine(at: nil, level: .info, text: text, boot: 1) }

    private func record(_ text: String, at milliseconds: Int64) -> LogRecord {
        LogRecord(
            time: nil, receivedAt: Timestamp(unixMilliseconds: milliseconds), serial: "a", boot: 1, level: .info,
            text: text)
    }

    @Test func aLogLineIsShownOnce() {
        var memory = LogMemory()
        func isNew(_ text: String, at milliseconds: Int64) -> Bool {
            memory.isNew(line(text), received: Timestamp(unixMilliseconds: milliseconds))
        }
        // Two of the same within a millisecond are two.
        let stored = [record("x", at: 1), record("x", at: 1), record("y", at: 2)]
        #expect(memory.news(ofStored: stored) == stored)
        #expect(memory.news(ofStored: stored).isEmpty)
        #expect(!isNew("x", at: 1) && !isNew("x", at: 1) && isNew("x", at: 1), "the third is new")
        #expect(isNew("y", at: 3) && !isNew("y", at: 2) && isNew("z", at: 4))
        // What was heard first is not told again by the table.
        let later = stored + [record("x", at: 1), record("z", at: 4), record("w", at: 5)]
        #expect(memory.news(ofStored: later).map(\.text) == ["w"])
    }
}
