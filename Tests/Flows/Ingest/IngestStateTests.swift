import Messaging
import Model
import Postgres
import Rules
import Testing
import Time
import Wire

@testable import Broker
@testable import Ingest
@testable import Store

/// What a batch becomes, with given look-ups.
@Suite struct IngestStateTests {
    private let now = ContinuousClock.now
    private let lease = PartitionLease(stream: "s", epoch: 1, incarnation: 2, committed: nil, fingerprint: nil)

    /// Sensor a has the number 1 and a channel "x", b has the number 2, c has the number 3 and no number for "65th".
    private func state() throws -> IngestState {
        IngestState(
            numbers: SensorNumbers(
                sensors: [try serial("a"): 1, try serial("b"): 2, try serial("c"): 3],
                channels: [1: ["x": 7], 3: ["1st": 0]]))
    }

    private func serial(_ text: String) throws -> SerialNumber { try #require(SerialNumber(text)) }

    private func frame(
        _ sequence: Int64?, _ value: Double = 1, channel: ChannelKey = .number(0), place: GeoPosition? = nil
    ) -> Frame {
        Frame(
            position: sequence.map { FramePosition(boot: 5, sequence: $0) }, start: nil, rate: nil, place: place,
            blocks: [Block(channel: channel, samples: .value(value))])
    }

    private func delivery(_ offset: Int64, _ sensor: String, _ body: [UInt8]) -> Delivery {
        Delivery(
            tag: UInt64(offset + 1), key: "sensor_\(sensor).data", body: body, streamOffset: offset,
            receivedUnixMilliseconds: 1_800_000_000_000 + offset)
    }

    private func batch(_ frames: [(offset: Int64, sensor: String, frame: Frame)]) -> FrameBatch {
        FrameBatch(frames.map { delivery($0.offset, $0.sensor, FrameCodec.encode($0.frame)) }[...], of: "s")
    }

    private func json(_ offset: Int64, _ sensor: String, _ text: String) -> FrameBatch {
        FrameBatch([delivery(offset, sensor, Array(text.utf8))], of: "s")
    }

    private func apply(
        _ batch: FrameBatch, to state: inout IngestState, holes: [MissingOffsets] = [],
        unreadable: [SensorID: StoreError] = [:], after seconds: Double = 0
    ) -> AppliedBatch {
        var ingest = IngestBatch(
            lease: lease, lastOffset: 9, lastFingerprint: 9, lastReceived: Timestamp(unixNanoseconds: 0))
        ingest.holes = holes
        return state.apply(
            batch, to: ingest, unreadable: unreadable, now: now.advanced(by: .seconds(seconds)))
    }

    // MARK: look-ups

    @Test func aBatchNeedsEachLookUpOnce() throws {
        var state = try state()
        let here = GeoPosition(latitude: 1, longitude: 2, altitude: 3)
        let batch = batch([
            (0, "b", frame(0)), (1, "a", frame(0, place: here)), (2, "a", frame(1, place: here)),
            (3, "b", frame(nil)), (4, "unknown", frame(0, place: here)),
        ])
        let missing = state.missing(for: batch)
        let keys = [1, 2].map { LedgerCache.Key(sensor: $0, boot: 5) }
        #expect(missing == IngestState.Missing(holes: true, ledgers: keys, places: [1]))
        state.load(StreamGaps([]))
        state.load(Dictionary(uniqueKeysWithValues: keys.map { ($0, .init(ledger: SequenceLedger(), version: 0)) }))
        state.load([1: here])
        #expect(state.missing(for: batch) == IngestState.Missing())
    }

    // MARK: rows

    @Test func framesBecomeRowsWithTheGivenNumbers() throws {
        var state = try state()
        let applied = apply(
            batch([(0, "b", frame(0, 3)), (1, "a", frame(0, 4, channel: .number(2)))]), to: &state)
        let rows = applied.ingest.measurements
        #expect(rows.map(\.channel) == [ChannelID(sensor: 2, number: 0), ChannelID(sensor: 1, number: 2)])
        #expect(rows.map(\.samples) == [.value(3), .value(4)])
        #expect(rows.map(\.received.unixNanoseconds) == [1_800_000_000_000_000_000, 1_800_000_000_001_000_000])
        #expect(applied.ingest.ledger.map(\.key.sensor) == [1, 2] && applied.ingest.ledger.map(\.frames) == [1, 1])
        #expect(applied.ingest.latest.map(\.value) == [4, 3])
        #expect(applied.counts.frames == 2 && applied.counts.samples == 2 && applied.counts.rows == 2)
        #expect(applied.counts.received == rows.map(\.received))
        #expect(applied.ingest.quarantine.isEmpty)
        #expect(applied.ingest.lease == lease && applied.ingest.lastOffset == 9)
    }

    @Test func aNamedChannelGetsItsNumber() throws {
        var state = try state()
        #expect(apply(json(0, "a", #"{"x":1.5}"#), to: &state).ingest.measurements.map(\.channel.number) == [7])
    }

    @Test func aFrameWithAChannelWithoutANumberGoesToTheQuarantine() throws {
        var state = try state()
        let body = #"{"1st":1,"65th":2}"#
        let applied = apply(json(4, "c", body), to: &state)
        #expect(applied.ingest.measurements.isEmpty && applied.ingest.ledger.isEmpty)
        let payload = try #require(applied.ingest.quarantine.first)
        #expect(payload.rejection == Rejection(.invalidFrame, "the sensor has more than 64 channels"))
        #expect(payload.body == Array(body.utf8))
        #expect(payload.source == "s" && payload.incarnation == 2 && payload.offset == 4)
        #expect(payload.serial?.text == "c")
        #expect(applied.counts.rejected == [.invalidFrame: 1] && applied.counts.frames == 0)
    }

    @Test func aFrameOfASensorWithoutANumberGoesToTheQuarantine() throws {
        var state = try state()
        let applied = apply(batch([(0, "d", frame(0)), (1, "a", frame(0))]), to: &state)
        let rejection = Rejection(.invalidFrame, "the sensor has no number; it was deleted meanwhile")
        #expect(applied.ingest.quarantine.map(\.rejection) == [rejection])
        #expect(applied.ingest.measurements.map(\.channel.sensor) == [1])
    }

    /// Its frames wait in the quarantine, numbered and unnumbered ones, and no row of it is changed.
    @Test func framesOfASensorWhoseRowsCannotBeReadGoToTheQuarantine() throws {
        var state = try state()
        let error = StoreError.undecodable(column: "gaps", expected: "gaps", found: "\"?\"", statement: "SELECT gaps")
        let here = GeoPosition(latitude: 1, longitude: 2, altitude: 3)
        let batch = batch([
            (0, "a", frame(0)), (1, "b", frame(3, place: here)), (2, "b", frame(nil)), (3, "a", frame(1)),
        ])
        let applied = apply(batch, to: &state, unreadable: [2: error])
        #expect(applied.ingest.quarantine.map(\.offset) == [1, 2])
        #expect(applied.ingest.quarantine.allSatisfy { $0.rejection.reason == .refusedByDatabase })
        #expect(applied.ingest.quarantine.allSatisfy { $0.rejection.detail.contains("column gaps") })
        #expect(applied.ingest.quarantine.map(\.position?.sequence) == [3, nil])
        #expect(applied.counts.rejected == [.refusedByDatabase: 2] && applied.counts.frames == 2)
        #expect(applied.ingest.measurements.map(\.channel.sensor) == [1, 1] && applied.ingest.places.isEmpty)
        #expect(applied.ingest.ledger.map(\.key.sensor) == [1] && applied.ingest.latest.map(\.channel.sensor) == [1])
        state.commit()
        // The row was repaired.
        #expect(apply(batch, to: &state).ingest.ledger.contains { $0.key.sensor == 2 })
    }

    @Test func deliveriesThatWereNotDecodedGoToTheQuarantine() throws {
        var state = try state()
        let bad = [delivery(0, "a", [1, 2, 3]), delivery(1, "a", FrameCodec.encode(frame(0)))]
        let applied = apply(FrameBatch(bad[...], of: "s"), to: &state)
        #expect(applied.ingest.quarantine.map(\.body) == [[1, 2, 3]])
        #expect(applied.ingest.measurements.count == 1 && applied.counts.rejected == [.undecodable: 1])
        let refused = FrameBatch(rejecting: bad[1...], of: "s", Rejection(.refusedByDatabase, "22003"))
        #expect(apply(refused, to: &state).ingest.quarantine.map(\.offset) == [1])
    }

    // MARK: ledger

    @Test func framesThatAreStoredOrGivenUpMakeNoRows() throws {
        var state = try state()
        let gap = SequenceGap(3...6, missing: 2)
        state.load([
            LedgerCache.Key(sensor: 1, boot: 5): .init(
                ledger: SequenceLedger(next: 10, gaps: [SequenceGap(1...1), gap]), version: 4)
        ])
        let frames = [(0, 9), (1, 4), (2, 1), (3, 10)].map { (Int64($0), "a", frame(Int64($1))) }
        let applied = apply(batch(frames), to: &state)
        #expect(applied.ingest.measurements.map(\.position?.sequence) == [1, 10])
        #expect(applied.counts.duplicates == 1 && applied.counts.givenUp == 1 && applied.counts.late == 1)
        let change = try #require(applied.ingest.ledger.first)
        #expect(change.version == 4 && change.frames == 2 && change.duplicates == 1 && change.givenUp == 1)
        #expect(change.gapsRemoved == [SequenceGap(1...1)] && change.gapsAdded.isEmpty)
    }

    @Test(arguments: [MissingOffsets.Cause.brokerRetention, .undeliverable])
    func onlyDroppedMessagesExplainAGap(cause: MissingOffsets.Cause) throws {
        var state = try state()
        state.load([
            LedgerCache.Key(sensor: 1, boot: 5): .init(
                ledger: SequenceLedger(next: 1), version: 1, last: StreamPosition(incarnation: 2, offset: 0))
        ])
        let applied = apply(
            batch([(9, "a", frame(4))]), to: &state, holes: [MissingOffsets(1...8, cause)])
        let gap = try #require(applied.ingest.ledger.first?.gapsAdded.first)
        #expect(gap.range == 1...3 && gap.cause == (cause == .brokerRetention ? .brokerRetention : .late))
    }

    // MARK: commit and rollback

    /// A batch that failed is applied again: everything must come out as before. After a commit the same batch is old.
    @Test func aBatchThatWasRolledBackComesOutTheSame() throws {
        var state = try state()
        let here = GeoPosition(latitude: 1, longitude: 2, altitude: 3)
        let batch = batch([(0, "a", frame(0, 11, place: here)), (1, "b", frame(3, 12)), (2, "a", frame(0, 11))])
        let holes = [MissingOffsets(0...0, .brokerRetention)]
        let first = apply(batch, to: &state, holes: holes)
        #expect(first.ingest.places.map(\.place) == [here] && first.ingest.latest.count == 2)
        #expect(first.counts.duplicates == 1)
        for _ in 0..<2 {
            state.rollBack(first.ingest)
            let again = apply(batch, to: &state, holes: holes)
            #expect(again.ingest.measurements == first.ingest.measurements)
            #expect(again.ingest.ledger == first.ingest.ledger && again.ingest.latest == first.ingest.latest)
            #expect(again.ingest.places.map(\.place) == first.ingest.places.map(\.place))
        }
        state.commit()
        let old = apply(batch, to: &state, after: 2)
        #expect(old.ingest.measurements.isEmpty && old.ingest.latest.isEmpty && old.ingest.places.isEmpty)
        #expect(old.counts.duplicates == 3)
        #expect(old.ingest.ledger.map(\.version) == [1, 1])
    }

    @Test func whatAnotherWriterHasChangedIsReadAgain() throws {
        var state = try state()
        let batch = batch([(0, "a", frame(0))])
        state.load([LedgerCache.Key(sensor: 1, boot: 5): .init(ledger: SequenceLedger(), version: 0)])
        let applied = apply(batch, to: &state)
        state.rollBack(applied.ingest)
        #expect(state.missing(for: batch).ledgers.isEmpty)
        state.forgetLedgers(of: applied.ingest)
        #expect(state.missing(for: batch).ledgers.map(\.sensor) == [1])
    }

    @Test func aPlaceIsWrittenWhenItChanges() throws {
        var state = try state()
        let here = GeoPosition(latitude: 1, longitude: 2, altitude: 3)
        let there = GeoPosition(latitude: 4, longitude: 5, altitude: 6)
        state.load([1: here])
        let places = [here, there, there, here].enumerated().map { (Int64($0), "a", frame(Int64($0), place: $1)) }
        #expect(apply(batch(places), to: &state).ingest.places.map(\.place) == [there, here])
    }

    @Test func newestValuesAreDueOnceASecond() throws {
        var state = try state()
        #expect(apply(batch([(0, "a", frame(0, 1))]), to: &state).ingest.latest.map(\.value) == [1])
        state.commit()
        let second = apply(batch([(1, "a", frame(1, 2))]), to: &state, after: 0.5)
        #expect(second.ingest.latest.isEmpty)
        state.commit()
        #expect(state.takeDueLatest(now: now.advanced(by: .seconds(0.9))).isEmpty)
        let due = state.takeDueLatest(now: now.advanced(by: .seconds(1)))
        #expect(due.map(\.value) == [2])
        state.latestFailed(due)
        #expect(state.takeDueLatest(now: now.advanced(by: .seconds(1))) == due)
    }
}
