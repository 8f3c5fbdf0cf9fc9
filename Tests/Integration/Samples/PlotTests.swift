import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// The points that `iotctl plot` draws are what `samples()` says of the range.
    @Suite struct PlottedSeries {
        private struct Sample {
            var at: Int64
            var value: Double
        }

        private func samples(_ store: StoreConnection, _ range: Range<Timestamp>) async throws -> [Sample] {
            let rows = try await store.fetch(
                "SELECT unix_ns, value FROM samples('a', 'x', \(range.lowerBound), \(range.upperBound))")
            let (time, value) = (try rows.column("unix_ns"), try rows.column("value"))
            return try rows.map { Sample(at: try $0.integer(time), value: try $0.double(value)) }
        }

        /// Ten minutes of 100 Hz from a whole minute on, an hour ago, without the fourth minute; then a value a minute.
        private func filled(_ body: (TestSystem, Timestamp) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try #require(try await system.store.sensorIDs(for: [serial("a")])[serial("a")])
                    _ = try await system.store.channelNumbers(sensor: sensor, names: ["x"])
                    let start = Timestamp(
                        unixNanoseconds: Timestamp.now.unixNanoseconds / 60_000_000_000 * 60_000_000_000
                    ).advanced(bySeconds: -3600)
                    var rows: [MeasurementRow] = []
                    for second in 0..<600 where !(180..<240).contains(second) {
                        let wave = (0..<100).map { Float((second * 100 + $0) % 997) - 300 }
                        rows.append(
                            .test(
                                time: start.advanced(bySeconds: Int64(second)), sensor: sensor, rate: 100,
                                samples: second % 2 == 0
                                    ? .floats(second == 60 ? wave.map { $0 == 0 ? .nan : $0 } : wave)
                                    : .counts(wave.map { Int16($0) }, scale: 0.5, offset: -1)))
                    }
                    for minute in 0..<20 where minute != 7 {
                        rows.append(
                            .test(
                                time: start.advanced(bySeconds: 600 + Int64(minute) * 60), sensor: sensor, rate: 0,
                                samples: .value(Double(minute))))
                    }
                    var batch = partition.batch(rows: rows)
                    batch.latest = [LatestValue(rows[0])]
                    try await partition.commit(batch)
                    try await body(system, start)
                }
            }
        }

        @Test func pointsAreThoseOfTheSamples() async throws {
            try await filled { system, start in
                func at(_ seconds: Double) -> Timestamp { start.advanced(byNanoseconds: Int64(seconds * 1e6) * 1000) }
                for (from, to, points, isSampled) in [
                    (60.0, 61.0, 140, true), (0.5, 1.4, 100, true), (60.005, 61.5, 140, false), (179, 241, 140, false),
                    (0, 600, 60, false), (600, 1800, 140, true), (0, 1800, 140, false), (599.98, 601, 10, true),
                ] {
                    let range = at(from)..<at(to)
                    let words = Comment(rawValue: "from \(from) to \(to) in \(points)")
                    let series = try await system.store.series(of: "a", channel: "x", range, pointsMax: points)
                    let samples = try await samples(system.store, range)
                    #expect(series.isSampled == isSampled && series.points.count <= points, words)
                    #expect(series.sampleCount == Int64(samples.count) && !samples.isEmpty, words)
                    var rest = samples[...]
                    for (index, point) in series.points.enumerated() {
                        let next = index + 1 < series.points.count ? series.points[index + 1].time : nil
                        let mine = rest.prefix { $0.at < next?.unixNanoseconds ?? .max }
                        rest = rest.dropFirst(mine.count)
                        let finite = mine.map(\.value).filter(\.isFinite)
                        let isTrue =
                            point.time.unixNanoseconds == mine.first?.at && point.count == Int64(mine.count)
                            && point.min == finite.min() && point.max == finite.max()
                        if !isTrue { Issue.record("\(point) is not \(mine.count) samples; \(words)") }
                    }
                }
            }
        }

        @Test func gapsAreWhereSamplesAreMissing() async throws {
            try await filled { system, start in
                func at(_ seconds: Int64) -> Timestamp { start.advanced(bySeconds: seconds) }
                let band = try await system.store.series(of: "a", channel: "x", at(0)..<at(600), pointsMax: 140)
                #expect(band.gaps.map(\.to) == [at(240)], "\(band.gaps)")
                let values = try await system.store.series(of: "a", channel: "x", at(600)..<at(1800), pointsMax: 140)
                #expect(values.isSampled && values.points.count == 19)
                // One value of a minute: twice the usual time, without a rate, is none.
                #expect(values.gaps.isEmpty)
                let none = try await system.store.series(of: "a", channel: "x", at(-100)..<at(0), pointsMax: 140)
                #expect(none.points.isEmpty && none.gaps.isEmpty)
                #expect(try await system.store.newest(of: "a", channel: "x") == at(600 + 19 * 60))
                #expect(try await system.store.newest(of: "a", channel: "1") == nil)
            }
        }
    }
}
