import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// The loss ledger in the database: places, causes, joined gaps, and what is found later.
    @Suite struct Losses {
        private func place(_ offset: Int64, _ incarnation: Int64 = 1) -> StreamPosition {
            StreamPosition(incarnation: incarnation, offset: offset)
        }

        private func key(_ system: TestSystem, _ name: String = "a", boot: Int64 = 1) async throws -> LedgerCache.Key {
            let serial = try serial(name)
            let ids = try await system.store.sensorIDs(for: [serial])
            return LedgerCache.Key(sensor: try #require(ids[serial]), boot: boot)
        }

        /// "first-last missing cause" of each gap.
        private func gaps(_ system: TestSystem) async throws -> [String] {
            try await system.store.fetch(
                """
                SELECT concat(first_sequence, '-', last_sequence, ' ', missing, ' ', cause) AS gap FROM sequence_gap
                 ORDER BY sensor_id, boot_id, first_sequence
                """
            ).map { try $0.text("gap") }
        }

        private func announce(
            _ system: TestSystem, boot: Int64 = 1, next: Int64, dropped: Int64 = 0, after seconds: Int64 = 0
        ) async throws {
            let said = Announcement(
                boot: boot, connection: 1, kind: "climate", firmware: "1", state: .awake, rate: nil, nextSequence: next,
                framesDropped: dropped, channels: [], at: nil)
            let received = Timestamp(unixMilliseconds: 1_763_728_440_000).advanced(bySeconds: seconds)
            try await system.store.record([
                .announcement(Received(serial: try serial("a"), received: received, content: said))
            ])
        }

        /// All pages.
        private func findCauses(_ system: TestSystem) async throws -> Int {
            var (found, last): (Int, SensorID) = (0, 0)
            while true {
                let sensors = try await system.store.sensorsWithoutCauses(after: last)
                guard let end = sensors.last else { return found }
                found += try await system.store.findCauses(of: sensors)
                last = end
            }
        }

        @Test func placesSayWhichHoleAGapLiesOver() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let key = try await key(system)
                    try await partition.commit(key, sequences: [0, 2], at: [place(0), place(4)])
                    #expect(try await gaps(system) == ["1-1 1 late"])
                    // Another takes over, and finds a hole; later frames of the boot have nothing to do with it.
                    partition.book = LedgerCache()
                    try await partition.commit(key, sequences: [5, 7], at: [place(20), place(21)], holes: [6...19])
                    #expect(try await gaps(system) == ["1-1 1 late", "3-4 2 broker_retention", "6-6 1 late"])
                    // What comes late splits the gap, and the rest keeps its cause.
                    try await partition.commit(key, sequences: [3], at: [place(22)])
                    #expect(try await gaps(system) == ["1-1 1 late", "4-4 1 broker_retention", "6-6 1 late"])
                    // The stream is made anew; the ledgers and holes are read again.
                    partition.lease = try await system.store.reset(partition.lease)
                    partition.book = LedgerCache()
                    partition.book.load(try await system.store.holes(of: "measurements.0"))
                    try await partition.commit(key, sequences: [9], at: [place(0, 2)])
                    #expect(try await gaps(system).last == "8-8 1 stream_reset")
                    let boot = try await system.store.fetchOne("SELECT * FROM sensor_boot")
                    #expect(try boot.text("stream") == "measurements.0" && boot.integer("first_offset") == 0)
                    #expect(try boot.integer("first_incarnation") == 1 && boot.integer("last_incarnation") == 2)
                    #expect(try boot.integer("last_offset") == 0 && boot.optionalText("last_at") != nil)
                }
            }
        }

        /// `iotctl audit --since` goes by the time that a loss was noted, not by that of its last change.
        @Test func aSplitGapIsNotNotedAnew() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let key = try await key(system)
                    try await partition.commit(key, sequences: [9])
                    try await system.store.run("UPDATE sequence_gap SET noted_at = '2026-01-02T03:04:05.678901Z'")
                    try await partition.commit(key, sequences: [4, 11])
                    #expect(try await gaps(system) == ["0-3 4 late", "5-8 4 late", "10-10 1 late"])
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM sequence_gap WHERE noted_at = '2026-01-02T03:04:05.678901Z'") == 2)
                    #expect(
                        try await system.number(
                            "SELECT count(*) FROM sequence_gap WHERE noted_at > now() - INTERVAL '1 hour'") == 1)
                }
            }
        }

        /// The number of partitions has changed: places of one stream say nothing of another.
        @Test func aSensorMayChangeItsStream() async throws {
            try await TestSystem.with { system in
                try await system.leased { one in
                    let key = try await key(system)
                    try await one.commit(key, sequences: [0], at: [place(900)])
                    let two = try await system.taken("measurements.1", by: "r1")
                    try await two.commit(key, sequences: [3], at: [place(7)], holes: [])
                    #expect(try await gaps(system) == ["1-2 2 late"])
                    let boot = try await system.store.fetchOne("SELECT * FROM sensor_boot")
                    #expect(try boot.text("stream") == "measurements.1")
                    #expect(try boot.integer("first_offset") == 7 && boot.integer("last_offset") == 7)
                    let read = try await system.store.ledgers(for: [key], stream: "measurements.0")
                    #expect(read[key]?.last == nil && read[key]?.ledger.next == 4)
                    #expect(try await system.store.ledgers(for: [key], stream: "measurements.1")[key]?.last == place(7))
                    // A frame that comes by no stream leaves the place as it was.
                    two.book = LedgerCache()
                    try await two.commit(key, sequences: [1])
                    #expect(try await system.store.ledgers(for: [key], stream: "measurements.1")[key]?.last == place(7))
                }
            }
        }

        @Test func nothingInAJoinedGapIsStoredTwice() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let key = try await key(system)
                    let limit = Int64(SequenceLedger.gapsMax)
                    try await partition.commit(key, sequences: (0...limit).map { $0 * 2 + 1 })
                    #expect(try await system.number("SELECT count(*) FROM sequence_gap") == limit)
                    #expect(try await system.number("SELECT sum(missing)::bigint FROM sequence_gap") == limit + 1)
                    #expect(try await gaps(system).first == "0-2 2 late")
                    // Whoever takes over knows it as well.
                    partition.book = LedgerCache()
                    #expect(
                        try await partition.commit(key, sequences: [0, 1, 4, 5])
                            == [.unknown, .unknown, .late, .duplicate])
                    #expect(try await system.number("SELECT count(*) FROM measurement WHERE sequence < 6") == 4)
                    let boot = try await system.store.fetchOne("SELECT * FROM sensor_boot")
                    #expect(try boot.integer("given_up") == 2 && boot.integer("duplicates") == 1)
                    #expect(try boot.integer("frames") == limit + 2)
                    let audits = try await system.store.audit(["a"])
                    #expect(audits.first?.boots.first?.givenUp == 2 && audits.first?.missing == limit)
                    let boots = try await system.store.sensorDetail("a")?.boots
                    #expect(boots?.map(\.missing) == [limit])
                }
            }
        }

        @Test func causesAreFoundLater() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let key = try await key(system)
                    try await partition.commit(key, sequences: [0, 3, 5, 8], at: (0..<4).map { place($0) })
                    #expect(try await findCauses(system) == 0)
                    var batch = partition.batch()
                    let frame = FramePosition(boot: 1, sequence: 4)
                    batch.quarantine = [
                        QuarantinedPayload(
                            rejection: Rejection(.undecodable, "junk"), key: "sensor_a.data",
                            source: partition.lease.stream, incarnation: 1, offset: 4,
                            received: Timestamp(unixMilliseconds: 1_763_728_440_000), body: [1],
                            serial: try serial("a"), position: frame)
                    ]
                    try await partition.commit(batch)
                    try await announce(system, next: 10, dropped: 2)
                    #expect(try await findCauses(system) == 2)
                    #expect(
                        try await gaps(system) == ["1-2 2 dropped_at_source", "4-4 1 quarantined", "6-7 2 late"])
                    #expect(try await findCauses(system) == 0)
                    // It begins anew: the rest will not come, not even what it had announced.
                    try await announce(system, boot: 2, next: 0, after: 1)
                    #expect(try await findCauses(system) == 1)
                    #expect(try await gaps(system).last == "6-7 2 sensor_restarted")
                    let losses = try await system.store.audit().first?.boots.first?.losses
                    #expect(
                        losses?.map(\.cause) == [.droppedAtSource, .quarantined, .sensorRestarted, .sensorRestarted])
                    #expect(losses?.map(\.range) == [1...2, 4...4, 6...7, 9...9])
                    // A frame that comes after all closes its gap; what the ingester splits is looked at again.
                    try await partition.commit(key, sequences: [7], at: [place(9)])
                    #expect(try await findCauses(system) <= 1)
                    #expect(
                        try await gaps(system) == [
                            "1-2 2 dropped_at_source", "4-4 1 quarantined", "6-6 1 sensor_restarted",
                        ])
                }
            }
        }

        /// Rows that an ingester is changing are left alone, so that nobody waits in a circle.
        @Test func whatIsBeingWrittenIsLeftForLater() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let key = try await key(system)
                    try await partition.commit(key, sequences: [1, 3])
                    try await announce(system, next: 4, dropped: 2)
                    let other = try system.anotherStore()
                    try await other.run("BEGIN")
                    try await other.run("SELECT * FROM sequence_gap WHERE first_sequence = 0 FOR UPDATE")
                    #expect(try await findCauses(system) == 1)
                    #expect(try await gaps(system) == ["0-0 1 late", "2-2 1 dropped_at_source"])
                    try await other.run("COMMIT")
                    #expect(try await findCauses(system) == 1)
                    await other.close()
                }
            }
        }

        @Test func whatASensorSaysOfABootNeverGoesBack() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await announce(system, next: 10, dropped: 1)
                try await announce(system, next: 25, dropped: 3, after: 10)
                // One that was under way for long.
                try await announce(system, next: 12, dropped: 1, after: 5)
                try await announce(system, boot: 2, next: 1, after: 20)
                let rows = try await system.store.fetch("SELECT * FROM boot_announcement ORDER BY boot_id")
                #expect(try rows.map { try $0.integer("next_sequence") } == [25, 1])
                #expect(try rows.map { try $0.integer("frames_dropped") } == [3, 0])
                #expect(try rows.map { try $0.integer("earlier_next_sequence") } == [10, 0])
                // A Last Will says nothing of frames, and a restart of the sensor's counter is not believed.
                try await announce(system, next: 3, after: 30)
                #expect(
                    try await system.number("SELECT next_sequence FROM boot_announcement WHERE boot_id = 1") == 25)
            }
        }

        /// Of a sensor that announces more often than every 10 s an announcement gets old enough all the same.
        @Test func anEarlierAnnouncementIsKeptUntilItIsDue() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                /// The earlier announcement: its second and its number.
                func earlier() async throws -> [Int64?] {
                    let row = try await system.store.fetchOne(
                        """
                        SELECT earlier_next_sequence AS next, extract(epoch FROM earlier_at - first_at)::bigint AS second
                          FROM boot_announcement
                        """)
                    return [try row.optionalInteger("second"), try row.optionalInteger("next")]
                }
                for second in stride(from: Int64(0), through: 27, by: 3) {
                    try await announce(system, next: second * 10, after: second)
                }
                #expect(try await earlier() == [0, 0])
                try await announce(system, next: 300, after: 30)
                #expect(try await earlier() == [27, 270])
                // No more frames.
                for second in stride(from: Int64(33), through: 99, by: 3) {
                    try await announce(system, next: 300, after: second)
                }
                #expect(try await earlier() == [54, 300])
                // Every 10 s: always the one before.
                try await announce(system, next: 400, after: 110)
                try await announce(system, next: 500, after: 120)
                #expect(try await earlier() == [110, 400])
            }
        }

        /// Old rows lie in chunks that a look must not lock, one and all.
        @Test func rowsWithoutNumbersAreThoseOfADay() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try await key(system).sensor
                    let rows = (0..<5).map { day in
                        MeasurementRow.test(
                            time: Timestamp.now.advanced(bySeconds: -86_400 * day - 60), sensor: sensor,
                            samples: .value(1))
                    }
                    try await partition.commit(rows: rows)
                    try await system.store.commit(latest: [LatestValue(rows[0])])
                    #expect(try await system.store.audit().map(\.unnumberedRows) == [1])
                    #expect(try await system.store.audit(since: .seconds(3 * 86_400)).map(\.unnumberedRows) == [3])
                }
            }
        }

        @Test func theAuditIsBySerialAndOfWhatWasAskedFor() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    var names: [String] = []
                    for number in 0..<230 { names.append("s\(number)") }
                    _ = try await system.store.sensorIDs(for: names.map { try serial($0) })
                    try await partition.commit(try await key(system, "s7"), sequences: [2])
                    #expect(try await system.store.audit().map(\.serial) == names.sorted())
                    let some = try await system.store.audit(["s9", "s7", "nobody"])
                    #expect(some.map(\.serial) == ["s7", "s9"])
                    #expect(some.map(\.missing) == [2, 0])
                    try await system.store.run("UPDATE sensor_boot SET last_at = now() - INTERVAL '2 hours'")
                    #expect(try await system.store.audit(["s7"], since: .seconds(3600)).first?.boots == [])
                    #expect(try await system.store.audit(["s7"], since: .seconds(10_000)).first?.missing == 2)
                }
            }
        }
    }
}
