import Foundation
import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// chart(), spectrum(), track(), fleet.
    @Suite struct Charts {
        private struct Point {
            var time: Timestamp
            var count: Int64
            var min: Double?
            var mean: Double?
            var max: Double?
            var rms: Double?
        }

        private func chart(
            _ store: StoreConnection, _ from: Timestamp, _ to: Timestamp, _ points: Int
        ) async throws -> [Point] {
            let rows = try await store.fetch(
                """
                SELECT (extract(epoch FROM "time") * 1000000)::bigint AS at_us, min, mean, max, rms, n
                  FROM chart('a', 'x', \(from), \(to), \(points))
                """)
            return try rows.map { row in
                Point(
                    time: Timestamp(unixNanoseconds: try row.integer("at_us") * 1000),
                    count: try row.integer("n"), min: try row.optionalDouble("min"),
                    mean: try row.optionalDouble("mean"),
                    max: try row.optionalDouble("max"), rms: try row.optionalDouble("rms"))
            }
        }

        /// A sensor of 250 Hz for an hour and a half, floats, counts and a stretch of single values, rolled up.
        private func filled(_ body: (TestSystem, StoreConnection, Timestamp) async throws -> Void) async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    _ = try await system.store.channelNumbers(sensor: sensor, names: ["x"])
                    let start = Timestamp(
                        unixNanoseconds: Timestamp.now.unixNanoseconds / 3_600_000_000_000 * 3_600_000_000_000
                    )
                    .advanced(bySeconds: -3 * 3600)
                    var rows: [MeasurementRow] = []
                    // 12 s a row, five in each minute.
                    for index in 0..<450 {
                        let time = start.advanced(bySeconds: Int64(index) * 12)
                        let wave = (0..<3000).map { sin(Double(index * 3000 + $0) * 0.01) * Double(index % 7 + 1) }
                        let samples: Samples =
                            switch index % 3 {
                            case 0: .floats(wave.enumerated().map { $0.offset == 99 ? .nan : Float($0.element) })
                            case 1: .counts(wave.map { Int16($0 * 1000) }, scale: -0.001, offset: 0.5)
                            default: .floats(wave.map { Float($0) })
                            }
                        rows.append(.test(time: time, sensor: sensor, rate: 250, samples: samples))
                    }
                    for second in 0..<600 {
                        rows.append(
                            .test(
                                time: start.advanced(bySeconds: 5400 + Int64(second)), sensor: sensor, rate: 1,
                                samples: .value(Double(second))))
                    }
                    var batch = partition.batch(rows: rows)
                    batch.latest = [LatestValue(rows[0])]
                    try await partition.commit(batch)
                    try await system.store.run(
                        "UPDATE rollup_state SET looked_at = clock_timestamp(), held_until = '-infinity'")
                    while try await system.store.rollUp() {}
                    while try await system.store.rollUp() {}
                    #expect(try await system.number("SELECT count(*) FROM measurement_1h") == 2)
                    try await body(system, system.store, start)
                }
            }
        }

        /// Every bucket says what the samples from its time to the next one's come to: from whichever source.
        @Test func saysWhatTheSamplesSay() async throws {
            try await filled { _, store, start in
                func at(_ seconds: Double) -> Timestamp { start.advanced(byNanoseconds: Int64(seconds * 1e6) * 1000) }
                for (from, to, points) in [
                    (0, 6000, 3), (0, 7200, 1000), (17.3, 17.9, 100), (17.3, 17.9, 7), (59, 61, 1000),
                    (11.996, 24.004, 50), (100.002, 1900.1, 60), (3599.9, 6000.5, 100), (5390, 5410, 1000),
                    (-500, 100, 10), (1, 5999.5, 4), (1000, 1000.004, 5), (5000, 99_999, 10), (2, 5400, 20_000),
                ] as [(Double, Double, Int)] {
                    let words = Comment(rawValue: "from \(from) to \(to) in \(points)")
                    let chart = try await chart(store, at(from), at(to), points)
                    let rows = try await store.fetch(
                        "SELECT unix_ns, value FROM samples('a', 'x', \(at(from)), \(at(to)))")
                    let (time, value) = (try rows.column("unix_ns"), try rows.column("value"))
                    let samples = try rows.map { (at: try $0.integer(time), value: try $0.double(value)) }
                    #expect(chart.count <= min(points, 10_000), words)
                    #expect(chart.map(\.count).reduce(0, +) == Int64(samples.count), words)
                    #expect(chart.first?.time.unixNanoseconds == samples.first?.at, words)
                    var rest = samples[...]
                    for (index, point) in chart.enumerated() {
                        let end = index + 1 < chart.count ? chart[index + 1].time.unixNanoseconds : .max
                        let mine = rest.prefix { $0.at < end }
                        rest = rest.dropFirst(mine.count)
                        let finite = mine.map(\.value).filter(\.isFinite)
                        let mean = finite.isEmpty ? nil : finite.reduce(0, +) / Double(finite.count)
                        let square = finite.reduce(0) { $0 + $1 * $1 } / Double(max(1, finite.count))
                        let isTrue =
                            point.count == Int64(mine.count) && point.min == finite.min() && point.max == finite.max()
                            && (point.mean == nil) == (mean == nil) && (point.rms == nil) == (mean == nil)
                            && abs((point.mean ?? 0) - (mean ?? 0)) < 1e-6 * (1 + square)
                            && abs((point.rms ?? 0) - square.squareRoot()) < 1e-6 * (1 + square)
                        if !isTrue { Issue.record("\(point) is not \(mine.count) samples; \(words)") }
                    }
                }
            }
        }

        @Test func isEmptyWhereThereIsNothing() async throws {
            try await filled { _, store, start in
                #expect(try await chart(store, start.advanced(bySeconds: -7200), start, 100).isEmpty)
                #expect(try await chart(store, start.advanced(bySeconds: 100), start, 100).isEmpty)
                let other = try await store.fetch(
                    "SELECT * FROM chart('nobody', 'x', now() - INTERVAL '1 day', now())")
                #expect(other.isEmpty)
                let endless = try await store.fetchOne(
                    "SELECT sum(n)::bigint AS n FROM chart('a', 'x', '-infinity', 'infinity')")
                #expect(try endless.integer("n") == 1_350_600)
            }
        }

        /// Rows of minutes, of which a part is shown; and channels whose steps are longer than the look back.
        @Test func showsSlowChannelsToTheLastAndLongRowsAtOnce() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let start = Timestamp(
                        unixNanoseconds: Timestamp.now.unixNanoseconds / 60_000_000_000 * 60_000_000_000
                    )
                    .advanced(bySeconds: -3600)
                    var rows = (0..<10).map {
                        MeasurementRow.test(
                            time: start.advanced(bySeconds: Int64($0) * 300), sensor: sensor, rate: 1.0 / 300,
                            samples: .value(Double($0)))
                    }
                    rows.append(
                        .test(
                            time: start, sensor: sensor, channel: 1, rate: 100,
                            samples: .floats((0..<5900).map { Float($0) })))
                    try await partition.commit(rows: rows)
                    func count(_ channel: String, _ from: Double, _ to: Double, _ points: Int64) async throws -> Int64 {
                        func at(_ seconds: Double) -> Timestamp {
                            start.advanced(byNanoseconds: Int64(seconds * 1e6) * 1000)
                        }
                        return try await system.number(
                            "SELECT coalesce(sum(n), 0) FROM chart('a', \(channel), \(at(from)), \(at(to)), \(points))")
                    }
                    for points in [Int64(1), 7, 30, 1000] {
                        #expect(try await count("0", -600, 2800, points) == 10, "\(points)")
                        #expect(try await count("0", 1, 2701, points) == 9, "\(points)")
                    }
                    let begin = ContinuousClock.now
                    #expect(try await count("1", 10, 10.001, 1000) == 1)
                    #expect(try await count("1", 10, 10.0001, 10_000) == 1)
                    // It was 6.5 s, and an error.
                    #expect(begin.duration(to: .now) < .seconds(3))
                    #expect(try await count("1", 10.005, 20.005, 300) == 1000)
                    let all: SQL = "SELECT count(*) FROM samples('a', '1', '-infinity', 'infinity')"
                    #expect(try await system.number(all) == 5900)
                }
            }
        }

        // MARK: spectrum

        private func spectrum(
            _ store: StoreConnection, _ count: Int, at: Timestamp
        ) async throws -> [(hertz: Double, amplitude: Double)] {
            try await store.fetch("SELECT * FROM spectrum('a', '0', \(at), \(count))").map { row in
                (try row.double("frequency_hz"), try row.double("amplitude"))
            }
        }

        private func sampled(
            _ values: [Double], cutAt: Int = 0, rate: Double = 1024,
            _ body: (StoreConnection, Timestamp) async throws -> Void
        ) async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let start = Timestamp(unixMilliseconds: 1_763_720_040_000)
                    func row(_ range: Range<Int>, after pause: Double = 0) -> MeasurementRow {
                        .test(
                            time: start.advanced(
                                byNanoseconds: Int64((Double(range.lowerBound) / rate + pause) * 1e9)), sensor: sensor,
                            rate: rate, samples: .floats(values[range].map { Float($0) }))
                    }
                    let cut = cutAt == 0 ? values.count : cutAt
                    var rows = [row(0..<cut)]
                    if cut < values.count { rows.append(row(cut..<values.count, after: 0.5)) }
                    try await partition.commit(rows: rows)
                    try await body(system.store, start.advanced(bySeconds: 50))
                }
            }
        }

        @Test func findsASineWithItsAmplitudeAndTheMean() async throws {
            let wave = (0..<1024).map { 1.5 * sin(2 * .pi * 100 * Double($0) / 1024) + 0.25 }
            try await sampled(wave) { store, at in
                let lines = try await spectrum(store, 1024, at: at)
                #expect(lines.count == 513)
                #expect(lines.last?.hertz == 512)
                #expect(abs(lines[100].amplitude - 1.5) < 1e-6)
                #expect(abs(lines[0].amplitude - 0.25) < 1e-6)
                #expect(
                    lines.enumerated().allSatisfy {
                        [0, 99, 100, 101].contains($0.offset) || $0.element.amplitude < 1e-6
                    })
            }
        }

        /// Against the definition, sum by sum.
        @Test(arguments: [2, 4, 8, 64, 512]) func isTheDiscreteFourierTransform(_ count: Int) async throws {
            let values = (0..<count).map { Double(Float(sin(Double($0 * $0)) * 3 + Double($0 % 5))) }
            try await sampled(values) { store, at in
                let lines = try await spectrum(store, count, at: at)
                let mean = values.reduce(0, +) / Double(count)
                for (k, line) in lines.enumerated().dropFirst() {
                    var (real, imaginary) = (0.0, 0.0)
                    for (index, value) in values.enumerated() {
                        let angle = 2 * Double.pi * Double(index) / Double(count)
                        let weighted = (value - mean) * (0.5 - 0.5 * cos(angle))
                        real += weighted * cos(angle * Double(k))
                        imaginary -= weighted * sin(angle * Double(k))
                    }
                    let scale = (k == count / 2 ? 2.0 : 4.0) / Double(count)
                    let amplitude = (real * real + imaginary * imaginary).squareRoot() * scale
                    #expect(abs(line.amplitude - amplitude) < 1e-9 * (1 + amplitude))
                    #expect(abs(line.hertz - Double(k) * 1024 / Double(count)) < 1e-9)
                }
            }
        }

        @Test func needsConsecutiveSamples() async throws {
            let values = (0..<256).map { Double($0 % 7) }
            try await sampled(values, cutAt: 200) { store, at in
                let broken = try await spectrum(store, 128, at: at)
                #expect(broken.isEmpty)
                #expect(try await spectrum(store, 32, at: at).count == 17)
                #expect(try await spectrum(store, 1024, at: at).isEmpty)
                await #expect(throws: StoreError.self) { _ = try await spectrum(store, 100, at: at) }
                await #expect(throws: StoreError.self) { _ = try await spectrum(store, 131_072, at: at) }
            }
        }

        // MARK: places

        @Test func tracksAndPlacesGoByTheSensorsTime() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let start = Timestamp(unixMilliseconds: 1_763_720_000_000)
                    var batch = partition.batch()
                    // The newest place comes first.
                    for minute in [99] + Array(0..<99) {
                        batch.places.append(
                            (
                                sensor: sensor, time: start.advanced(bySeconds: Int64(minute) * 60),
                                place: GeoPosition(latitude: Double(minute), longitude: 1, altitude: 2)
                            ))
                    }
                    try await partition.commit(batch)
                    let place = try await system.store.fetchOne("SELECT latitude, located_at FROM fleet")
                    #expect(try place.double("latitude") == 99)
                    func track(_ from: Int64, _ to: Int64, _ points: Int64) async throws -> [Double] {
                        let (from, to) = (start.advanced(bySeconds: from), start.advanced(bySeconds: to))
                        return try await system.store.fetch(
                            "SELECT latitude FROM track('a', \(from), \(to), \(points))"
                        ).map { try $0.double("latitude") }
                    }
                    #expect(try await track(0, 6000, 1000) == (0..<100).map { Double($0) })
                    #expect(try await track(90, 200, 1000) == [1, 2, 3])
                    #expect(try await track(9000, 9001, 1000) == [99])
                    let few = try await track(0, 6000, 10)
                    #expect(few.first == 0 && few.last == 99 && few.count == 10)
                    #expect(try await track(-100, 0, 10) == [])
                    // At rest for longer than places are kept.
                    try await system.store.run("DELETE FROM location")
                    #expect(try await track(9000, 9001, 1000) == [99])
                    #expect(try await system.store.lastPlaces(of: [sensor])[sensor]?.latitude == 99)
                }
            }
        }
    }
}
