import Model
import Simulation
import Testing
import Time

@Suite struct VirtualSensorTests {
    @Test func framesAreWholeInOrderAndOnTime() throws {
        var machine = try sensor(.vibration, hertz: 5000)
        #expect(machine.nextDue == after(0.0998))
        #expect(machine.frames(until: after(0.0997)).isEmpty)
        let frames = machine.frames(until: after(1))
        #expect(frames.count == 10)
        #expect(frames.map { $0.position?.sequence } == (0..<10).map { Int64($0) })
        for (index, frame) in frames.enumerated() {
            try frame.validate()
            #expect(frame.start == after(Double(index) * 0.1))
            #expect(frame.blocks.map(\.samples.count) == [500, 500, 500])
            #expect(frame.position?.boot == 42)
        }
    }

    @Test func slowSensorsSendSingleDoubles() throws {
        for kind in [SensorKind.climate, .odometer, .gps] {
            var slow = try sensor(kind, hertz: 9)
            let frames = slow.frames(until: after(2))
            #expect(frames.count == 19)
            for frame in frames {
                try frame.validate()
                #expect(frame.blocks.count == kind.channels.count)
                for block in frame.blocks {
                    guard case .value(let value) = block.samples else {
                        Issue.record("not a single value")
                        continue
                    }
                    #expect(value.isFinite)
                }
            }
        }
    }

    @Test func limitsOfAFrame() throws {
        let serial = try #require(SerialNumber("limits"))
        var configuration = SensorConfiguration(serial: serial, source: .kind(.vibration), seed: 1)
        configuration.rate = try rate(24_000)
        configuration.frameShape = FrameShape(nanosecondsMax: 50_000_000, samplesMax: 1000)
        var first = VirtualSensor(
            configuration: configuration, boot: 1, start: origin, library: sharedLibrary)
        #expect(first.frames(until: after(0.1)).allSatisfy { $0.length == 1000 })
        configuration.frameShape = FrameShape(nanosecondsMax: .max, samplesMax: .max)
        var second = VirtualSensor(
            configuration: configuration, boot: 1, start: origin, library: sharedLibrary)
        let frame = try #require(second.frames(until: after(3)).first)
        #expect(frame.length == 65_536)
        try frame.validate()
    }

    @Test func catchingUpComesInBlocks() throws {
        var machine = try sensor(.vibration)
        var blocks: [Int] = []
        var all: [Frame] = []
        while case let frames = machine.frames(until: after(60), atMost: 50), !frames.isEmpty {
            blocks.append(frames.count)
            all += frames
        }
        #expect(blocks == Array(repeating: 50, count: 12))
        #expect(all.compactMap { $0.position?.sequence } == (0..<600).map { Int64($0) })
        #expect(all.reduce(0) { $0 + $1.length } == 300_000)
    }

    /// Whatever is commanded and however often the sensor is polled: no sample is lost or taken twice.
    @Test(arguments: 1...8)
    func noSampleIsLostOrDoubled(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var machine = try sensor(.climate, hertz: 50)
        var frames: [Frame] = []
        var sleeps: [(from: Timestamp, to: Timestamp)] = []
        var changes: [Timestamp] = []
        var now = origin
        var asleepSince: Timestamp?
        for step in 0..<300 {
            now = now.advanced(byNanoseconds: Int64(random.uniform() * 1.5e9))
            if random.uniform() < 0.7 {
                frames += machine.frames(until: now, atMost: Int(random.next() % 4))
            } else if let since = asleepSince {
                frames += machine.receive(command("awake", id: "\(step)"), at: now).frames
                sleeps.append((since, now))
                asleepSince = nil
            } else if random.uniform() < 0.4 {
                frames += machine.receive(command("sleep", id: "\(step)"), at: now).frames
                asleepSince = now
            } else {
                let hertz = Command.Value.number([0.2, 1, 7, 30, 100][Int(random.next() % 5)])
                let change = command("change_sample_frequency", id: "\(step)", ["hertz": hertz])
                frames += machine.receive(change, at: now).frames
                changes.append(now)
            }
        }
        frames += machine.stop(at: now).frames
        #expect(frames.compactMap { $0.position?.sequence } == (0..<Int64(frames.count)).map { $0 })
        #expect(Int64(frames.times.count) == machine.instantsTaken)
        try check(frames, sleeps: sleeps, changes: changes)
    }

    private func check(
        _ frames: [Frame], sleeps: [(from: Timestamp, to: Timestamp)], changes: [Timestamp]
    ) throws {
        var last: (time: Timestamp, rate: SampleRate)?
        for frame in frames {
            let rate = try #require(frame.rate)
            for time in [frame].times {
                defer { last = (time, rate) }
                guard let last else { continue }
                #expect(time > last.time)
                if sleeps.contains(where: { last.time <= $0.from && $0.to <= time }) { continue }
                let gap = time.nanoseconds(since: last.time)
                let periods = [rate, last.rate].map { $0.nanoseconds(toSample: 1) }
                let longest = max(periods[0], periods[1])
                let wasChanged = changes.contains { last.time <= $0 && $0 <= time }
                #expect(gap <= longest + 2)
                if !wasChanged { #expect(abs(gap - periods[0]) <= 2) }
            }
        }
    }

    @Test func pollingDoesNotChangeWhatIsSampled() throws {
        func run(step: Double, limit: Int) throws -> [Frame] {
            var machine = try sensor(.vibration, hertz: 1000)
            var frames: [Frame] = []
            var second = 0.0
            while second < 4 {
                frames += machine.frames(until: after(second), atMost: limit)
                second += step
            }
            frames += machine.receive(command("sleep", id: "1"), at: after(4.0123)).frames
            frames += machine.receive(command("awake", id: "2"), at: after(5)).frames
            frames += machine.frames(until: after(5.5))
            return frames + machine.flush(at: after(6.001))
        }
        #expect(try run(step: 0.01, limit: 64) == run(step: 0.37, limit: 2))
    }

    @Test func announcementsAndWills() throws {
        var machine = try sensor(.climate)
        #expect(machine.announcementDue == origin)
        let will = machine.willConnect()
        #expect(will.state == .lost && will.connection == 1 && will.boot == 42 && will.at == nil)
        _ = machine.frames(until: after(2.5))
        machine.dropped(frames: 2)
        let announcement = machine.announcement(at: after(3))
        #expect(announcement.connection == 1 && announcement.state == .awake)
        #expect(announcement.nextSequence == 3 && announcement.framesDropped == 2)
        #expect(announcement.channels == SensorKind.climate.channels && announcement.kind == "climate")
        #expect(machine.announcementDue == after(13))
        #expect(machine.willConnect().connection == 2)
    }

    @Test func stoppingFlushesAndAnnouncesTheEnd() throws {
        var machine = try sensor(.vibration, hertz: 1000)
        let replies = machine.stop(at: after(0.25))
        #expect(replies.frames.map(\.length) == [100, 100, 51])
        #expect(replies.announcements.map(\.state) == [.stopped])
        #expect(replies.announcements.first?.nextSequence == 3)
        #expect(machine.nextDue == nil && machine.frames(until: after(9)).isEmpty)
        #expect(machine.receive(command("awake"), at: after(10)).acks.last?.outcome == .rejected)
    }

    @Test func aStandingSensorTellsItsPlaceNowAndThen() throws {
        let serial = try #require(SerialNumber("standing"))
        var configuration = SensorConfiguration(serial: serial, source: .kind(.climate), seed: 1)
        let place = GeoPosition(latitude: 1, longitude: 2, altitude: 3)
        configuration.place = place
        var standing = VirtualSensor(
            configuration: configuration, boot: 1, start: origin, library: sharedLibrary)
        let frames = standing.frames(until: after(1000), atMost: 1000)
        #expect(frames.indices.filter { frames[$0].place == place } == [0, 600])
    }

    @Test func theFirstDueComesFirst() {
        var queue = DueQueue()
        var random = SplitMix64(seed: 5)
        let times = (0..<500).map { _ in after(random.uniform()) }
        for (sensor, time) in times.enumerated() { queue.insert(sensor: sensor, at: time) }
        #expect(queue.first == times.min())
        #expect(queue.popDue(at: origin.advanced(byNanoseconds: -1)) == nil)
        var order: [Timestamp] = []
        while let sensor = queue.popDue(at: after(0.5)) { order.append(times[sensor]) }
        #expect(order == times.filter { $0 <= after(0.5) }.sorted())
        #expect(queue.count == 500 - order.count)
    }

    /// Frames that are taken later than they are complete: whatever happens, none is cut short.
    @Test func anUnpacedSensorFlushesNothing() throws {
        var unpaced = try sensor(.vibration, hertz: 1000)
        unpaced.isUnpaced = true
        let first = unpaced.frames(until: after(3600), atMost: 3)
        #expect(
            unpaced.receive(command(Command.Name.changeSampleFrequency, ["hertz": .number(500)]), at: after(3600))
                .frames.isEmpty)
        let second = unpaced.frames(until: after(3600), atMost: 2)
        #expect(second.first?.start == after(0.3), "it goes on where it was")
        #expect((first + second).map { $0.position?.sequence } == [0, 1, 2, 3, 4])
        #expect(unpaced.stop(at: after(3600)).frames.isEmpty)
    }

    @Test func theSpanOfFramesIsWhatTheyTake() throws {
        for (kind, hertz) in [(SensorKind.vibration, 5000.0), (.climate, 1), (.climate, 0.1), (.vibration, 333)] {
            var sensor = try sensor(kind, hertz: hertz)
            let span = VirtualSensor.span(ofFrames: 7, sensor.configuration)
            #expect(sensor.frames(until: origin.advanced(byNanoseconds: span - 1), atMost: 100).count == 7)
            let next = sensor.frames(until: origin.advanced(byNanoseconds: 2 * span), atMost: 1)
            #expect(next.first?.start == origin.advanced(byNanoseconds: span))
        }
        #expect(VirtualSensor.span(ofFrames: .max, try sensor(.climate).configuration) > 0)
    }
}
