import Foundation
import Model
import Postgres
import Rules
import Store
import TestSupport
import Testing
import Time

extension Integration {
    @Suite struct Ingesting {
        private let time = Timestamp(unixMilliseconds: 1_763_728_440_000)

        /// A batch with something for every table.
        private func fullBatch(_ partition: Partition, sensor: SensorID) -> IngestBatch {
            var batch = partition.batch(rows: [.test(time: time, sensor: sensor, samples: .value(1))])
            batch.quarantine = [
                QuarantinedPayload(
                    rejection: Rejection(.undecodable, "junk"), key: "sensor_a.data", source: partition.lease.stream,
                    incarnation: 1, offset: 0, received: time, body: [UInt8](repeating: 0, count: 70_000))
            ]
            batch.holes = [MissingOffsets(3...7, .brokerRetention)]
            batch.places = [(sensor, time, GeoPosition(latitude: 1, longitude: 2, altitude: 3))]
            batch.latest = [LatestValue(.test(time: time, sensor: sensor, samples: .floats([1, 2])))]
            return batch
        }

        private func counts(_ system: TestSystem) async throws -> [Int64] {
            var counts: [Int64] = []
            for table in [
                "measurement", "quarantine", "stream_hole", "location", "latest", "sensor_boot",
            ] {
                counts.append(try await system.number("SELECT count(*) FROM \(identifier: table)"))
            }
            return counts
        }

        @Test func aBatchIsStoredWholeOrNotAtAll() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let sensor = try #require(try ids[serial("a")])
                    var zombies: [PartitionLease] = []
                    for change in 0..<4 {
                        var lease = partition.lease
                        switch change {
                        case 0: lease.epoch -= 1
                        case 1: lease.incarnation += 1
                        case 2: lease.committed = 41
                        default: lease.stream = "measurements.9"
                        }
                        zombies.append(lease)
                    }
                    for lease in zombies {
                        var batch = fullBatch(partition, sensor: sensor)
                        batch.lease = lease
                        await #expect(throws: IngestConflict.leaseLost) { try await system.store.commit(batch) }
                        #expect(try await counts(system) == [0, 0, 0, 0, 0, 0])
                    }
                    #expect(try await system.store.position(of: "measurements.0") == partition.lease)
                    try await partition.commit(fullBatch(partition, sensor: sensor))
                    #expect(try await counts(system) == [1, 1, 1, 1, 1, 0])
                    #expect(try await system.store.position(of: "measurements.0") == partition.lease)

                    #expect(
                        try await system.store.lastPlaces(of: [sensor, 99])
                            == [sensor: GeoPosition(latitude: 1, longitude: 2, altitude: 3)])
                    let junk = try await system.store.fetchOne("SELECT *, length(payload) AS kept FROM quarantine")
                    #expect(try junk.integer("length") == 70_000 && junk.integer("kept") == 65_536)
                    #expect(try junk.text("reason") == "undecodable" && junk.text("routing_key") == "sensor_a.data")
                    let hole = try await system.store.fetchOne("SELECT * FROM stream_hole")
                    #expect(try hole.integer("first_offset") == 3 && hole.integer("last_offset") == 7)
                    #expect(try hole.text("cause") == "broker_retention")
                }
            }
        }

        /// With the epoch alone, a batch repeated after a lost COMMIT reply was stored twice.
        @Test func aBatchCommittedTwiceIsThereOnce() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let batch = fullBatch(partition, sensor: try #require(try ids[serial("a")]))
                    try await system.store.commit(batch)
                    await #expect(throws: IngestConflict.leaseLost) { try await system.store.commit(batch) }
                    #expect(try await counts(system) == [1, 1, 1, 1, 1, 0])
                    // How the worker finds out that it was its own.
                    let position = try #require(try await system.store.position(of: "measurements.0"))
                    #expect(position.committed == batch.lastOffset && position.fingerprint == batch.lastFingerprint)
                    #expect(position.epoch == batch.lease.epoch)

                    partition.lease = position
                    var numbered = partition.batch(rows: [.test(time: time, samples: .value(2))])
                    let key = LedgerCache.Key(sensor: try #require(try ids[serial("a")]), boot: 1)
                    _ = partition.book.note(key, 0)
                    numbered.ledger = partition.book.changes
                    try await system.store.commit(numbered)
                    await #expect(throws: IngestConflict.ledgerChanged) { try await system.store.commit(numbered) }
                    #expect(try await counts(system) == [2, 1, 1, 1, 1, 1])
                }
            }
        }

        /// No correctness rests on a sensor's frames coming by one stream only.
        @Test func twoWritersOfOneSensorCannotBothBeRight() async throws {
            try await TestSystem.with { system in
                try await system.leased { one in
                    let two = try await system.taken("measurements.1", by: "r2", over: try system.anotherStore())
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let key = LedgerCache.Key(sensor: try #require(try ids[serial("a")]), boot: 7)
                    // Both have read the same ledger.
                    for partition in [one, two] {
                        for (key, entry) in try await system.store.ledgers(for: [key]) {
                            partition.book.load(key, entry)
                        }
                    }
                    #expect(try await one.commit(key, sequences: [0, 1]) == [.new, .new])
                    await #expect(throws: IngestConflict.ledgerChanged) {
                        try await two.commit(key, sequences: [1, 2])
                    }
                    #expect(try await counts(system) == [2, 0, 0, 0, 0, 1])
                    #expect(try await system.store.position(of: "measurements.1") == two.lease)
                    two.book.forget([key])
                    #expect(try await two.commit(key, sequences: [1, 2]) == [.duplicate, .new])
                    await #expect(throws: IngestConflict.ledgerChanged) { try await one.commit(key, sequences: [2]) }
                    one.book.forget([key])
                    #expect(try await one.commit(key, sequences: [2]) == [.duplicate])
                    let boot = try await system.store.fetchOne("SELECT * FROM sensor_boot")
                    #expect(try boot.integer("frames") == 3 && boot.integer("duplicates") == 2)
                    #expect(try boot.integer("next_sequence") == 3 && boot.integer("version") == 3)
                    #expect(try await system.number("SELECT count(DISTINCT sequence) FROM measurement") == 3)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 3)
                    await two.store.close()
                }
            }
        }

        @Test func gapsAreWrittenSplitAndClosed() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let ids = try await system.store.sensorIDs(for: [serial("a")])
                    let key = LedgerCache.Key(sensor: try #require(try ids[serial("a")]), boot: 1)
                    let steps: [([Int64], [ClosedRange<Int64>])] = [
                        ([0, 9], [1...8]), ([4], [1...3, 5...8]), ([20], [1...3, 5...8, 10...19]),
                        ([1, 8, 19, 4], [2...3, 5...7, 10...18]), ([2, 3], [5...7, 10...18]),
                        ([5, 6, 7] + Array(10...18), []),
                    ]
                    for (sequences, gaps) in steps {
                        try await partition.commit(key, sequences: sequences)
                        let rows = try await system.store.fetch("SELECT * FROM sequence_gap ORDER BY first_sequence")
                        let stored = try rows.map { try $0.integer("first_sequence")...$0.integer("last_sequence") }
                        #expect(stored == gaps)
                        let read = try await system.store.ledgers(for: [key])[key]
                        #expect(read?.ledger.gaps == gaps.map { SequenceGap($0) })
                    }
                    let boot = try await system.store.fetchOne("SELECT * FROM sensor_boot")
                    #expect(try boot.integer("frames") == 21 && boot.integer("duplicates") == 1)
                    #expect(try boot.integer("next_sequence") == 21)
                    let unknown = LedgerCache.Key(sensor: key.sensor, boot: 2)
                    #expect(
                        try await system.store.ledgers(for: [unknown, unknown])
                            == [unknown: LedgerCache.Entry(ledger: SequenceLedger(), version: 0)])
                }
            }
        }

        /// Late data must not overwrite the newest value.
        @Test func theLatestValueNeverGoesBack() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let ids = try await system.store.sensorIDs(for: [serial("a")])
                let sensor = try #require(try ids[serial("a")])
                func write(_ seconds: Int64, _ value: Double) async throws -> Double? {
                    let row = MeasurementRow.test(
                        time: time.advanced(bySeconds: seconds), sensor: sensor, samples: .value(value))
                    try await system.store.commit(latest: [LatestValue(row)])
                    return try await system.store.fetchOne("SELECT value FROM latest").double("value")
                }
                #expect(try await write(0, 1) == 1)
                #expect(try await write(5, 2) == 2)
                #expect(try await write(4, 3) == 2)
                #expect(try await write(5, 4) == 4)
                #expect(try await write(6, .nan)?.isNaN == true)
                #expect(try await system.number("SELECT count(*) FROM latest") == 1)
            }
        }

        @Test func sensorsAreRegisteredOnSightByManyAtOnce() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let stores = try (0..<8).map { try system.anotherStore("\($0)") }
                let all = try (0..<600).map { try serial("s\($0)") }
                let found = try await withThrowingTaskGroup(of: [SerialNumber: SensorID].self) { group in
                    for (caller, store) in stores.enumerated() {
                        group.addTask {
                            var ids: [SerialNumber: SensorID] = [:]
                            // Overlapping sets, each caller's in another order.
                            for round in 0..<5 {
                                let part = all.shuffled().prefix(200) + all.dropFirst(60 * (caller + round)).prefix(90)
                                for (serial, id) in try await store.sensorIDs(for: Array(part)) {
                                    #expect(ids[serial] == nil || ids[serial] == id)
                                    ids[serial] = id
                                }
                            }
                            await store.close()
                            return ids
                        }
                    }
                    return try await group.reduce(into: [[SerialNumber: SensorID]]()) { $0.append($1) }
                }
                let truth = try await system.store.sensorIDs(for: all)
                #expect(truth.count == 600 && Set(truth.values).count == 600)
                for ids in found { #expect(ids.allSatisfy { truth[$0.key] == $0.value }) }
                #expect(try await system.number("SELECT count(*) FROM sensor") == 600)
            }
        }

        /// An INSERT that finds its row would use up a number each time: 2³¹ are soon gone.
        @Test func knownSensorsUseUpNoNumbers() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let serials = try ["a", "b", "c"].map { try serial($0) }
                let first = try await system.store.sensorIDs(for: serials)
                for _ in 0..<20 { #expect(try await system.store.sensorIDs(for: serials + serials) == first) }
                let next = try await system.store.sensorIDs(for: [serial("d")] + serials)
                #expect(next.values.map(\.rawValue).max() == (first.values.map(\.rawValue).max() ?? 0) + 1)
                #expect(try await system.store.sensorIDs(for: []) == [:])
            }
        }

        /// JSON fields are numbered per sensor in order of first sight, at most 64.
        @Test func channelsAreNumberedInOrderOfFirstSight() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                let store = system.store
                let ids = try await store.sensorIDs(for: [serial("a"), serial("b")])
                let (a, b) = (try #require(try ids[serial("a")]), try #require(try ids[serial("b")]))
                #expect(try await store.channelNumbers(sensor: a, names: ["z", "y"]) == ["z": 0, "y": 1])
                #expect(try await store.channelNumbers(sensor: a, names: ["x", "y"]) == ["z": 0, "y": 1, "x": 2])
                #expect(try await store.channelNumbers(sensor: b, names: ["x"]) == ["x": 0])
                let many = (0..<70).map { "n\($0)" }
                let numbers = try await store.channelNumbers(sensor: a, names: many)
                #expect(numbers.count == 64)
                #expect((0..<61).allSatisfy { numbers["n\($0)"] == Int16($0 + 3) })
                #expect(numbers["n61"] == nil)
                #expect(try await store.channelNumbers(sensor: a, names: ["late"])["late"] == nil)

                // Two replicas that meet the same new fields give the same numbers.
                let others = try (0..<4).map { try system.anotherStore("\($0)") }
                let given = try await withThrowingTaskGroup(of: [String: Int16].self) { group in
                    for other in others {
                        group.addTask {
                            let given = try await other.channelNumbers(sensor: b, names: many.prefix(40).shuffled())
                            await other.close()
                            return given
                        }
                    }
                    return try await group.reduce(into: [[String: Int16]]()) { $0.append($1) }
                }
                #expect(Set(given).count == 1 && given.first?.count == 41)
                #expect(Set(given.first.map { Array($0.values) } ?? []) == Set(0...40))
            }
        }
    }
}
