import Foundation
import Postgres
import Service
import Store
import TestSupport
import Testing

@testable import Model
@testable import Time

/// A serial number that is known to be one.
func serial(_ text: String) throws -> SerialNumber {
    guard let serial = SerialNumber(text) else { throw TestServers.Failure("no serial number: \(text)") }
    return serial
}

extension MeasurementRow {
    /// A row of sensor 1, channel 0, if nothing else is said.
    static func test(
        time: Timestamp, sensor: SensorID = 1, channel: Int16 = 0, position: FramePosition? = nil, rate: Double = 1000,
        samples: Samples, received: Timestamp? = nil, deviceTime: Timestamp? = nil, clock: ClockVerdict = .ok
    ) -> MeasurementRow {
        MeasurementRow(
            time: time, channel: ChannelID(sensor: sensor, number: channel), position: position, rateHertz: rate,
            samples: samples, statistics: SampleStatistics(samples), received: received ?? time, deviceTime: deviceTime,
            clock: clock)
    }
}

/// A partition that a test holds, and the ledgers that it has read.
final class Partition {
    let store: StoreConnection
    var lease: PartitionLease
    var book = LedgerCache()

    init(_ store: StoreConnection, _ lease: PartitionLease) {
        self.store = store
        self.lease = lease
    }

    /// The batch that follows what is committed.
    func batch(rows: [MeasurementRow] = [], messages: Int64 = 1) -> IngestBatch {
        let last = (lease.committed ?? -1) + messages
        var batch = IngestBatch(
            lease: lease, lastOffset: last, lastFingerprint: last &* 31,
            lastReceived: .now)
        batch.measurements = rows
        return batch
    }

    /// Commits a batch, and remembers that.
    func commit(_ batch: IngestBatch) async throws {
        try await store.commit(batch)
        lease.committed = batch.lastOffset
        lease.fingerprint = batch.lastFingerprint
    }

    func commit(rows: [MeasurementRow]) async throws { try await commit(batch(rows: rows)) }

    /// Notes frames of one boot and commits them.
    @discardableResult
    func commit(
        _ key: LedgerCache.Key, sequences: [Int64], at places: [StreamPosition] = [], holes: [ClosedRange<Int64>] = []
    ) async throws -> [SequenceLedger.Verdict] {
        let unknown = book.unknown(among: [key])
        for (key, entry) in try await store.ledgers(for: unknown, stream: lease.stream) { book.load(key, entry) }
        for hole in holes {
            let first = StreamPosition(incarnation: lease.incarnation, offset: hole.lowerBound)
            book.note(StreamGap(first: first, cause: .brokerRetention))
        }
        let verdicts = sequences.enumerated().map { index, sequence in
            book.note(key, sequence, at: places.indices.contains(index) ? places[index] : nil)
        }
        var batch = batch(
            rows: zip(sequences, verdicts).filter { $0.1 == .new || $0.1 == .late }.map { sequence, _ in
                .test(
                    time: Timestamp(unixMilliseconds: 1_763_720_000_000 + sequence), sensor: key.sensor,
                    position: FramePosition(boot: key.boot, sequence: sequence), samples: .value(Double(sequence)))
            })
        if let last = places.last { batch.lastOffset = last.offset }
        batch.ledger = book.changes
        batch.holes = holes.map { MissingOffsets($0, .brokerRetention) }
        do { try await commit(batch) } catch {
            book.rollBack()
            throw error
        }
        book.commit()
        return verdicts
    }
}

extension TestSystem {
    /// Drops what is older than its policy: on the community edition its own jobs do.
    func dropOld() async throws -> [StoreTier: Int64] {
        let dropped = try await store.applyPolicies()
        for job in try await store.fetch(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention' AND hypertable_name <> ''"
        ) { try await store.run("CALL run_job(\(literal: job.integer("job_id")))") }
        return dropped
    }

    /// Whether the server is TimescaleDB's community edition.
    var isCommunity: Bool {
        get async throws { try await store.fetchOne("SELECT is_community() AS it").flag("it") == true }
    }

    /// Applies the schema, makes two partitions, and gives `body` the first one, taken.
    func leased(_ body: (Partition) async throws -> Void) async throws {
        try await Migrations.apply(to: store)
        #expect(try await store.fixPartitions(["measurements.0", "measurements.1"]) == 2)
        try await body(try await taken("measurements.0", by: "r1"))
    }

    /// Takes a partition that is free.
    func taken(
        _ stream: String, by replica: String, over store: StoreConnection? = nil
    ) async throws -> Partition {
        let store = store ?? self.store
        return Partition(store, try #require(try await store.take(stream, replica: replica)))
    }
}
