import Foundation
import Model
import Postgres
import Service
import Simulation
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// Minutes, hours and days are what a recomputation from the rows says, whatever came when.
    @Suite struct Rollups {
        /// Rows of one or the other kind, some with samples that are not finite.
        private static func samples(_ numbers: inout SplitMix64) -> Samples {
            switch Int.random(in: 0..<4, using: &numbers) {
            case 0: .value(Double.random(in: -10...10, using: &numbers))
            case 1: .value(Bool.random(using: &numbers) ? .nan : 1e200)
            case 2:
                .counts((0..<20).map { _ in Int16.random(in: .min ... .max, using: &numbers) }, scale: 0.01, offset: 3)
            default:
                .floats((0..<20).map { $0 == 7 ? .infinity : Float.random(in: -5...5, using: &numbers) })
            }
        }

        /// What a recomputation finds that the rollup does not say, or says otherwise.
        private func differences(_ system: TestSystem, _ rollup: String, _ unit: String, _ doneTo: String) async throws
            -> [String]
        {
            let rows = try await system.store.fetch(
                """
                WITH truth AS (
                    SELECT date_trunc(\(unit), "time", site_zone()) AS at, sensor_id, channel, sum(n)::bigint AS n,
                           sum(f)::bigint AS finite, min(min) AS min, max(max) AS max,
                           sum(mean * f) FILTER (WHERE f > 0) / sum(f) FILTER (WHERE f > 0) AS mean,
                           sqrt(sum(least(rms, 1e145) ^ 2 * f) FILTER (WHERE f > 0) / sum(f) FILTER (WHERE f > 0)) AS rms
                      FROM (SELECT *, coalesce(finite, n) AS f FROM measurement) m
                     WHERE date_trunc(\(unit), "time", site_zone()) < (SELECT \(identifier: doneTo) FROM rollup_state)
                     GROUP BY 1, 2, 3
                )
                SELECT t::text || ' but ' || r::text AS words FROM truth t FULL JOIN \(identifier: rollup) r
                    ON r."time" = t.at AND r.sensor_id = t.sensor_id AND r.channel = t.channel
                 WHERE r.n IS DISTINCT FROM t.n OR r.finite IS DISTINCT FROM t.finite OR r.min IS DISTINCT FROM t.min
                    OR r.max IS DISTINCT FROM t.max OR (r.mean IS NULL) <> (t.mean IS NULL)
                    OR (r.rms IS NULL) <> (t.rms IS NULL) OR abs(r.mean - t.mean) > 1e-9 * (abs(t.mean) + t.max - t.min)
                    OR (t.rms < 1e140 AND abs(r.rms - t.rms) > 1e-9 * t.rms)
                """)
            return try rows.map { try $0.text("words") }
        }

        private func rollUp(_ store: StoreConnection) async throws {
            // Not held back for what was away: nothing was.
            try await store.run("UPDATE rollup_state SET looked_at = clock_timestamp(), held_until = '-infinity'")
            try await store.run("UPDATE ingest_partition SET lease_until = clock_timestamp() + INTERVAL '1 minute'")
            do { while try await store.rollUp() {} } catch let error as StoreError where error.isLockTimeout {}
        }

        @Test func areExactAfterAStormOfLateAndRepeatedFrames() async throws {
            try await TestSystem.with { system in
                try await system.leased { first in
                    try await system.store.run(
                        #"UPDATE setting SET value = '"Asia/Kolkata"' WHERE name = 'site.timezone'"#)
                    let second = try await system.taken(
                        "measurements.1", by: "r2", over: try system.anotherStore("second"))
                    let roller = try system.anotherStore("roller")
                    let ids = try await system.store.sensorIDs(for: [serial("a"), serial("b")])
                    let keys = [
                        LedgerCache.Key(sensor: try #require(ids[serial("a")]), boot: 1),
                        LedgerCache.Key(sensor: try #require(ids[serial("b")]), boot: 1),
                    ]
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for (index, partition) in [first, second].enumerated() {
                            nonisolated(unsafe) let partition = partition
                            let key = keys[index]
                            group.addTask {
                                unsafe try await Self.storm(partition, key, SplitMix64(seed: UInt64(index + 7)))
                            }
                        }
                        group.addTask {
                            for _ in 0..<40 {
                                try await rollUp(roller)
                                try await Task.sleep(for: .milliseconds(20))
                            }
                        }
                        try await group.waitForAll()
                    }
                    try await eventually("nothing is left to be rolled up") {
                        try await rollUp(system.store)
                        return try await system.store.rollupLag().lateRows == 0
                    }
                    #expect(try await differences(system, "measurement_1m", "minute", "minutes_to") == [])
                    #expect(try await differences(system, "measurement_1h", "hour", "hours_to") == [])
                    #expect(try await differences(system, "measurement_1d", "day", "days_to") == [])
                    // Not all of nothing.
                    #expect(try await system.number("SELECT count(*) FROM measurement_1m") > 500)
                    #expect(try await system.number("SELECT count(*) FROM measurement_1d") > 8)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1w") > 1000)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1mo") > 1000)
                }
            }
        }

        /// Frames of three days in any order, many twice, in batches of any size; two channels.
        private static func storm(_ partition: Partition, _ key: LedgerCache.Key, _ seed: SplitMix64) async throws {
            var numbers = seed
            let start = Timestamp.now.advanced(bySeconds: -3 * 86_400)
            var sequences = (0..<600).map { Int64($0) }
            sequences += sequences.filter { _ in Int.random(in: 0..<3, using: &numbers) == 0 }
            sequences.shuffle(using: &numbers)
            while !sequences.isEmpty {
                let some = Array(sequences.prefix(Int.random(in: 1...60, using: &numbers)))
                sequences.removeFirst(some.count)
                let unknown = partition.book.unknown(among: [key])
                for (key, entry) in try await partition.store.ledgers(for: unknown, stream: partition.lease.stream) {
                    partition.book.load(key, entry)
                }
                var batch = partition.batch(messages: Int64(some.count))
                for sequence in some where [.new, .late].contains(partition.book.note(key, sequence)) {
                    for channel in [Int16(0), 1] {
                        let row = MeasurementRow.test(
                            time: start.advanced(bySeconds: sequence * 431), sensor: key.sensor, channel: channel,
                            position: FramePosition(boot: key.boot, sequence: sequence), samples: samples(&numbers))
                        batch.measurements.append(row)
                        batch.latest.append(LatestValue(row))
                    }
                }
                batch.latest =
                    batch.latest.filter { $0.channel.number == 1 }.suffix(1)
                    + batch.latest.filter { $0.channel.number == 0 }.suffix(1)
                batch.ledger = partition.book.changes
                try await partition.commit(batch)
                partition.book.commit()
            }
        }

        /// What the raw tier no longer has is in the minutes, and a frame that comes then is added to them once.
        @Test func outliveTheirRows() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let old = Timestamp.now.advanced(bySeconds: -5 * 86_400)
                    let minute = Timestamp(
                        unixNanoseconds: old.unixNanoseconds - old.unixNanoseconds % 60_000_000_000)
                    let rows = (0..<10).map {
                        MeasurementRow.test(
                            time: minute.advanced(bySeconds: $0), sensor: sensor, samples: .floats([1, 2, 3, 4]))
                    }
                    var batch = partition.batch(rows: rows)
                    batch.latest = [LatestValue(rows[9])]
                    try await partition.commit(batch)
                    try await rollUp(system.store)
                    try await rollUp(system.store)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1m") == 40)
                    let twoDays = PolicyChange(tier: .measurement, duration: .seconds(2 * 86_400))
                    try await system.store.set(policies: [twoDays])
                    _ = try await system.dropOld()
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 0)
                    try await partition.commit(rows: [rows[0], rows[1]])
                    try await rollUp(system.store)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1m") == 48)
                    #expect(try await system.number("SELECT count(*) FROM measurement_1m") == 1)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1d") == 48)
                    // What came late is dropped again, and the chart goes by the minutes.
                    _ = try await system.dropOld()
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 0)
                    let chart = try await system.store.fetch(
                        """
                        SELECT n FROM chart('a', '0', \(minute.advanced(bySeconds: -3600)),
                                            \(minute.advanced(bySeconds: 3600)))
                        """)
                    #expect(try chart.map { try $0.integer("n") } == [48])
                }
            }
        }

        /// What one device sends keeps nobody else's minutes back.
        @Test func takeNumbersThatPostgreSQLFailsOn() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let minute = Timestamp(
                        unixNanoseconds: Timestamp.now.unixNanoseconds / 86_400_000_000_000 * 86_400_000_000_000
                    )
                    .advanced(bySeconds: -86_400)
                    let values: [Double] = [
                        .leastNonzeroMagnitude, 0, 1e308, -1e308, 1e-200, .nan, .infinity, 1.7e308,
                        .leastNormalMagnitude,
                    ]
                    func rows(_ first: Int) -> [MeasurementRow] {
                        values.enumerated().map { index, value in
                            .test(
                                time: minute.advanced(bySeconds: Int64(first + index)), sensor: sensor, rate: 0,
                                samples: .value(value))
                        }
                            + (2..<values.count).map {
                                .test(
                                    time: minute.advanced(bySeconds: Int64(60 * $0 + first)), sensor: sensor, rate: 0,
                                    samples: .value(values[$0]))
                            }
                    }
                    var batch = partition.batch(rows: rows(0))
                    batch.latest = [LatestValue(batch.measurements[1])]
                    try await partition.commit(batch)
                    try await rollUp(system.store)
                    try await rollUp(system.store)
                    try await partition.commit(rows: rows(20))
                    try await rollUp(system.store)
                    #expect(try await system.store.rollupLag().lateRows == 0)
                    for rollup in ["measurement_1m", "measurement_1h", "measurement_1d", "measurement_1w"] {
                        #expect(try await system.number("SELECT sum(n) FROM \(identifier: rollup)") == 32, "\(rollup)")
                    }
                    for points in [1, 7, 1000] {
                        let end = minute.advanced(bySeconds: 1200)
                        #expect(
                            try await system.number("SELECT sum(n) FROM chart('a', '0', \(minute), \(end), \(points))")
                                == 32)
                    }
                }
            }
        }

        /// Where a day of the Azores is an hour longer, date_trunc gives a time that is later than its argument.
        @Test(arguments: ["Atlantic/Azores", "Europe/Berlin", "Australia/Lord_Howe"])
        func countEachLateRowOnceWhereClocksChange(_ zone: String) async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await system.store.run(
                        "UPDATE setting SET value = to_jsonb(\(zone)::text) WHERE name = 'site.timezone'")
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    // 2025-10-24T00:00:30Z, and April before.
                    for start in [
                        Timestamp(unixMilliseconds: 1_761_264_030_000), Timestamp(unixMilliseconds: 1_743_811_230_000),
                    ] {
                        let rows = (0..<288).map {
                            MeasurementRow.test(
                                time: start.advanced(bySeconds: Int64($0) * 900), sensor: sensor, samples: .value(1))
                        }
                        var batch = partition.batch(rows: rows)
                        batch.latest = [LatestValue(rows[0])]
                        try await partition.commit(batch)
                        // Late ones at every step of the border.
                        for row in rows {
                            try await system.store.run(
                                "UPDATE rollup_state SET looked_at = clock_timestamp(), held_until = '-infinity'")
                            _ = try await system.store.rollUp()
                            if row.time.unixNanoseconds / 900_000_000_000 % 3 == 0 {
                                try await partition.commit(rows: [row])
                            }
                        }
                        try await rollUp(system.store)
                        try await rollUp(system.store)
                    }
                    let stored = try await system.number("SELECT sum(n) FROM measurement")
                    for rollup in ["measurement_1m", "measurement_1h", "measurement_1d"] {
                        #expect(
                            try await system.number("SELECT sum(n) FROM \(identifier: rollup)") == stored, "\(rollup)")
                    }
                }
            }
        }

        /// Nothing for years, then something: that is not a year of hours one by one.
        @Test func passOverWhatHasNoChunks() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    let rows = [20 * 365 * 86_400, 3 * 86_400].map {
                        MeasurementRow.test(
                            time: .now.advanced(bySeconds: -Int64($0)), sensor: sensor, samples: .floats([1, 2, 3]))
                    }
                    var batch = partition.batch(rows: rows)
                    batch.latest = [LatestValue(rows[1])]
                    try await partition.commit(batch)
                    try await rollUp(system.store)
                    var steps = 0
                    while try await system.store.rollUp() { steps += 1 }
                    #expect((100...1000).contains(steps))
                    for rollup in ["measurement_1m", "measurement_1h", "measurement_1d"] {
                        #expect(try await system.number("SELECT sum(n) FROM \(identifier: rollup)") == 6, "\(rollup)")
                    }
                }
            }
        }

        /// A release that does not note what is late keeps minutes from being closed.
        @Test func waitForReleasesThatDoNotKnowThem() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await partition.commit(rows: [.test(time: .now.advanced(bySeconds: -3600), samples: .value(1))])
                    let lease = partition.lease
                    let committed = try #require(lease.committed)
                    try await system.store.run(
                        """
                        SELECT ingest_commit(\(lease.stream), \(lease.epoch), \(lease.incarnation)::int, \(committed),
                                             \(committed + 1), 1)
                        """)
                    partition.lease.committed = committed + 1
                    // A stream where nothing comes any more: that its owner is of this release is enough.
                    try await system.store.run(
                        """
                        UPDATE ingest_partition SET committed_at = now() - INTERVAL '30 days', reached = NULL
                         WHERE stream = 'measurements.1'
                        """)
                    try await rollUp(system.store)
                    #expect(try await system.store.rollupLag().seconds == nil)
                    try await partition.commit(rows: [.test(time: .now.advanced(bySeconds: -3500), samples: .value(1))])
                    try await rollUp(system.store)
                    let isClosed: SQL = "SELECT count(*) FROM rollup_state WHERE isfinite(closed_to)"
                    #expect(try await system.number(isClosed) == 0)
                    try await system.store.run(
                        "UPDATE ingest_partition SET lease_until = NULL WHERE stream = 'measurements.1'")
                    _ = try await system.taken("measurements.1", by: "r2")
                    try await rollUp(system.store)
                    #expect(try await system.number(isClosed) == 1)
                }
            }
        }
    }
}
