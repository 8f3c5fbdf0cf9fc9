import AMQP
import Archive
import Broker
import Foundation
import Messaging
import Model
import Postgres
import Service
import Store
import TestSupport
import Testing
import Time
import Wire

extension Integration {
    /// What could not be stored is stored later, once.
    @Suite struct Quarantining {
        private let received = Timestamp(unixMilliseconds: 1_763_728_440_000)

        private func frame(_ sequence: Int64, samples: Int = 3, schema: UInt8 = 1) -> [UInt8] {
            let frame = Frame(
                position: FramePosition(boot: 7, sequence: sequence), start: received,
                rate: SampleRate(hertz: 1000),
                blocks: [Block(channel: .number(0), samples: .floats((0..<samples).map { Float($0) }))])
            var bytes = FrameCodec.encode(frame)
            #expect(bytes[0] == 8)
            bytes[1] = schema
            return bytes
        }

        private func payload(
            _ body: [UInt8], key: String = "sensor_a.data", reason: RejectionReason = .newerSchema,
            source: String = "measurements.0", offset: Int64? = nil, incarnation: Int64? = nil
        ) throws -> QuarantinedPayload {
            QuarantinedPayload(
                rejection: Rejection(reason, "a test"), key: key, source: source, incarnation: incarnation,
                offset: offset, received: received, body: body, serial: try serial("a"),
                position: FramePosition(boot: 7, sequence: 1))
        }

        private func replay(
            _ system: TestSystem, as serial: SerialNumber? = nil, newest: UInt32 = Frame.captureSchema,
            dryRun: Bool = false,
            over store: StoreConnection? = nil
        ) throws -> ReplayQuarantine {
            let address = try system.settings.broker
            let name = system.name
            return ReplayQuarantine(
                store ?? system.store, as: serial, newest: newest, dryRun: dryRun,
                openBroker: { try await BrokerConnection.open(address, name: "\(name)-replay") })
        }

        private func records(_ system: TestSystem) async throws -> [QuarantineRecord] {
            var filter = QuarantineFilter(countMax: 1000)
            filter.after = -1
            return try await system.store.quarantined(filter)
        }

        @Test func framesOfALaterSchemaAreStoredAfterTheUpgrade() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    let sensor = try #require(
                        try await system.store.sensorIDs(for: [serial("a")])[serial("a")])
                    try await partition.commit(LedgerCache.Key(sensor: sensor, boot: 7), sequences: [0, 2, 5])
                    try await system.store.quarantine([
                        try payload(frame(1, schema: 3)), try payload(frame(2, schema: 3)),
                        try payload(frame(9, schema: 3)),
                    ])
                    let rows = try await records(system)
                    #expect(rows.map(\.boot) == [7, 7, 7] && rows[0].serial == "a" && rows[0].sequence == 1)
                    let refused = Outcome.kept("newer_schema: schema 3, this release knows 2")
                    #expect(try await replay(system).replay(rows) == [refused, refused, refused])
                    #expect(try await records(system) == rows)

                    let outcomes: [Outcome] = [.stored(samples: 3), .duplicate, .stored(samples: 3)]
                    #expect(try await replay(system, newest: 3, dryRun: true).replay(rows) == outcomes)
                    #expect(try await records(system) == rows)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == 3)

                    #expect(try await replay(system, newest: 3).replay(rows) == outcomes)
                    #expect(try await records(system) == [])
                    #expect(try await replay(system, newest: 3).replay(rows) == [.gone, .gone, .gone])
                    let stored = try await system.store.fetchOne(
                        """
                        SELECT string_agg(sequence::text, ',' ORDER BY sequence) AS sequences,
                               count(DISTINCT received_at) AS received
                          FROM measurement WHERE n = 3
                        """)
                    #expect(try stored.text("sequences") == "1,9")
                    #expect(try stored.integer("received") == 1)
                    let ledger = try await system.store.ledgers(for: [LedgerCache.Key(sensor: sensor, boot: 7)])
                    #expect(
                        ledger.values.first?.ledger
                            == SequenceLedger(next: 10, gaps: [SequenceGap(3...4), SequenceGap(6...8)]))
                    #expect(try await system.number("SELECT frames FROM sensor_boot") == 5)
                    #expect(try await system.number("SELECT duplicates FROM sensor_boot") == 1)
                    #expect(try await system.number("SELECT count(*) FROM latest") == 1)
                    // The partition's writer has an older ledger in memory: it is refused, reads again, and goes on.
                    await #expect(throws: IngestConflict.ledgerChanged) {
                        try await partition.commit(LedgerCache.Key(sensor: sensor, boot: 7), sequences: [3])
                    }
                }
            }
        }
        /// The outcomes of three replays of the same rows at once, each over a connection of its own.
        private func replayedThreeTimesAtOnce(
            _ rows: [QuarantineRecord], _ system: TestSystem
        ) async throws -> [Outcome] {
            try await withThrowingTaskGroup(of: [Outcome].self) { group in
                for number in 0..<3 {
                    let store = try system.anotherStore("\(number)")
                    let replay = try replay(system, over: store)
                    group.addTask {
                        let outcomes = try await replay.replay(rows)
                        await store.close()
                        return outcomes
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }

        @Test func twoReplaysAtOnceStoreOnce() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                for round in 0..<5 {
                    // Without a number nothing but the row itself tells that it was stored.
                    let body = Array(#"{"t": \#(round)}"#.utf8)
                    let count = 20
                    try await system.store.quarantine(
                        (0..<count).map { _ in try payload(body, reason: .refusedByDatabase) })
                    let rows = try await records(system)
                    let outcomes = try await replayedThreeTimesAtOnce(rows, system)
                    #expect(outcomes.count { $0 == .stored(samples: 1) } == count)
                    #expect(outcomes.count { $0 == .gone } == 2 * count)
                    #expect(try await system.number("SELECT count(*) FROM measurement") == Int64(count * (round + 1)))
                    #expect(try await records(system) == [])
                }
            }
        }

        /// A registry that is killed between its commit and the acknowledgement gets the same messages again.
        @Test func whatTheQueueDeliversAgainIsStoredOnce() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                func payload(
                    _ text: String, after milliseconds: Int64 = 0, again: Bool = false, source: String = "unrouted"
                ) -> QuarantinedPayload {
                    QuarantinedPayload(
                        rejection: Rejection(.unroutable, "a test"), key: "sensor_a.b\0ä", source: source,
                        received: received.advanced(byNanoseconds: milliseconds * 1_000_000), body: Array(text.utf8),
                        isRedelivered: again)
                }
                func count() async throws -> Int64 { try await system.number("SELECT count(*) FROM quarantine") }
                // A device says the same twice, in the same millisecond and later: all are kept.
                try await system.store.quarantine([payload("x"), payload("x"), payload("x", after: 1), payload("y")])
                #expect(try await count() == 4)
                // All of them come again, with one that was not stored before and one from another queue.
                let written = try await system.store.quarantine([
                    payload("x", again: true), payload("x", again: true), payload("x", after: 1, again: true),
                    payload("y", again: true), payload("z", again: true),
                    payload("x", again: true, source: "dead_letters"),
                ])
                #expect(written.map { String(decoding: $0.body, as: UTF8.self) } == ["z", "x"])
                #expect(try await count() == 6)
                // A third equal one that was not stored yet is no repetition of the two that were.
                try await system.store.quarantine((1...3).map { _ in payload("x", again: true) })
                #expect(try await count() == 7)
                // What is not marked as redelivered is new, whatever it says.
                try await system.store.quarantine([payload("x"), payload("y")])
                #expect(try await count() == 9)
            }
        }

        /// One that can't be stored costs the others nothing, and stays.
        @Test func whatStillCantBeStoredStays() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.store.quarantine([
                    try payload(frame(0)), try payload([1, 2, 3], reason: .undecodable), try payload(frame(1)),
                    try payload(frame(2), key: "sensor_a.b.data", reason: .unroutable),
                ])
                let rows = try await records(system)
                let outcomes = try await replay(system).replay(rows)
                #expect(outcomes[0] == .stored(samples: 3) && outcomes[2] == .stored(samples: 3))
                #expect(outcomes[1] == .kept("undecodable: not a Frame"))
                #expect(outcomes[3] == .kept("its key sensor_a.b.data is none of ours; --as-sensor says whose it is"))
                #expect(try await records(system).map(\.id) == [rows[1].id, rows[3].id])
                let named = try await replay(system, as: serial("a-b")).replay([rows[3]])
                #expect(named == [.stored(samples: 3)])
                #expect(
                    try await system.number(
                        "SELECT sequence FROM measurement JOIN sensor USING (sensor_id) WHERE serial = 'a-b'") == 2)
            }
        }

        @Test func aLongPayloadIsReadAgainFromItsStream() async throws {
            try await TestSystem.with { system in
                try await system.leased { partition in
                    try await system.withBroker { broker in
                        try await broker.declare(.sensorStreaming(partitions: 1))
                        let long = frame(0, samples: 30_000)
                        try #require(long.count > QuarantinedPayload.bytesMax)
                        let other = frame(1, samples: 30_000)
                        try await broker.send([[1], long, other], to: "measurements.0")
                        try await system.store.quarantine([
                            try payload(long, offset: 1, incarnation: 1),
                            // Not what stands at that offset.
                            try payload(long, offset: 2, incarnation: 1),
                            // Beyond the end, in another life of the stream, and from a queue.
                            try payload(long, offset: 1, incarnation: 2),
                            try payload(long, source: "unrouted"),
                        ])
                        let rows = try await records(system)
                        #expect(rows.allSatisfy { $0.kept == 65_536 && $0.length == long.count })
                        let outcomes = try await replay(system).replay(rows)
                        let head = "only the first 65536 of its \(long.count) bytes are kept"
                        #expect(
                            outcomes == [
                                .stored(samples: 30_000),
                                .kept("\(head), and the stream measurements.0 has dropped the rest"),
                                .kept("\(head), and the stream measurements.0 was recreated since"),
                                .kept("\(head), and unrouted is no stream that still has the rest"),
                            ])
                        #expect(try await system.number("SELECT sum(n) FROM measurement") == 30_000)
                        #expect(try await records(system).count == 3)
                    }
                }
            }
        }

        @Test func otherMessagesArePublishedAgain() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    let log = LogLineCodec.encode(LogLine(at: received, level: .info, text: "hello", boot: 1))
                    try await system.store.quarantine([
                        try payload(log, key: "sensor_a.logs", reason: .deadLetter, source: "dead_letters"),
                        try payload([0xFF], key: "sensor_a.logs", reason: .deadLetter, source: "dead_letters"),
                        try payload(log, key: "sensor_a.commands.sleep", reason: .deadLetter, source: "dead_letters"),
                        try payload(log, key: "sensor_a.b.logs", reason: .unroutable, source: "unrouted"),
                    ])
                    let rows = try await records(system)
                    let outcomes = try await replay(system).replay(rows)
                    #expect(outcomes[0] == .published(key: "sensor_a.logs"))
                    #expect(outcomes[1] == .kept("undecodable: not a LogLine"))
                    guard case .kept(let reason) = outcomes[2], case .kept = outcomes[3] else {
                        Issue.record("\(outcomes)")
                        return
                    }
                    #expect(reason.contains("issue it again"))
                    let named = try await replay(system, as: serial("a-b")).replay([rows[3]])
                    #expect(named == [.published(key: "sensor_a-b.logs")])
                    let consumer = try await broker.consume(ConsumerOptions(queue: "logs", prefetch: 10))
                    let deliveries = try await broker.receive(2, consumer)
                    #expect(deliveries.map(\.key) == ["sensor_a.logs", "sensor_a-b.logs"])
                    #expect(deliveries.map(\.body) == [log, log])
                    #expect(try await records(system).map(\.id) == [rows[1].id, rows[2].id])
                }
            }
        }

        /// Both have read the row before one of them has taken it out.
        @Test func twoReplaysAtOncePublishOnce() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    let count = 20
                    try await system.store.quarantine(
                        try (0..<count).map { number in
                            let line = LogLine(at: received, level: .info, text: "\(number)", boot: 1)
                            return try payload(
                                LogLineCodec.encode(line), key: "sensor_a.logs", reason: .deadLetter,
                                source: "dead_letters")
                        })
                    let rows = try await records(system)
                    let outcomes = try await replayedThreeTimesAtOnce(rows, system)
                    #expect(outcomes.count { $0 == .published(key: "sensor_a.logs") } == count)
                    #expect(try await records(system) == [])
                    let consumer = try await broker.consume(ConsumerOptions(queue: "logs", prefetch: 100))
                    #expect(try await broker.receive(count, consumer).count == count)
                    #expect(try await broker.nextBatch(consumer, upTo: 1, timeout: .milliseconds(200)).isEmpty)
                    // One that another has in hand stays.
                    try await system.store.quarantine([
                        try payload(rowsBody, key: "sensor_a.logs", reason: .deadLetter, source: "dead_letters")
                    ])
                    let row = try #require(try await records(system).first)
                    let other = try system.anotherStore()
                    try await other.claim(quarantined: row.id)
                    #expect(try await replay(system).replay([row]) == [.kept("another replay has it in hand")])
                    await other.release(quarantined: row.id)
                    await other.close()
                    #expect(try await replay(system).replay([row]) == [.published(key: "sensor_a.logs")])
                }
            }
        }

        private var rowsBody: [UInt8] {
            LogLineCodec.encode(LogLine(at: received, level: .info, text: "hello", boot: 1))
        }

        /// As published again it would be the newest that is known of the sensor.
        @Test func anOldAnnouncementStays() async throws {
            try await TestSystem.with { system in
                try await Migrations.apply(to: system.store)
                try await system.withBroker { broker in
                    try await broker.declare(.sensorStreaming(partitions: 1))
                    var said = Announcement(
                        boot: 7, connection: 1, kind: "climate", firmware: "1", state: .awake, rate: nil,
                        nextSequence: 3, framesDropped: 0, channels: [], at: nil)
                    let announcement = try payload(
                        AnnouncementCodec.encode(said), key: "sensor_a.registry", reason: .deadLetter,
                        source: "dead_letters")
                    try await system.store.quarantine([announcement, announcement])
                    let both = try await records(system)
                    let rows = [both[1]]
                    func hear(_ state: Announcement.State, after seconds: Int64) async throws {
                        said.state = state
                        said.nextSequence = 9
                        let heard = Received(
                            serial: try serial("a"), received: received.advanced(bySeconds: seconds), content: said)
                        try await system.store.record([.announcement(heard)])
                    }
                    try await hear(.awake, after: 60)
                    let since = "messages of the sensor arrived since; as of now it would take its state back"
                    #expect(try await replay(system, dryRun: true).replay(rows) == [.kept(since)])
                    #expect(try await replay(system).replay(rows) == [.kept(since)])
                    try await system.store.run("UPDATE sensor SET last_seen = last_seen - INTERVAL '1 hour'")
                    try await hear(.lost, after: 60)
                    let offline = "the sensor is offline; as of now it would show it online"
                    #expect(try await replay(system).replay(rows) == [.kept(offline)])
                    try await system.store.run("UPDATE sensor SET presence = 'online'")
                    let newer = "a newer announcement of the sensor is in quarantine; as of now it would come after it"
                    #expect(
                        try await replay(system).replay(both) == [.kept(newer), .published(key: "sensor_a.registry")])
                    #expect(try await records(system) == [both[0]])
                }
            }
        }

        private typealias Outcome = ReplayQuarantine.Outcome
    }
}
