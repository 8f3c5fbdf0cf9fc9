import Foundation
import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// What is old goes, nothing else, on both editions; what is compressed stays exactly once.
    @Suite struct Policies {
        private static let day: Int64 = 86_400

        private func row(_ sensor: SensorID, daysAgo: Int64, sequence: Int64 = 0) -> MeasurementRow {
            .test(
                time: .now.advanced(bySeconds: -daysAgo * Self.day + sequence), sensor: sensor,
                position: FramePosition(boot: 1, sequence: sequence),
                samples: .counts((0..<500).map { Int16($0 % 100) }, scale: 0.1, offset: 0))
        }

        private func rollUp(_ store: StoreConnection) async throws {
            try await store.run("UPDATE ingest_partition SET lease_until = clock_timestamp() + INTERVAL '1 minute'")
            for _ in 0..<3 {
                try await store.run(
                    "UPDATE rollup_state SET looked_at = clock_timestamp(), held_until = '-infinity'")
                while try await store.rollUp() {}
            }
        }

        @Test func dropsWhatIsOlderAndSaysSo() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    var batch = partition.batch(rows: [10, 20, 40].map { row(sensor, daysAgo: $0) })
                    batch.latest = [LatestValue(batch.measurements[0])]
                    try await partition.commit(batch)
                    try await system.store.run(
                        """
                        INSERT INTO command (command_id, serial, name, state, issued_at)
                        VALUES ('old', 'a', 'sleep', 'succeeded', now() - INTERVAL '400 days'),
                               ('open', 'a', 'sleep', 'queued', now() - INTERVAL '400 days'),
                               ('new', 'a', 'sleep', 'succeeded', now())
                        """)
                    try await system.store.run(
                        """
                        INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, cleared_at)
                        VALUES ('old', \(sensor), 0, 'r', now() - INTERVAL '5000 days', now() - INTERVAL '4999 days'),
                               ('open', \(sensor), 0, 'r', now() - INTERVAL '5000 days', NULL)
                        """)
                    try await system.store.run(
                        """
                        INSERT INTO quarantine (at, reason, routing_key, source, length, hash, payload)
                        SELECT now() - k * INTERVAL '1 second' - INTERVAL '100 days', 'r', 'k', 's', 0, 0, ''
                          FROM generate_series(1, 25000) k
                        """)
                    let before = try await system.store.policies()
                    #expect(before.map(\.tier) == StoreTier.allCases)
                    #expect(before.first { $0.tier == .quarantine }?.isOverdue == true)
                    // Not before it is rolled up, however old.
                    try await system.store.set(
                        policies: [PolicyChange(tier: .measurement, duration: .seconds(15 * Self.day))])
                    var dropped = try await system.store.applyPolicies()
                    #expect(dropped == [.command: 1, .alarm: 1, .quarantine: 25_000])
                    try await rollUp(system.store)
                    dropped = try await system.dropOld()
                    if try await !system.isCommunity { #expect(dropped == [.measurement: 2]) }
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 1)
                    #expect(try await system.number("SELECT count(*) FROM measurement_1d") == 3)
                    #expect(try await system.store.policies().allSatisfy { !$0.isOverdue })
                    let left = try await system.store.fetch("SELECT command_id AS id FROM command ORDER BY 1")
                    #expect(try left.map { try $0.text("id") } == ["new", "open"])
                }
            }
        }

        @Test func whatAPolicySaysNoMoreIsNotDropped() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.run(
                    """
                    INSERT INTO quarantine (at, reason, routing_key, source, length, hash, payload)
                    VALUES (now() - INTERVAL '2 days', 'r', 'k', 's', 0, 0, '')
                    """)
                try await system.store.set(policies: [PolicyChange(tier: .quarantine, duration: .seconds(Self.day))])
                try await system.store.run("SELECT retention_mark()")
                try await system.store.set(policies: [PolicyChange(tier: .quarantine, duration: nil)])
                #expect(try await system.store.applyPolicies().isEmpty)
                try await system.store.set(policies: [PolicyChange(tier: .quarantine, duration: .seconds(9 * Self.day))]
                )
                #expect(try await system.store.applyPolicies().isEmpty)
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 1)
            }
        }

        @Test func belongToTheConfigurationOrToPeople() async throws {
            try await TestSystem.with { system in
                let store = system.store
                try await Migrations.apply(to: store)
                let week = PolicyChange(tier: .log, duration: .seconds(7 * Self.day))
                try await store.configure(policies: [week])
                await #expect(throws: PolicyConfigured.self) {
                    try await store.set(policies: [
                        PolicyChange(tier: .alarm, duration: nil), PolicyChange(tier: .log, duration: nil),
                    ])
                }
                func source(_ tier: StoreTier) async throws -> String? {
                    return try await store.policies().first { $0.tier == tier }?.source
                }
                #expect(try await source(.alarm) == "default")
                try await store.set(policies: [PolicyChange(tier: .alarm, duration: nil)])
                #expect(try await source(.alarm) == "iotctl")
                // What the configuration says no more is anybody's, and stays as it is.
                try await store.configure(policies: [])
                #expect(try await source(.log) == "default")
                #expect(try await store.policies().first { $0.tier == .log }?.keep == .seconds(7 * Self.day))
                try await store.set(policies: [PolicyChange(tier: .log, duration: nil)])
                #expect(try await source(.log) == "iotctl")
            }
        }

        @Test func sizesQueriesAndOwnersAreWrittenDownOnce() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await partition.commit(rows: [row(1, daysAgo: 0)])
                    for _ in 0..<2 {
                        try await system.store.recordHistory(diskBytes: 1 << 40, diskFreeBytes: nil)
                        try await system.store.recordIngest()
                    }
                    #expect(try await system.number("SELECT count(*) FROM ingest_history") == 2)
                    let history = try await system.store.fetch(
                        "SELECT tier, disk_free_bytes FROM storage_history WHERE tier IN ('(database)', 'measurement')")
                    #expect(history.count == 2)
                    #expect(try history.compactMap { try $0.optionalInteger("disk_free_bytes") }.count == 1)
                    #expect(try await system.number("SELECT count(*) FROM query_history") > 3)
                    let report = try await system.store.storageReport()
                    #expect(report.tables.first { $0.table == "measurement" }?.chunks == 1)
                    #expect(report.bytes > 1_000_000 && report.diskBytes == 1 << 40)
                    #expect(report.forecast.bytesPerDay == nil && report.backup == nil)
                }
            }
        }

        @Test func aDiskThatNobodyNamedIsNotFull() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.recordHistory(diskBytes: nil, diskFreeBytes: nil)
                let past = try await system.store.storagePast()
                #expect(past.count == 1 && past[0].freeBytes == nil)
                try await system.store.run("UPDATE storage_history SET at = at - INTERVAL '3 hours'")
                try await system.store.recordHistory(diskBytes: 1 << 40, diskFreeBytes: 77)
                #expect(try await system.store.storagePast().map(\.freeBytes) == [nil, 77])
            }
        }

        // MARK: the oldest datum

        private func byTier(_ store: StoreConnection) async throws -> [StoreTier: PolicyRecord] {
            Dictionary(try await store.policies().map { ($0.tier, $0) }, uniquingKeysWith: { first, _ in first })
        }

        /// OLDEST is the time of a row, in each tier, and never in the future; the date of the drop is another one.
        @Test func theOldestDatumIsOneThatIsThere() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    let now = Timestamp(unixMilliseconds: Timestamp.now.unixNanoseconds / 1_000_000)
                    func at(_ seconds: Int64) -> Timestamp { now.advanced(bySeconds: seconds) }
                    func row(_ sensor: SensorID, _ channel: Int16, _ seconds: Int64) -> MeasurementRow {
                        .test(time: at(seconds), sensor: sensor, channel: channel, samples: .value(1))
                    }
                    #expect(try await store.policies().allSatisfy { $0.oldest == nil && $0.dropAt == nil })
                    // A device's clock may be ahead.
                    try await partition.commit(rows: [row(1, 0, 500)])
                    let ahead = try #require(try await byTier(store)[.measurement])
                    #expect(ahead.oldest == nil && ahead.overdue == .zero)
                    // The chunk of 30 days ago has lost its only row. The oldest row is neither that of the first sensor
                    // nor that of a first channel.
                    let day = Self.day
                    try await partition.commit(
                        rows: [
                            row(2, 0, -30 * day), row(2, 1, -3 * day), row(3, 2, -4 * day), row(3, 3, -3 * day),
                            row(9, 0, -2 * day),
                            row(1, 1, -1),
                        ])
                    try await store.run("DELETE FROM measurement WHERE \"time\" < \(at(-29 * day))")
                    try await fillTheOtherTiers(store, at)
                    let tiers = try await byTier(store)
                    let expected: [StoreTier: Int64] = [
                        .measurement: -4, .log: -5, .location: -6, .alarm: -7, .command: -8, .quarantine: -9,
                        .history: -11,
                    ]
                    for (tier, days) in expected {
                        let policy = try #require(tiers[tier])
                        #expect(policy.oldest == at(days * day), "\(policy)")
                        // Rows go one by one, chunks when their end is old enough.
                        let keep = try #require(policy.keep).components.seconds
                        let drop = try #require(policy.dropAt)
                        if tier.isChunked {
                            // A chunk that is empty is dropped, too.
                            #expect(drop > at(-31 * day + keep) && policy.overdue == .zero, "\(policy)")
                        } else {
                            #expect(drop >= at(days * day + keep), "\(policy)")
                        }
                    }
                    #expect(tiers[.minutes]?.oldest == nil && tiers[.days]?.dropAt == nil)

                    let report = try await store.storageReport()
                    #expect(report.policies == (try await store.policies()))
                    for (tier, days) in expected where tier != .history {
                        let table = try #require(report.tables.first { $0.table == tier.rawValue })
                        #expect(table.oldest == at(days * day), "\(table)")
                    }
                    #expect(report.tables.allSatisfy { $0.oldest.map { $0 <= report.at } ?? true })
                }
            }
        }

        /// The time that the registry records is taken for two hours, while its chunk is the oldest.
        @Test func theRecordedTimeIsTakenWhileItsChunkIsTheOldest() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    let day = Timestamp(
                        unixNanoseconds: (Timestamp.now.unixNanoseconds / 86_400_000_000_000 - 2) * 86_400_000_000_000)
                    func commit(_ seconds: Int64) async throws {
                        try await partition.commit(
                            rows: [.test(time: day.advanced(bySeconds: seconds), sensor: 1, samples: .value(1))])
                    }
                    func oldest() async throws -> Int64? {
                        try await byTier(store)[.measurement]?.oldest.map { Int64($0.seconds(since: day)) }
                    }
                    try await commit(12 * 3600)
                    try await store.recordHistory(diskBytes: nil, diskFreeBytes: nil)
                    try await commit(11 * 3600)
                    #expect(try await oldest() == 12 * 3600)
                    try await store.run("UPDATE storage_history SET at = at - INTERVAL '3 hours'")
                    #expect(try await oldest() == 11 * 3600)
                    try await store.recordHistory(diskBytes: nil, diskFreeBytes: nil)
                    try await commit(10 * 3600)
                    #expect(try await oldest() == 11 * 3600)
                    // It was read again, not copied.
                    let recorded = try await system.number(
                        """
                        SELECT count(DISTINCT oldest) FROM storage_history WHERE tier = 'measurement' AND oldest IS NOT NULL
                        """)
                    #expect(recorded == 2)
                    try await commit(-3 * Self.day)
                    #expect(try await oldest() == -3 * Self.day)
                }
            }
        }

        /// In each tier a row of some days ago and, where there can be one, a row of the future.
        private func fillTheOtherTiers(_ store: StoreConnection, _ at: (Int64) -> Timestamp) async throws {
            let day = Self.day
            func times(_ days: Int64) -> [Timestamp] { [at(-days * day), at(300)] }
            try await store.run("INSERT INTO sensor (serial) VALUES ('a')")
            for sql: SQL in [
                """
                INSERT INTO sensor_log ("time", received_at, boot_id, sensor_id, level, text)
                SELECT t, t, 1, s, 2, 'x' FROM unnest(\(times(5))::timestamptz[], ARRAY[2, 1]) AS u(t, s)
                """,
                """
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude)
                SELECT t, s, 1, 2, 3 FROM unnest(\(times(6))::timestamptz[], ARRAY[2, 1]) AS u(t, s)
                """,
                """
                INSERT INTO alarm (alarm_id, sensor_id, channel, rule, raised_at, cleared_at)
                SELECT t::text, (SELECT min(sensor_id) FROM sensor), 0, 'r', t, t FROM unnest(\(times(7))::timestamptz[]) t
                """,
                """
                INSERT INTO command (command_id, serial, name, state, issued_at)
                SELECT t::text, 'a', 'sleep', 'succeeded', t FROM unnest(\(times(8))::timestamptz[]) t
                """,
                """
                INSERT INTO quarantine (at, reason, routing_key, source, length, hash, payload)
                SELECT t, 'r', 'k', 's', 0, 0, '' FROM unnest(\(times(9))::timestamptz[]) t
                """,
                "INSERT INTO storage_history (at, tier, total_bytes) SELECT t, 'x', 1 FROM unnest(\(times(10))::timestamptz[]) t",
                """
                INSERT INTO ingest_history (at, stream, epoch, incarnation, replicas)
                SELECT t, 's', 1, 1, 1 FROM unnest(\(times(11))::timestamptz[]) t
                """,
            ] { try await store.run(sql) }
        }

        // MARK: community edition

        /// On the community edition: its own policies, its columnstore, and frames that come late into it.
        @Test(.enabled(if: TestServers.communityURL != nil, "TEST_TSL_DATABASE_URL is not set"))
        func theCommunityEditionCompressesAndDropsByItself() async throws {
            try await TestSystem.with(databaseServer: TestServers.communityURL) { system in
                try await system.leased { partition in
                    let store = system.store
                    let ids = try await store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(ids[serial("a")])
                    var batch = partition.batch(rows: (0..<2000).map { row(sensor, daysAgo: 10, sequence: $0) })
                    batch.measurements += [row(sensor, daysAgo: 200)]
                    batch.latest = [LatestValue(batch.measurements[0])]
                    try await partition.commit(batch)
                    try await rollUp(store)
                    let rolled = try await system.number("SELECT sum(n) FROM measurement_1m")
                    #expect(rolled == 2001 * 500)
                    _ = try await store.applyPolicies()
                    _ = try await store.applyPolicies()
                    let jobs = try await system.number(
                        """
                        SELECT count(*) FROM timescaledb_information.jobs
                         WHERE hypertable_name = 'measurement' AND proc_name IN ('policy_retention', 'policy_compression')
                        """)
                    #expect(jobs == 2)
                    for job in try await store.fetch(
                        """
                        SELECT job_id FROM timescaledb_information.jobs WHERE hypertable_name = 'measurement'
                         ORDER BY proc_name
                        """
                    ) { try await store.run("CALL run_job(\(literal: job.integer("job_id")))") }
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 2000)
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed AND hypertable_name = 'measurement'"
                        ) > 0)
                    try await store.run("SELECT compress_chunk(c) FROM show_chunks('measurement_1m') c")
                    // Late frames, some of them there already, go into what is compressed; once.
                    let sequences = Array(Int64(1990)..<2010)
                    let late = partition.batch(
                        rows: sequences.dropFirst(10).map { row(sensor, daysAgo: 10, sequence: $0) })
                    try await partition.commit(late)
                    try await rollUp(store)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 2010)
                    #expect(try await system.number("SELECT count(DISTINCT sequence) FROM measurement") == 2010)
                    #expect(try await system.number("SELECT sum(n) FROM measurement_1m") == rolled + 10 * 500)
                    let samples = try await system.number(
                        "SELECT count(*) FROM samples('a', '0', now() - INTERVAL '11 days', now() - INTERVAL '9 days')")
                    #expect(samples == 2010 * 500)
                    let report = try await store.storageReport()
                    let table = try #require(report.tables.first { $0.table == "measurement" })
                    #expect((table.beforeCompression ?? 0) > (table.afterCompression ?? .max))
                    // Another policy replaces the old one.
                    try await store.set(
                        policies: [
                            PolicyChange(tier: .measurement, duration: .seconds(5 * Self.day)),
                            PolicyChange(tier: .measurement, aspect: .columnstoreAfter, duration: nil),
                        ])
                    _ = try await store.applyPolicies()
                    let config = try await store.fetch(
                        "SELECT config ->> 'drop_after' AS keep FROM timescaledb_information.jobs WHERE hypertable_name = 'measurement'"
                    )
                    #expect(try config.map { try $0.text("keep") } == ["120:00:00"])
                }
            }
        }
    }
}
