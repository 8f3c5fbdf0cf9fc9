import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Frames of event captures: stored apart from the channel, once, and counted by what is there.
    @Suite struct StoringCaptures {
        private let start = Timestamp(unixMilliseconds: 1_763_728_439_000)

        private func frame(_ sequence: Int64, from first: Int, count: Int, _ marks: [CaptureMark] = []) -> Frame {
            var frame = Frame(
                position: FramePosition(boot: 7, sequence: sequence),
                start: start.advanced(byNanoseconds: Int64(first) * 1_000_000), rate: SampleRate(hertz: 1000),
                blocks: (0...1).map { channel in
                    Block(
                        channel: .number(Int16(channel)),
                        samples: .floats((0..<count).map { Float(first + $0) * Float(1 - 2 * channel) }))
                })
            frame.captures = marks
            return frame
        }

        private func mark(_ alarm: String, _ range: Range<Int>) -> CaptureMark {
            CaptureMark(
                alarm: alarm, from: start.advanced(byNanoseconds: Int64(range.lowerBound) * 1_000_000),
                to: start.advanced(byNanoseconds: Int64(range.upperBound) * 1_000_000 - 1), samples: Int64(range.count))
        }

        /// Commits frames as the ingester does.
        private func commit(_ frames: [Frame], _ partition: Partition, _ sensor: SensorID) async throws {
            var rows: [MeasurementRow] = []
            var batch = partition.batch()
            for frame in frames {
                RowCutter(clockRule: ClockRule()).cut(
                    frame, sensor: sensor, received: start.advanced(bySeconds: 30),
                    channelNumber: { if case .number(let number) = $0 { number } else { nil } },
                    whole: { _ in #expect(!frame.isCapture) }, into: { rows.append($0) })
                batch.captures.formUnion(
                    StoredCapture.all(of: frame, sensor: sensor) {
                        if case .number(let number) = $0 { number } else { nil }
                    })
            }
            batch.measurements = rows
            try await partition.commit(batch)
        }

        private func captures(_ system: TestSystem, _ alarm: String) async throws -> [[Int64]] {
            try await system.store.captures(of: alarm).map {
                [Int64($0.channel.number), $0.stored, $0.samples, $0.frames, $0.isComplete ? 1 : 0]
            }
        }

        @Test func samplesOfCapturesAreApartAndCounted() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try #require(try await system.store.sensorIDs(for: [serial("a")])[serial("a")])
                    // A minute's border lies at 1000; the windows begin and end within frames.
                    let (one, two) = (mark("one", 450..<1450), mark("two", 900..<1900))
                    try await commit([frame(0, from: 0, count: 2000)], partition, sensor)
                    try await commit(
                        [frame(1, from: 400, count: 500, [one]), frame(2, from: 900, count: 500, [one, two])],
                        partition,
                        sensor)
                    #expect(try await captures(system, "one") == [[0, 950, 1000, 2, 0], [1, 950, 1000, 2, 0]])
                    #expect(try await captures(system, "two") == [[0, 500, 1000, 1, 0], [1, 500, 1000, 1, 0]])
                    try await commit([frame(3, from: 1400, count: 500, [one, two])], partition, sensor)
                    #expect(try await captures(system, "one") == [[0, 1000, 1000, 3, 1], [1, 1000, 1000, 3, 1]])
                    #expect(try await captures(system, "two") == [[0, 1000, 1000, 2, 1], [1, 1000, 1000, 2, 1]])
                    #expect(try await captures(system, "none").isEmpty)

                    let record = try #require(try await system.store.captures(of: "two").first)
                    #expect(record.serial == "a" && record.channelName == nil && record.label == "0")
                    #expect(record.from == two.from && record.to == two.to && record.rateHertz == 1000)
                    let page = try await system.store.sampleRuns(
                        of: record.channel.ofCaptures, from: SampleCursor(start), to: record.to, rowsMax: 100,
                        samplesMax: .max)
                    let values = page.runs.flatMap { $0.within(record.from..<record.to) }.flatMap { run in
                        (0..<run.samples.count).map { run.samples[$0] }
                    }
                    #expect(values == (900..<1900).map { Double($0) })
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM samples('a', '0', \(start), \(start.advanced(bySeconds: 60)))")
                            == 2000)
                    #expect(
                        try await system.number(
                            "SELECT sum(n) FROM chart('a', '1', \(start), \(start.advanced(bySeconds: 60)))") == 2000)

                    // Late samples of captures are not noted for the rollups.
                    try await system.store.run(
                        "UPDATE rollup_state SET closed_to = now(), minutes_to = now(), hours_to = now(), days_to = now()"
                    )
                    let before = try await system.number("SELECT count(*) FROM rollup_late")
                    var late = partition.batch(rows: [
                        .test(time: start, sensor: sensor, channel: -1, samples: .floats([1, 2])),
                        .test(time: start, sensor: sensor, channel: 0, samples: .floats([1, 2])),
                    ])
                    late.names = nil
                    try await partition.commit(late)
                    #expect(try await system.number("SELECT count(*) FROM rollup_late") == before + 1)
                }
            }
        }

        /// Retention takes samples of captures as it takes others: then the capture is complete no more.
        @Test func aCaptureIsWhatIsStored() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try #require(try await system.store.sensorIDs(for: [serial("a")])[serial("a")])
                    let one = mark("one", 0..<1000)
                    try await commit(
                        [frame(0, from: 0, count: 500, [one]), frame(1, from: 500, count: 500, [one])], partition,
                        sensor)
                    #expect(try await captures(system, "one").allSatisfy { $0[4] == 1 })
                    try await system.store.run("DELETE FROM measurement WHERE sequence = 1")
                    #expect(try await captures(system, "one") == [[0, 500, 1000, 1, 0], [1, 500, 1000, 1, 0]])
                    // A sensor that is deleted with its history takes its captures and answers along.
                    _ = try await system.store.deleteSensors(["a"], withHistory: true, issuer: "test")
                    #expect(try await system.number("SELECT count(*) FROM alarm_capture") == 0)
                }
            }
        }

        private func answer(
            _ alarm: String, _ outcome: Ack.Outcome, _ reason: String = "", from name: String = "a", at seconds: Int64
        ) throws -> RegistryMessage {
            .ack(
                Received(
                    serial: try serial(name), received: start.advanced(bySeconds: seconds),
                    content: Ack(id: alarm, outcome: outcome, reason: reason, at: nil, isOfAlarm: true)))
        }

        @Test func answersToAlarmsAreKept() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let store = system.store
                _ = try await store.sensorIDs(for: [serial("a"), serial("b")])
                try await store.record([try answer("one", .received, at: 1)])
                let first = try #require(try await store.answers(toAlarm: "one").first)
                #expect(first.serial == "a" && first.acknowledgedAt == start.advanced(bySeconds: 1))
                #expect(first.outcome == nil && first.reason.isEmpty && first.answeredAt == nil)
                try await store.record([
                    try answer("one", .failed, "the sensor stopped", at: 5), try answer("one", .received, at: 6),
                    try answer("one", .rejected, "later", at: 7), try answer("two", .rejected, "too old", at: 8),
                    try answer("one", .received, from: "b", at: 9), try answer("one", .received, from: "nobody", at: 9),
                ])
                let answers = try await store.answers(toAlarm: "one")
                #expect(answers.map(\.serial) == ["a", "b"])
                #expect(answers[0].acknowledgedAt == start.advanced(bySeconds: 1) && answers[0].outcome == .failed)
                #expect(
                    answers[0].reason == "the sensor stopped" && answers[0].answeredAt == start.advanced(bySeconds: 5))
                #expect(answers[1].outcome == nil)
                // A final answer alone says that the sensor heard the alarm.
                let two = try #require(try await store.answers(toAlarm: "two").first)
                #expect(two.acknowledgedAt == two.answeredAt && two.outcome == .rejected)
                try await store.record([try answer("two", .succeeded, at: 20)])
                #expect(try await store.answers(toAlarm: "two").first?.outcome == .rejected, "the first stays")
                #expect(try await system.number("SELECT count(*) FROM command") == 0, "they are no commands")
            }
        }
    }
}
