import Model
import Records
import Testing
import Time

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
        #expect(watch.note(said, from: "a").isEmpty, "the state before is unknown")
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
        #expect(watch.note(announcement(connection: 3, .lost), from: "a").isEmpty, "it had closed gracefully")
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

    private func record(_ id: String, sends: Int64 = 0, age: Duration) -> CommandRecord {
        CommandRecord(
            id: id, serial: "a", name: "awake", argumentsJSON: "{}", issuer: "me", state: "queued", reason: "",
            sends: sends, age: age)
    }

    @Test func openCommandsAreKnown() {
        var watch = CommandWatch()
        watch.note(open: [
            record("new", age: .seconds(1)), record("old", age: .seconds(60)),
            record("again", sends: 1, age: .seconds(1)),
        ])
        // The message of the newest was on its way when the state was read.
        #expect(watch.note(command("new"), for: "a") == nil)
        #expect(watch.note(command("new"), for: "a")?.event == "sent_again")
        #expect(watch.note(command("old"), for: "a")?.event == "sent_again")
        #expect(watch.note(command("again"), for: "a")?.event == "sent_again")
        #expect(watch.note(Ack(id: "old", outcome: .succeeded, at: nil), from: "a")?.name == "sleep")
    }

    @Test func anActiveAlarmIsNotToldTwice() {
        var watch = AlarmWatch(active: ["a", "b"])
        #expect(!watch.isNew(.trigger, of: "a") && watch.isNew(.clear, of: "a") && watch.isNew(.trigger, of: "a"))
        #expect(watch.isNew(.clear, of: "b") && watch.isNew(.trigger, of: "b") && watch.isNew(.trigger, of: "c"))
    }

    @Test func theStateIsEachPropertyThatIsKnown() {
        let present = known().present
        #expect(told(present).prefix(3) == ["boot_id null>5", "presence null>online", "state null>awake"])
        #expect(present.allSatisfy { $0.serial == "a" && $0.before == .null && $0.after != .null })
        #expect(SensorWatch([]).present.isEmpty)
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
            memory.isNew(line(text), from: "a", received: Timestamp(unixMilliseconds: milliseconds))
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
        let isNew = memory.isNew(line("w"), from: "b", received: Timestamp(unixMilliseconds: 5))
        #expect(isNew, "of another sensor")
    }

    @Test func linesOfSeveralSensorsBeginWithTheSerialNumber() {
        func line(_ serials: [String]) -> String {
            record("on", at: 1).line(SerialColumn(serials)).line(Style(isColoured: false))
        }
        #expect(line(["a"]) == "-  info     on")
        #expect(line(["a", "press-4"]) == "a        -  info     on")
    }
}
