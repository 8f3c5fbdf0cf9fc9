import Model
import SampleFiles
import Simulation
import Testing

@Suite struct CommandTests {
    @Test func sleepFlushesThenAnswers() throws {
        var machine = try sensor(.vibration, hertz: 1000)
        _ = machine.frames(until: after(0.2))
        let replies = machine.receive(command("sleep"), at: after(0.2305))
        guard replies.count == 5, case .ack(let received) = replies[0], case .frame(let frame) = replies[1],
            case .ack(let final) = replies[2], case .announcement(let announcement) = replies[3],
            case .log(let line) = replies[4]
        else {
            Issue.record("not received, frame, answer, announcement, log: \(replies.count) replies")
            return
        }
        #expect(received == Ack(id: "c1", outcome: .received, at: after(0.2305)))
        #expect(frame.length == 31 && frame.start == after(0.2))
        #expect(final == Ack(id: "c1", outcome: .succeeded, at: after(0.2305)))
        #expect(announcement.state == .asleep && announcement.nextSequence == 3)
        #expect(line.level == .info && line.boot == 42)
        #expect(machine.nextDue == nil && machine.frames(until: after(60)).isEmpty)
    }

    @Test func sleepWhenAsleepSucceeds() throws {
        var machine = try sensor(.climate)
        _ = machine.receive(command("sleep", id: "1"), at: after(1))
        let replies = machine.receive(command("sleep", id: "2"), at: after(2))
        #expect(replies.acks.map(\.outcome) == [.received, .succeeded] && replies.frames.isEmpty)
        #expect(machine.state == .asleep)
    }

    @Test func awakeSamplesAtOnce() throws {
        var machine = try sensor(.climate)
        _ = machine.receive(command("sleep", id: "1"), at: after(0.5))
        let replies = machine.receive(command("awake", id: "2"), at: after(100.25))
        #expect(replies.acks.last?.outcome == .succeeded && replies.announcements.first?.state == .awake)
        let frames = machine.frames(until: after(101.5))
        #expect(frames.map(\.start) == [after(100.25), after(101.25)])
        #expect(frames.first?.position?.sequence == 1)
        #expect(machine.receive(command("awake", id: "3"), at: after(101.6)).acks.last?.outcome == .succeeded)
        #expect(machine.nextDue == after(102.25))
    }

    @Test func changeFrequency() throws {
        var machine = try sensor(.vibration, hertz: 1000)
        let replies = machine.receive(
            command("change_sample_frequency", ["hertz": .number(2500)]), at: after(0.0505))
        #expect(replies.frames.map(\.length) == [51])
        #expect(replies.acks.map(\.outcome) == [.received, .succeeded])
        #expect(replies.announcements.first?.rate?.hertz == 2500 && machine.rate.hertz == 2500)
        let frame = try #require(machine.frames(until: after(0.2)).first)
        #expect(frame.length == 250 && frame.rate?.hertz == 2500 && frame.start == after(0.0505))
        #expect(frame.position?.sequence == 1)
    }

    @Test func changeFrequencyWhileAsleep() throws {
        var machine = try sensor(.climate)
        _ = machine.receive(command("sleep", id: "1"), at: after(1.5))
        _ = machine.receive(command("change_sample_frequency", id: "2", ["hertz": .number(4)]), at: after(2))
        #expect(machine.nextDue == nil)
        _ = machine.receive(command("awake", id: "3"), at: after(3))
        #expect(machine.frames(until: after(3.5)).times == [after(3), after(3.25), after(3.5)])
    }

    static let badRates: [([String: Command.Value], String)] = [
        ([:], "argument hertz is missing"),
        (["hertz": .text("5")], "argument hertz is not a number"),
        (["hertz": .flag(true)], "argument hertz is not a number"), (["hertz": .number(0)], "is not a sample rate"),
        (["hertz": .number(-1)], "is not a sample rate"), (["hertz": .number(.nan)], "is not a sample rate"),
        (["hertz": .number(.infinity)], "is not a sample rate"), (["hertz": .number(1e300)], "is not a sample rate"),
        (["hertz": .number(200_001)], "too fast for vibration, at most 200000 Hz"),
    ]

    @Test(arguments: badRates)
    func badFrequencies(arguments: [String: Command.Value], reason: String) throws {
        var machine = try sensor(.vibration, hertz: 1000)
        let replies = machine.receive(command("change_sample_frequency", arguments), at: after(0.05))
        #expect(replies.acks.map(\.outcome) == [.received, .rejected])
        #expect(replies.acks.last?.reason.contains(reason) == true, "\(String(describing: replies.acks.last?.reason))")
        #expect(replies.frames.isEmpty && replies.announcements.isEmpty)
        #expect(replies.lines.map(\.level) == [.warning] && machine.rate.hertz == 1000)
    }

    @Test func recordingsKeepTheirRate() throws {
        let recording = try Recording(csv: Array("a\n1\n2\n".utf8), rate: rate(10))
        let serial = try #require(SerialNumber("tape"))
        var tape = VirtualSensor(
            configuration: SensorConfiguration(serial: serial, source: .recording(recording), seed: 1), boot: 1,
            start: origin, library: sharedLibrary)
        let acks = tape.receive(command("change_sample_frequency", ["hertz": .number(5)]), at: origin).acks
        #expect(acks.last?.outcome == .rejected && acks.last?.reason.contains("own rate, 10 Hz") == true)
    }

    @Test func unknownCommands() throws {
        var machine = try sensor(.climate)
        let acks = machine.receive(command(String(repeating: "ü", count: 5000)), at: origin).acks
        #expect(acks.map(\.outcome) == [.received, .rejected])
        let reason = try #require(acks.last?.reason)
        #expect(reason.hasPrefix("unknown command ü") && reason.utf8.count <= 256)
    }

    @Test func expiredCommandsAreNotRun() throws {
        var machine = try sensor(.climate)
        let late = machine.receive(command("sleep", id: "late", expires: after(5)), at: after(5.000000001))
        #expect(late.acks.map(\.outcome) == [.received, .rejected] && late.acks.last?.reason == Ack.expired)
        #expect(machine.state == .awake)
        let inTime = machine.receive(command("sleep", id: "in time", expires: after(6)), at: after(6))
        #expect(inTime.acks.last?.outcome == .succeeded && machine.state == .asleep)
    }

    @Test func aCommandDeliveredTwiceRunsOnce() throws {
        var machine = try sensor(.climate)
        let first = machine.receive(command("sleep", id: "a"), at: after(1))
        _ = machine.receive(command("awake", id: "b"), at: after(2))
        let again = machine.receive(command("sleep", id: "a"), at: after(3))
        #expect(again == [.ack(try #require(first.acks.last))] && machine.state == .awake)
        let rejected = machine.receive(command("dance", id: "c"), at: after(4)).acks.last
        #expect(machine.receive(command("dance", id: "c"), at: after(5)) == [.ack(try #require(rejected))])
    }

    @Test func theLast256AreRemembered() throws {
        var machine = try sensor(.climate)
        for index in 0..<300 { _ = machine.receive(command("awake", id: "\(index)"), at: after(1)) }
        for index in 44..<300 { #expect(machine.receive(command("awake", id: "\(index)"), at: after(2)).count == 1) }
        #expect(machine.receive(command("awake", id: "43"), at: after(2)).acks.count == 2)
    }
}
