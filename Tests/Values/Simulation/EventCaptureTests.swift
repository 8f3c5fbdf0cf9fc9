import Model
import SampleFiles
import Testing
import Time

@testable import Simulation

@Suite struct EventCaptureTests {
    private let settings = CaptureSettings(
        beforeNanoseconds: 2_000_000_000, afterNanoseconds: 1_000_000_000, bytesMax: 4 << 20)

    /// A sensor that plays a square wave of 1 kHz and a ramp, 700 samples long, from `origin` on.
    private func square(_ settings: CaptureSettings? = nil) throws -> (sensor: VirtualSensor, values: [[Double]]) {
        let values = (0..<700).map { [$0 / 50 % 2 == 0 ? 1.0 : -1.0, Double($0)] }
        let text = "square,ramp\n" + values.map { "\($0[0]),\($0[1])\n" }.joined()
        let recording = try Recording(bytes: Array(text.utf8), rate: try rate(1000))
        let serial = try #require(SerialNumber("square"))
        let sensor = VirtualSensor(
            configuration: SensorConfiguration(serial: serial, source: .recording(recording), seed: 1), boot: 42,
            start: origin, library: sharedLibrary, captures: settings ?? self.settings)
        return (sensor, values)
    }

    private func alarm(_ id: String = "a1", at seconds: Double, boot: Int64? = 42) -> Alarm {
        Alarm(
            id: id, rule: "limit:square:high", channel: 0, value: 1, limit: 0.5, at: after(seconds),
            position: boot.map { FramePosition(boot: $0, sequence: 0) }, text: "\(id) is high")
    }

    /// Polls a sensor every 50 ms until `end`.
    private func run(
        _ sensor: inout VirtualSensor, from start: Double, to end: Double
    ) -> (live: [Frame], replies: [Reply]) {
        var (live, replies): ([Frame], [Reply]) = ([], [])
        for step in Int((start / 0.05).rounded())...Int((end / 0.05).rounded()) {
            let now = after(Double(step) * 0.05)
            live += sensor.frames(until: now)
            replies += sensor.captured(until: now)
        }
        return (live, replies)
    }

    /// The samples that lie in the window of a mark, by time.
    private func inside(_ mark: CaptureMark, _ frames: [Frame]) -> [Timestamp] {
        frames.flatMap { [$0].times }.filter { $0 >= mark.from && $0 < mark.to }
    }

    @Test func theSamplesAroundTheTriggerAreSentExactly() throws {
        var (sensor, values) = try square()
        var live = run(&sensor, from: 0, to: 5.1).live
        var replies = sensor.hear(alarm(at: 4.95), .trigger, at: after(5.13))
        #expect(replies.acks == [Ack(id: "a1", outcome: .received, at: after(5.13), isOfAlarm: true)])
        #expect(sensor.captureDue != nil)
        let rest = run(&sensor, from: 5.15, to: 8)
        live += rest.live
        replies += rest.replies
        let frames = replies.frames
        let mark = CaptureMark(alarm: "a1", from: after(2.95), to: after(5.95), samples: 3000)
        for frame in frames {
            try frame.validate()
            #expect(frame.captures == [mark] && frame.rate?.hertz == 1000)
        }
        #expect(frames.times == (2950..<5950).map { after(Double($0) / 1000) })
        for channel in 0...1 {
            #expect(frames.samples(channel: channel) == (2950..<5950).map { values[$0 % 700][channel] })
        }
        #expect(replies.acks.map(\.outcome) == [.received, .succeeded])
        #expect(sensor.captureDue == nil, "no more work")
        // One numbering for the channel's own frames and those of the capture: the audit counts both.
        let numbers = (live + frames).compactMap { $0.position?.sequence }
        #expect(numbers.sorted() == (0..<Int64(numbers.count)).map { $0 })
        #expect(live.allSatisfy { !$0.isCapture } && live.times.count == 8000)
    }

    /// The sensor publishes 10 Hz, and captures what it would have published at its own rate.
    @Test func theFullRateIsCapturedWhateverIsPublished() throws {
        let serial = try #require(SerialNumber("slow"))
        var configuration = SensorConfiguration(serial: serial, source: .kind(.vibration), seed: 7)
        configuration.rate = try rate(1000)
        func make() -> VirtualSensor {
            VirtualSensor(
                configuration: configuration, boot: 42, start: origin, library: sharedLibrary, captures: settings)
        }
        var (sensor, twin) = (make(), make())
        _ = run(&sensor, from: 0, to: 3)
        let replies = sensor.receive(
            command("change_sample_frequency", ["hertz": .number(10)]), at: after(3))
        #expect(replies.acks.map(\.outcome) == [.received, .succeeded])
        let slow = run(&sensor, from: 3.05, to: 8)
        #expect(slow.live.allSatisfy { $0.rate?.hertz == 10 } && slow.replies.isEmpty)
        var captured = sensor.hear(alarm(at: 7.5), .trigger, at: after(8)).frames
        captured += run(&sensor, from: 8.05, to: 9).replies.frames
        #expect(captured.times == (5500..<8500).map { after(Double($0) / 1000) })
        #expect(captured.allSatisfy { $0.rate?.hertz == 1000 })
        let published = twin.frames(until: after(10), atMost: .max)
        for channel in 0..<3 {
            #expect(
                captured.samples(channel: channel) == Array(published.samples(channel: channel)[5500..<8500]))
        }
    }

    /// A rate above the sensor's own is recorded from then on; captures that are running keep theirs.
    @Test func aHigherRateIsRecordedWhenNoCaptureRuns() throws {
        var machine = VirtualSensor(
            configuration: try sensor(.vibration, hertz: 1000).configuration, boot: 42, start: origin,
            library: sharedLibrary, captures: settings)
        _ = run(&machine, from: 0, to: 3)
        var frames = machine.hear(alarm(at: 2.9), .trigger, at: after(3)).frames
        _ = machine.receive(command("change_sample_frequency", ["hertz": .number(4000)]), at: after(3.1))
        let first = run(&machine, from: 3.15, to: 6)
        frames += first.replies.frames
        #expect(frames.times == (900..<3900).map { after(Double($0) / 1000) })
        #expect(first.replies.acks.map(\.outcome) == [.succeeded])
        frames = machine.hear(alarm("a2", at: 5.9), .trigger, at: after(6)).frames
        frames += run(&machine, from: 6.05, to: 8).replies.frames
        let mark = try #require(frames.first?.captures.first)
        #expect(frames.allSatisfy { $0.rate?.hertz == 4000 })
        #expect(Int64(inside(mark, frames).count) == mark.samples && mark.samples > 4000)
        #expect(mark.from >= after(3.9), "samples at the old rate are no part of it")
    }

    @Test func aTriggerIsCapturedOnceAndAClearNotAtAll() throws {
        var (sensor, _) = try square()
        _ = run(&sensor, from: 0, to: 5)
        #expect(sensor.hear(alarm(at: 4.9), .clear, at: after(5)).isEmpty)
        var frames = sensor.hear(alarm(at: 4.9), .trigger, at: after(5)).frames
        let again = sensor.hear(alarm(at: 4.9), .trigger, at: after(5.01))
        #expect(again == [.ack(Ack(id: "a1", outcome: .received, at: after(5), isOfAlarm: true))])
        frames += run(&sensor, from: 5.05, to: 7).replies.frames
        #expect(frames.times.count == 3000)
        let late = sensor.hear(alarm(at: 4.9), .trigger, at: after(7))
        #expect(late.acks.map(\.outcome) == [.succeeded] && late.count == 1)
        #expect(run(&sensor, from: 7.05, to: 9).replies.isEmpty)
    }

    /// Alarms that overlap share their samples: each is sent once, and each window is whole.
    @Test(arguments: 1...4)
    func overlappingCapturesShareTheirSamples(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var limits = settings
        limits.perHourMax = 1000
        var (sensor, values) = try square(limits)
        var replies: [Reply] = []
        var now = 0.0
        var heard = 0
        while now < 30 {
            now += random.uniform() * 0.3
            if random.uniform() < 0.2 {
                heard += 1
                replies += sensor.hear(
                    alarm("a\(heard)", at: now - random.uniform() * 3), .trigger, at: after(now))
            } else {
                replies += sensor.captured(until: after(now))
            }
        }
        replies += sensor.captured(until: after(50))
        let frames = replies.frames
        let times = frames.times
        #expect(Set(times).count == times.count, "no sample is sent twice")
        let marks = Set(frames.flatMap(\.captures))
        let succeeded = replies.acks.filter { $0.outcome == .succeeded }.map(\.id)
        #expect(succeeded.count > 10 && Set(marks.map(\.alarm)) == Set(succeeded))
        for mark in marks {
            #expect(Int64(inside(mark, frames).count) == mark.samples, "\(mark)")
            // A sensor that has just started may have less.
            #expect(mark.from == origin || mark.to >= mark.from.advanced(byNanoseconds: 1_000_000_000))
        }
        for frame in frames {
            #expect(frame.captures.count <= FrameLimits.capturesMax)
            let start = try #require(frame.start).nanoseconds(since: origin) / 1_000_000
            #expect(frame.blocks[1].samples[0] == values[Int(start) % 700][1])
        }
    }

    private func refusal(_ replies: [Reply]) -> String? {
        #expect(replies.frames.isEmpty && replies.acks.count == 1)
        return replies.acks.first.flatMap { $0.outcome == .rejected ? $0.reason : nil }
    }

    @Test func whatCannotBeCapturedIsRejectedWithTheReason() throws {
        var (sensor, _) = try square()
        _ = run(&sensor, from: 0, to: 30)
        let now = after(30)
        let other = sensor.hear(alarm("other", at: 29, boot: 41), .trigger, at: now)
        #expect(refusal(other) == "an earlier start of the sensor took its samples")
        #expect(other.lines.map(\.level) == [.warning])
        // 2 s before and 5 s in reserve are kept.
        #expect(refusal(sensor.hear(alarm("old", at: 21), .trigger, at: now)) == "its samples are no longer in memory")
        #expect(
            refusal(sensor.hear(alarm("ahead", at: 32), .trigger, at: now)) == "the alarm's time lies in the future")
        // Without a number of a frame the time decides.
        #expect(!sensor.hear(alarm("json", at: 29, boot: nil), .trigger, at: now).frames.isEmpty)
        _ = sensor.receive(command("sleep"), at: after(30.1))
        #expect(refusal(sensor.hear(alarm("asleep", at: 30), .trigger, at: after(31))) == "the sensor does not sample")
    }

    @Test func anHourHasSoManyCaptures() throws {
        var limits = settings
        limits.perHourMax = 3
        var (sensor, _) = try square(limits)
        var outcomes: [Ack.Outcome] = []
        for (index, seconds) in [10.0, 20, 30, 40, 3600, 3611, 3612, 3623].enumerated() {
            _ = sensor.captured(until: after(seconds))
            outcomes += sensor.hear(alarm("a\(index)", at: seconds - 0.1), .trigger, at: after(seconds)).acks.prefix(1)
                .map(\.outcome)
            _ = run(&sensor, from: seconds + 0.05, to: seconds + 2)
        }
        #expect(
            outcomes == [.received, .received, .received, .rejected, .rejected, .received, .rejected, .received])
    }

    @Test func atMostSixteenCapturesRunAtOnce() throws {
        var (sensor, _) = try square()
        _ = run(&sensor, from: 0, to: 5)
        let outcomes = (1...18).flatMap {
            sensor.hear(alarm("a\($0)", at: 4.9), .trigger, at: after(5)).acks.prefix(1).map(\.outcome)
        }
        #expect(outcomes == Array(repeating: .received, count: 16) + [.rejected, .rejected])
        let frames = run(&sensor, from: 5.05, to: 7).replies.frames
        #expect(!frames.isEmpty && frames.allSatisfy { $0.captures.count == 16 })
    }

    /// What ends sampling ends captures: they fail, and are never complete.
    @Test(arguments: [true, false])
    func aSensorThatStopsSaysThatTheCaptureFailed(sleeps: Bool) throws {
        var (sensor, _) = try square()
        _ = run(&sensor, from: 0, to: 5)
        var replies = sensor.hear(alarm(at: 4.9), .trigger, at: after(5))
        replies += run(&sensor, from: 5.05, to: 5.4).replies
        replies += sleeps ? sensor.receive(command("sleep"), at: after(5.43)) : sensor.stop(at: after(5.43))
        let captured = replies.frames.filter(\.isCapture)
        let mark = try #require(captured.first?.captures.first)
        #expect(mark.samples == 3000 && inside(mark, captured).count == 2531, "2.9 … 5.43 s")
        let end = try #require(replies.acks.last { $0.isOfAlarm })
        #expect(end.outcome == .failed && end.reason.contains(sleeps ? "sleep" : "stopped"))
        if !sleeps { return }
        // It wakes up with an empty slate, and knows that the capture has ended.
        _ = sensor.receive(command("awake", id: "c2"), at: after(6))
        #expect(run(&sensor, from: 6.05, to: 9).replies.isEmpty)
        #expect(sensor.hear(alarm(at: 4.9), .trigger, at: after(9)).acks.map(\.outcome) == [.failed])
    }

    @Test func aYoungSensorCapturesWhatItHas() throws {
        var (sensor, _) = try square()
        _ = run(&sensor, from: 0, to: 0.5)
        var replies = sensor.hear(alarm(at: 0.3), .trigger, at: after(0.5))
        replies += run(&sensor, from: 0.55, to: 3).replies
        let mark = try #require(replies.frames.first?.captures.first)
        #expect(mark == CaptureMark(alarm: "a1", from: origin, to: after(1.3), samples: 1300))
        #expect(replies.frames.times.count == 1300 && replies.acks.map(\.outcome) == [.received, .succeeded])
    }

    /// A ring with room for half a second: the capture begins later, and what follows the trigger is whole.
    @Test func aSmallRingCapturesLessBefore() throws {
        var limits = settings
        limits.bytesMax = 5000
        var (sensor, _) = try square(limits)
        _ = run(&sensor, from: 0, to: 5)
        var replies = sensor.hear(alarm(at: 4.9), .trigger, at: after(5))
        // Polled late: nothing that is wanted may leave the ring before it is taken.
        replies += sensor.captured(until: after(9))
        let mark = try #require(replies.frames.first?.captures.first)
        #expect(mark.from > after(4) && mark.from < after(4.9) && mark.to == after(5.9))
        #expect(Int64(inside(mark, replies.frames).count) == mark.samples)
    }

    @Test func withoutCapturesAnAlarmIsHeardOnly() throws {
        var plain = try sensor(.climate)
        _ = plain.frames(until: after(5))
        let replies = plain.hear(alarm(at: 4), .trigger, at: after(5))
        #expect(replies.acks.map(\.outcome) == [.received] && replies.frames.isEmpty && replies.lines.count == 1)
        #expect(plain.captureDue == nil && plain.captured(until: after(9)).isEmpty)
    }

    /// A sensor that nobody polled for an hour computes what its memory holds, not the hour.
    @Test func anIdleHourIsSkipped() throws {
        var (sensor, values) = try square()
        #expect(sensor.captured(until: after(3600)).isEmpty)
        let frames = sensor.hear(alarm(at: 3600), .trigger, at: after(3600)).frames
        let start = try #require(frames.first?.start).nanoseconds(since: origin) / 1_000_000
        #expect(start == 3_598_000 && frames.times.count == 2000)
        #expect(frames[0].blocks[1].samples[0] == values[Int(start) % 700][1])
    }
}
