import Foundation
import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Frames, cut into rows, sent by COPY, and read by `samples()`: what goes in comes out.
    @Suite struct StoredSamples {
        private struct Sample: Equatable, CustomStringConvertible {
            var nanoseconds: Int64
            var value: Double

            static func == (left: Sample, right: Sample) -> Bool {
                left.nanoseconds == right.nanoseconds
                    && (left.value == right.value || (left.value.isNaN && right.value.isNaN))
            }

            var description: String { "\(value) at \(nanoseconds)" }
        }

        private func stored(_ system: TestSystem, from: Timestamp, to: Timestamp) async throws -> [Sample] {
            try await system.store.fetch("SELECT unix_ns, value FROM samples('a', '0', \(from), \(to))").map { row in
                Sample(nanoseconds: try row.integer("unix_ns"), value: try row.double("value"))
            }
        }

        private func store(_ frame: Frame, _ partition: Partition, received: Timestamp) async throws -> Int {
            try frame.validate()
            let sensor = try #require(try await partition.store.sensorIDs(for: [serial("a")])[serial("a")])
            var rows: [MeasurementRow] = []
            RowCutter(clockRule: ClockRule()).cut(
                frame, sensor: sensor, received: received, channelNumber: { _ in 0 }, into: { rows.append($0) })
            try await partition.commit(rows: rows)
            return rows.count
        }

        /// Across a border of minutes, where the ingester cuts.
        ///
        /// The second row begins at a whole nanosecond; where the rate has no sample there, what follows may be one off.
        @Test(
            arguments: [
                (48_000, 6000, 2, 0), (44_100, 5000, 2, 0), (1.0 / 3, 61, 4, 0), (1.0 / 60, 3, 3, 0),
                (7.3, 900, 4, 1), (25_600, 3000, 2, 1),
            ] as [(Double, Int, Int, Int64)])
        func everySampleComesBackToTheNanosecond(
            _ hertz: Double, _ count: Int, _ rows: Int, _ tolerance: Int64
        ) async throws {
            // 50 ms before 12:35:00, and some nanoseconds.
            let start = Timestamp(unixNanoseconds: 1_763_728_499_950_000_123)
            let rate = try #require(SampleRate(hertz: hertz))
            let samples = (0..<count).map { Float($0) * 0.37 - 4000 }
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let frame = Frame(
                        position: FramePosition(boot: 1, sequence: 0), start: start, rate: rate,
                        blocks: [Block(channel: .number(0), samples: .floats(samples))])
                    #expect(try await store(frame, partition, received: start) == rows)
                    let expected = samples.enumerated().map { index, sample in
                        Sample(
                            nanoseconds: start.unixNanoseconds + rate.nanoseconds(toSample: Int64(index)),
                            value: Double(sample))
                    }
                    let end = start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(count)))
                    let from = Timestamp(unixNanoseconds: start.unixNanoseconds - 123)
                    let found = try await stored(system, from: from, to: end.advanced(bySeconds: 1))
                    #expect(found.count == count)
                    let different = zip(found, expected).first {
                        abs($0.nanoseconds - $1.nanoseconds) > tolerance || $0.value != $1.value
                    }
                    #expect(different == nil)
                    // No row spans more than a minute, or crosses one.
                    let crossing = try await system.number(
                        """
                        SELECT count(*) FROM measurement WHERE date_trunc('minute', "time") <>
                               date_trunc('minute', "time" + (n - 1) / sample_rate_hz * INTERVAL '1 second')
                        """)
                    #expect(crossing == 0)
                    // A window in the middle: from its first sample to before its end.
                    let low = start.advanced(byNanoseconds: 20_000_000)
                    let high = low.advanced(byNanoseconds: 60_000_000)
                    let (lowest, highest) = (low.unixMicroseconds * 1000, high.unixMicroseconds * 1000)
                    let window = found.filter { $0.nanoseconds >= lowest && $0.nanoseconds < highest }
                    #expect(try await stored(system, from: low, to: high) == window)
                }
            }
        }

        /// NaN and infinities are stored as they are; statistics count finite samples only.
        @Test func everyKindOfSampleComesBack() async throws {
            let floats: [Float] = [
                1.5, .nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -7,
            ]
            let kinds: [Samples] = [
                .floats(floats), .floats([.nan, .nan]), .counts([.min, -1, 0, 1, .max], scale: 0.001, offset: -2.5),
                .value(0.1 + 0.2), .value(.nan), .value(-.infinity), .counts([5], scale: 0, offset: 3), .floats([9]),
            ]
            let start = Timestamp(unixNanoseconds: 1_763_728_440_000_000_001)
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(try ids[serial("a")])
                    let rows = kinds.enumerated().map { index, samples in
                        MeasurementRow.test(
                            time: start.advanced(bySeconds: Int64(index)), sensor: sensor,
                            position: index % 2 == 0 ? FramePosition(boot: .max, sequence: Int64(index)) : nil,
                            rate: samples.count > 1 ? 1000 : 0, samples: samples,
                            received: start.advanced(bySeconds: 9),
                            deviceTime: index == 3 ? Timestamp(unixNanoseconds: .min) : nil,
                            clock: index == 3 ? .past : .ok)
                    }
                    try await partition.commit(rows: rows)
                    let found = try await stored(
                        system, from: start.advanced(bySeconds: -1), to: start.advanced(bySeconds: 100))
                    let expected = rows.flatMap { row in
                        (0..<row.samples.count).map {
                            Sample(
                                nanoseconds: row.time.unixNanoseconds + Int64($0) * 1_000_000, value: row.samples[$0])
                        }
                    }
                    #expect(found == expected)
                    let stored = try await system.store.fetch("SELECT * FROM measurement ORDER BY time")
                    for (row, stored) in zip(rows, stored) {
                        #expect(try stored.optionalDouble("min") == row.statistics.min)
                        #expect(try stored.optionalDouble("max") == row.statistics.max)
                        #expect(try stored.optionalDouble("rms") == row.statistics.rms)
                        if case .value = row.samples {
                        } else {
                            #expect(try stored.optionalDouble("mean") == row.statistics.mean)
                        }
                        #expect(try stored.optionalInteger("boot_id") == row.position?.boot)
                        #expect(try stored.optionalInteger("sequence") == row.position?.sequence)
                        #expect(try stored.optionalInteger("device_time_ns") == row.deviceTime?.unixNanoseconds)
                        #expect(try stored.integer("clock") == Int64(row.clock.rawValue))
                        #expect(try stored.integer("n") == Int64(row.samples.count))
                    }
                    #expect(stored.count == rows.count)
                }
            }
        }

        @Test func theEndsOfTimeComeBack() async throws {
            let hour: Int64 = 3_600_000_000_000
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    for nanoseconds in [Int64.min + hour, -1, 999_999_999_999, Int64.max - hour] {
                        let time = Timestamp(unixNanoseconds: nanoseconds)
                        try await partition.commit(rows: [
                            .test(time: time, sensor: try #require(try ids[serial("a")]), samples: .floats([4, 5]))
                        ])
                        let found = try await stored(
                            system, from: time.advanced(bySeconds: -1), to: time.advanced(bySeconds: 1))
                        #expect(
                            found == [
                                Sample(nanoseconds: nanoseconds, value: 4),
                                Sample(nanoseconds: nanoseconds + 1_000_000, value: 5),
                            ])
                    }
                }
            }
        }

        /// One buffer, used again for the next batch, grows and never sends what is left of the last one.
        @Test func aBufferIsUsedAgain() async throws {
            let start = Timestamp(unixMilliseconds: 1_763_728_440_000)
            try await TestSystem.with { system in
                try await system.leased { partition in
                    for (batch, count) in [(0, 65_536), (1, 3), (2, 20_000)] {
                        try await partition.commit(
                            rows: (0..<3).map { channel in
                                .test(
                                    time: start.advanced(bySeconds: Int64(batch)), channel: channel,
                                    samples: .counts(
                                        [Int16](repeating: Int16(batch), count: count), scale: 1, offset: 0))
                            })
                    }
                    let rows = try await system.store.fetch(
                        "SELECT n, counts[n] AS last, cardinality(counts) AS size FROM measurement ORDER BY time, channel"
                    )
                    #expect(
                        try rows.map { try $0.integer("n") } == [
                            65_536, 65_536, 65_536, 3, 3, 3, 20_000, 20_000, 20_000,
                        ])
                    #expect(try rows.allSatisfy { try $0.integer("n") == $0.integer("size") })
                    #expect(try rows.map { try $0.integer("last") } == [0, 0, 0, 1, 1, 1, 2, 2, 2])
                }
            }
        }
    }
}
