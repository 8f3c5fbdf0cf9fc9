import Foundation
import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing
import Time

extension Integration {
    /// The saved state of a stream's evaluator, and what releases without rules leave and find.
    @Suite struct RuleStates {
        private let time = Timestamp(unixMilliseconds: 1_763_728_440_000)

        private func state(_ partition: Partition, offset: Int64?) -> RuleStateRecord {
            RuleStateRecord(
                incarnation: partition.lease.incarnation, offset: offset, fingerprint: offset.map { $0 * 31 },
                body: [0, 255, 7])
        }

        @Test func aStateComesBackUntilThereAreNoRules() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let (store, lease) = (system.store, partition.lease)
                    let nothing = try await store.evaluation(of: lease)
                    #expect(nothing.state == nil && nothing.older == nil && nothing.undeliverable.isEmpty)
                    for offset in [nil, 5, 9] as [Int64?] {
                        try await store.save(state(partition, offset: offset), of: lease)
                        #expect(try await store.evaluation(of: lease).state == state(partition, offset: offset))
                    }
                    var batch = partition.batch(messages: 30)
                    batch.holes = [
                        MissingOffsets(3...4, .undeliverable), MissingOffsets(8...9, .undeliverable),
                        MissingOffsets(12...13, .undeliverable), MissingOffsets(20...21, .brokerRetention),
                    ]
                    try await partition.commit(batch)
                    #expect(try await store.evaluation(of: lease).undeliverable == [8...9, 12...13])
                    try await store.save(nil, of: lease)
                    #expect(try await store.evaluation(of: lease).state == nil)
                }
            }
        }

        /// A replica that lost its lease, or does not know that the stream was recreated, changes nothing.
        @Test func anOvertakenReplicaCannotSave() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    _ = try await store.sensorIDs(for: [serial("a")])
                    try await store.run(
                        "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 0, 'x' FROM sensor")
                    try await store.save(state(partition, offset: 5), of: partition.lease)
                    let on = LimitAlarm(
                        serial: try serial("a"), channel: "x", number: 0, id: "i", side: .high, since: time)
                    var (epoch, incarnation) = (partition.lease, partition.lease)
                    epoch.epoch -= 1
                    incarnation.incarnation += 1
                    for zombie in [epoch, incarnation] {
                        for record in [state(partition, offset: 8), nil] {
                            await #expect(throws: IngestConflict.leaseLost) {
                                try await store.save(record, of: zombie, limits: [on])
                            }
                        }
                    }
                    #expect(try await store.evaluation(of: partition.lease).state == state(partition, offset: 5))
                    #expect(try await store.limitAlarms(isOn: false).isEmpty)
                    let reset = try await store.reset(partition.lease)
                    await #expect(throws: IngestConflict.leaseLost) {
                        try await store.save(state(partition, offset: 8), of: partition.lease)
                    }
                    try await store.save(state(partition, offset: 8), of: reset)
                }
            }
        }

        /// A save waits for no batch in the middle of its transaction, and no batch for a save.
        @Test func savesAndBatchesDoNotWaitForEachOther() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let other = try system.anotherStore()
                    let (state, lease) = (state(partition, offset: 1), partition.lease)
                    try await system.store.transaction { session in
                        try session.run(
                            "SELECT pg_advisory_xact_lock(\(0x69_6F_74), hashtext(\(lease.stream)))")
                        try session.run("INSERT INTO sensor (serial) VALUES ('in-a-batch')")
                        let done = DispatchSemaphore(value: 0)
                        Task {
                            try await other.save(state, of: lease)
                            done.signal()
                        }
                        #expect(done.wait(timeout: .now() + 30) == .success)
                    }
                    try await partition.commit(partition.batch())
                    await other.close()
                }
            }
        }

        @Test func limitsAlarmsAreKeptForOlderReleases() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let store = system.store
                    _ = try await store.sensorIDs(for: [serial("a"), serial("b")])
                    try await store.run(
                        "INSERT INTO channel (sensor_id, channel, name) SELECT sensor_id, 2, 'x' FROM sensor")
                    func alarm(_ sensor: String, _ id: String?) throws -> LimitAlarm {
                        LimitAlarm(
                            serial: try serial(sensor), channel: "x", number: 2, id: id, side: id.map { _ in .low },
                            since: time)
                    }
                    let record = state(partition, offset: 5)
                    try await store.save(record, of: partition.lease, limits: [alarm("a", "i"), alarm("b", "j")])
                    #expect(try await store.limitAlarms(isOn: true) == [alarm("a", "i"), alarm("b", "j")])
                    // A sensor without the channel any more is left out.
                    try await store.save(
                        record, of: partition.lease,
                        limits: [
                            alarm("b", nil),
                            LimitAlarm(serial: serial("c"), channel: "x", number: 2, id: "k", side: .low, since: time),
                        ])
                    #expect(try await store.limitAlarms(isOn: true) == [alarm("a", "i")])
                    #expect(try await store.limitAlarms(isOn: false) == [alarm("a", "i"), alarm("b", nil)])
                    // As the release before reads it.
                    let row = try await store.fetchOne("SELECT * FROM alarm_state WHERE alarm_id IS NOT NULL")
                    #expect(try row.text("side") == "low" && row.integer("as_of_ns") == time.unixNanoseconds)
                }
            }
        }

        /// Releases before call `ingest_commit` in their own way: what they store they have judged.
        @Test func whatAnOlderReleaseStoresIsNoted() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let (store, lease) = (system.store, partition.lease)
                    try await partition.commit(partition.batch())
                    #expect(try await store.evaluation(of: lease).older == nil)
                    try await store.run(
                        """
                        SELECT ingest_commit(\(lease.stream), \(lease.epoch), \(lease.incarnation)::int, 0::bigint, 7::bigint,
                                             1::bigint, now(), NULL::timestamptz)
                        """)
                    let place = StreamPosition(incarnation: lease.incarnation, offset: 7)
                    #expect(try await store.evaluation(of: lease).older == place)
                    partition.lease.committed = 7
                    try await partition.commit(partition.batch())
                    #expect(try await store.evaluation(of: lease).older == place)
                    try await store.run(
                        """
                        SELECT ingest_commit(\(lease.stream), \(lease.epoch), \(lease.incarnation)::int, 8::bigint, 9::bigint,
                                             1::bigint)
                        """)
                    #expect(try await store.evaluation(of: lease).older?.offset == 9)
                }
            }
        }
    }
}
