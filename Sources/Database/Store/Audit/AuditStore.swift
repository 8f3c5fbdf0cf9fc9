public import Model
public import Postgres
public import Time

/// What became of the frames of a sensor: what `iotctl audit` shows.
public struct SensorAudit: Sendable, Equatable {
    /// Its serial number.
    public var serial: String
    /// Its starts, the oldest first; none of a device that does not number its frames.
    public var boots: [LossAudit.BootAudit]
    /// Recent rows of messages without numbers, at most `rowsMax`; nil: it numbers its frames.
    public var unnumberedRows: Int64?
    /// When an operator deleted an earlier sensor of this serial number with its history, if frames of a boot that were stored
    /// before may be missing for that reason; nil otherwise.
    public var historyDeletedAt: Timestamp?

    /// Most rows without numbers that are counted.
    public static let rowsMax: Int64 = 100_000

    /// How far back rows without numbers are counted, unless the caller gives another time.
    public static let unnumberedSince: Duration = .seconds(86_400)

    /// Frames missing.
    public var missing: Int64 { boots.saturatingSum(\.missing) }
}

extension StoreConnection {
    /// The number of sensors that one transaction of an audit reads.
    private static let auditSensorsMax = 1000
    /// The number of sensors whose gaps one transaction explains.
    private static let explainedSensorsMax = 100
    /// A transaction that sees one moment of all tables, and changes nothing.
    private static let snapshot: SQL = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

    /// What became of the frames of sensors, by serial.
    /// - Parameters:
    ///   - serials: which; nil: all.
    ///   - since: leaves out starts not heard of within this time, and losses noted before; nil: none. Rows without
    ///     numbers are always counted of some time only, for nil `SensorAudit.unnumberedSince`.
    ///   - grace: how long what is announced may be on its way before it counts as missing.
    /// - Throws: `StoreError`.
    public func audit(
        _ serials: [String]? = nil, since: Duration? = nil, grace: Duration = LossAudit.grace
    ) throws -> [SensorAudit] {
        var audits: [SensorAudit] = []
        var last = ""
        while true {
            let page = try transaction(timeout: .seconds(30), prelude: Self.snapshot) { [last] session in
                try session.known(serials, after: last, countMax: Self.auditSensorsMax, since)
            }
            // What may take long with many gaps keeps no transaction open.
            audits += page.map { $0.audit(since, grace) }
            guard let end = page.last?.serial else { return audits }
            last = end
        }
    }

    /// Sensors with gaps that have no cause yet, by their numbers.
    /// - Parameter after: only of sensors with higher numbers; `explainedSensorsMax` of them at a time.
    /// - Throws: `StoreError`.
    public func sensorsWithoutCauses(after: SensorID) throws -> [SensorID] {
        try fetch(
            """
            SELECT sensor_id FROM sensor s
             WHERE sensor_id > \(after) AND EXISTS (SELECT FROM sequence_gap g WHERE g.sensor_id = s.sensor_id
                   AND g.cause = 'late') ORDER BY sensor_id LIMIT \(Self.explainedSensorsMax)
            """, timeout: .seconds(30)
        ).map { try $0.sensorID("sensor_id") }
    }

    /// How many frames are missing, by the cause that the loss ledger has. The ledger that an old name keeps after a rename
    /// lists the same gaps again: they count once.
    /// - Throws: `StoreError`.
    public func missingFrames() throws -> [LossCause: Int64] {
        let rows = try fetch(
            """
            SELECT cause, sum(missing)::bigint AS frames FROM sequence_gap g
             WHERE NOT EXISTS (SELECT FROM sensor_boot b JOIN sensor s USING (sensor_id)
                                WHERE b.carried > 0 AND b.sensor_id = g.sensor_id AND b.boot_id = g.boot_id
                                  AND g.noted_at <= s.first_seen)
             GROUP BY cause
            """, timeout: .seconds(30))
        return Dictionary(
            try rows.map { row in (try row.value("cause", as: LossCause.self), try row.integer("frames")) },
            uniquingKeysWith: +)
    }

    /// Finds causes of gaps that have none yet, and writes them.
    /// - Returns: how many gaps of these sensors got a cause.
    /// - Throws: `StoreError`.
    public func findCauses(of sensors: [SensorID]) throws -> Int {
        let facts = try transaction(timeout: .seconds(30), prelude: Self.snapshot) { session in
            try session.facts(of: sensors)
        }
        let found = sensors.flatMap { sensor in
            LossAudit.findings(facts[sensor] ?? LossAudit.Facts()).map { (sensor: sensor, finding: $0) }
        }
        if found.isEmpty { return 0 }
        return try transaction(timeout: .seconds(30)) { session in
            // Rows that an ingester is changing are left to the next time: waiting for each other could be in a circle.
            // A gap that has changed since the facts were read is another one.
            try session.run(
                """
                WITH found AS (
                    SELECT * FROM unnest(\(found.map(\.sensor))::int[], \(found.map(\.finding.boot))::bigint[],
                                         \(found.map(\.finding.gap.range.lowerBound))::bigint[],
                                         \(found.map(\.finding.gap.range.upperBound))::bigint[],
                                         \(found.map(\.finding.gap.cause))::text[])
                        AS f(sensor, boot, first, last, cause)
                ), free AS (
                    SELECT g.sensor_id, g.boot_id, g.first_sequence, f.cause FROM sequence_gap g JOIN found f
                        ON (g.sensor_id, g.boot_id, g.first_sequence, g.last_sequence) = (f.sensor, f.boot, f.first, f.last)
                     WHERE g.cause = 'late' FOR UPDATE OF g SKIP LOCKED
                )
                UPDATE sequence_gap g SET cause = free.cause FROM free
                 WHERE (g.sensor_id, g.boot_id, g.first_sequence) = (free.sensor_id, free.boot_id, free.first_sequence)
                """)
        }
    }
}

// MARK: statements

/// What the database knows of a sensor at one moment.
private struct KnownSensor: Sendable {
    var serial: String
    var facts: LossAudit.Facts
    var unnumberedRows: Int64?
    var historyDeletedAt: Timestamp?
    var now: Timestamp

    func audit(_ since: Duration?, _ grace: Duration) -> SensorAudit {
        let start = since.map { now.advanced(bySeconds: -$0.components.seconds) }
        let boots = LossAudit.audit(facts, since: start, grace: grace)
        // The frames before the first that the new sensor has: its ledger began in the middle of a boot.
        let isCut = boots.contains { boot in boot.losses.contains { $0.range.lowerBound == 0 } }
        return SensorAudit(
            serial: serial, boots: boots, unnumberedRows: unnumberedRows,
            historyDeletedAt: isCut ? historyDeletedAt : nil)
    }
}

extension Session {
    /// What is known of the next sensors by serial.
    fileprivate func known(
        _ serials: [String]?, after: String, countMax: Int, _ since: Duration?
    ) throws -> [KnownSensor] {
        let rows = try fetch(
            """
            SELECT sensor_id, serial, \(microseconds("now()")) AS now_us FROM sensor
             WHERE deleted_at IS NULL AND serial > \(after) COLLATE "C" \(ifPresent: serials, { "AND serial = ANY (\($0)::text[])" })
             ORDER BY serial COLLATE "C" LIMIT \(countMax)
            """)
        guard let now = try rows.first?.time("now_us") else { return [] }
        let ids = try rows.map { try $0.sensorID("sensor_id") }
        let facts = try facts(of: ids)
        let unnumbered = try unnumberedRows(
            ids.filter { (facts[$0]?.boots ?? []).allSatisfy { $0.stored == nil && ($0.announced?.next ?? 0) == 0 } },
            since: now.advanced(bySeconds: -(since ?? SensorAudit.unnumberedSince).components.seconds))
        let deletions = try deletedHistories(serials: try rows.map { try $0.text("serial") })
        return try zip(rows, ids).map { row, id in
            let serial = try row.text("serial")
            return KnownSensor(
                serial: serial, facts: facts[id] ?? LossAudit.Facts(), unnumberedRows: unnumbered[id],
                historyDeletedAt: deletions[serial], now: now)
        }
    }

    /// When the histories of earlier sensors with these serial numbers were deleted last.
    private func deletedHistories(serials: [String]) throws -> [String: Timestamp] {
        let rows = try fetch(
            """
            SELECT serial, \(microseconds("max(at)")) AS at_us FROM operator_action
             WHERE action = \(OperatorAction.Kind.deleteWithHistory.rawValue) AND serial = ANY (\(serials)::text[])
             GROUP BY serial
            """)
        let pairs = try rows.map { row in (try row.text("serial"), try row.time("at_us")) }
        return Dictionary(pairs) { first, _ in first }
    }

    /// Rows without numbers, of those sensors that have any.
    private func unnumberedRows(_ ids: [SensorID], since: Timestamp) throws -> [SensorID: Int64] {
        if ids.isEmpty { return [:] }
        let rows = try fetch(
            """
            SELECT s.id, (SELECT count(*) FROM (SELECT FROM measurement m
                           WHERE m.sensor_id = s.id AND m.boot_id IS NULL AND m."time" >= TIMESTAMPTZ \(literal: since)
                           LIMIT \(SensorAudit.rowsMax)) r) AS count
              FROM unnest(\(ids)::int[]) AS s(id)
             WHERE EXISTS (SELECT FROM latest l WHERE l.sensor_id = s.id)
            """)
        let pairs = try rows.map { row in (try row.sensorID("id"), try row.integer("count")) }
        return Dictionary(pairs) { first, _ in first }
    }

    /// The number of quarantined payloads that one transaction reads; each sensor that has any gets the same share.
    private static let payloadsMax = 100_000
    /// The number of quarantined payloads of one sensor that are read, the newest first.
    private static let payloadsOfASensorMax = 10_000

    /// What `LossAudit` needs to know of sensors.
    fileprivate func facts(of ids: [SensorID]) throws -> [SensorID: LossAudit.Facts] {
        if ids.isEmpty { return [:] }
        let holes = try notedHoles()
        var gaps = try notedGaps(ids)
        var facts: [SensorID: LossAudit.Facts] = [:]
        let boots = try fetch(
            """
            SELECT sensor_id, boot_id, b.next_sequence, b.frames + b.carried AS frames, b.duplicates, b.given_up, b.stream,
                   b.first_incarnation, b.first_offset, b.last_incarnation, b.last_offset,
                   \(microseconds("b.last_at")) AS last_us, a.next_sequence AS announced, a.frames_dropped,
                   a.earlier_next_sequence, a.state, \(microseconds("a.first_at")) AS first_us,
                   \(microseconds("a.announced_at")) AS announced_us, \(microseconds("a.earlier_at")) AS earlier_us,
                   \(microseconds("now()")) AS now_us
              FROM (SELECT * FROM sensor_boot WHERE sensor_id = ANY (\(ids)::int[])) b
              FULL JOIN (SELECT * FROM boot_announcement WHERE sensor_id = ANY (\(ids)::int[])) a
                USING (sensor_id, boot_id)
            """)
        for row in boots {
            let sensor = try row.sensorID("sensor_id")
            let boot = try row.integer("boot_id")
            let key = LedgerCache.Key(sensor: sensor, boot: boot)
            facts[sensor, default: LossAudit.Facts()].boots.append(
                LossAudit.Boot(
                    boot: boot, stored: try row.stored(gaps.removeValue(forKey: key) ?? []),
                    announced: try row.announced))
        }
        let refused = try sensorsWithQuarantinedPayloads(ids)
        if !refused.isEmpty {
            let share = min(Self.payloadsOfASensorMax, Self.payloadsMax / refused.count)
            for (sensor, payload) in try quarantinedPayloads(refused, countMax: share) {
                facts[sensor]?.quarantined.append(payload)
            }
        }
        for sensor in facts.keys { facts[sensor]?.holes = holes }
        return facts
    }

    private func notedGaps(_ sensors: [SensorID]) throws -> [LedgerCache.Key: [LossAudit.NotedGap]] {
        let rows = try fetch(
            """
            SELECT sensor_id, boot_id, first_sequence, last_sequence, missing, cause, \(microseconds("noted_at")) AS noted_us
              FROM sequence_gap WHERE sensor_id = ANY (\(sensors)::int[]) ORDER BY sensor_id, boot_id, first_sequence
            """)
        let (sensor, boot) = (try rows.column("sensor_id"), try rows.column("boot_id"))
        let (first, last) = (try rows.column("first_sequence"), try rows.column("last_sequence"))
        let (missing, cause, noted) = (
            try rows.column("missing"), try rows.column("cause"), try rows.column("noted_us")
        )
        var gaps: [LedgerCache.Key: [LossAudit.NotedGap]] = [:]
        for row in rows {
            let key = LedgerCache.Key(sensor: try row.sensorID(sensor), boot: try row.integer(boot))
            let gap = SequenceGap(
                try row.range(first, last), missing: try row.integer(missing), cause: try row.value(cause))
            gaps[key, default: []].append(LossAudit.NotedGap(gap, at: try row.time(noted)))
        }
        return gaps
    }

    private func notedHoles() throws -> [String: [LossAudit.NotedHole]] {
        let rows = try fetch(
            """
            SELECT stream, incarnation, first_offset, cause, \(microseconds("noted_at")) AS noted_us
              FROM (SELECT *, row_number() OVER (PARTITION BY stream ORDER BY hole_id DESC) AS k
                      FROM stream_hole WHERE cause <> 'undeliverable') h
             WHERE k <= \(StreamGaps.countMax)
            """)
        var holes: [String: [LossAudit.NotedHole]] = [:]
        for row in rows {
            let hole = LossAudit.NotedHole(try StoreConnection.hole(row), at: try row.time("noted_us"))
            holes[try row.text("stream"), default: []].append(hole)
        }
        return holes
    }

    /// Those of the sensors that have a quarantined payload which came by a stream.
    private func sensorsWithQuarantinedPayloads(_ sensors: [SensorID]) throws -> [SensorID] {
        try fetch(
            """
            SELECT sensor_id FROM sensor s WHERE sensor_id = ANY (\(sensors)::int[])
                AND EXISTS (SELECT FROM quarantine WHERE serial = s.serial AND stream_offset IS NOT NULL)
            """
        ).map { try $0.sensorID("sensor_id") }
    }

    /// The newest payloads of each sensor that came by a stream.
    private func quarantinedPayloads(
        _ sensors: [SensorID], countMax: Int
    ) throws -> [(sensor: SensorID, payload: LossAudit.Quarantined)] {
        // The sum keeps the planner from looking for a sensor's payloads through the whole table from its end.
        try fetch(
            """
            SELECT s.sensor_id, q.* FROM sensor s CROSS JOIN LATERAL (
                SELECT source, incarnation, stream_offset, boot_id, sequence, \(microseconds("at")) AS at_us
                  FROM quarantine WHERE serial = s.serial AND stream_offset IS NOT NULL
                 ORDER BY quarantine_id + 0 DESC LIMIT \(countMax)) q
             WHERE s.sensor_id = ANY (\(sensors)::int[])
            """
        ).map { row in
            let payload = LossAudit.Quarantined(
                at: try row.time("at_us"), position: try row.optionalFramePosition("boot_id", "sequence"),
                stream: try row.text("source"),
                place: StreamPosition(
                    incarnation: try row.integer("incarnation"), offset: try row.integer("stream_offset")))
            return (try row.sensorID("sensor_id"), payload)
        }
    }
}

extension Row {
    /// What is stored of a boot; nil for a boot that was only announced.
    fileprivate func stored(_ gaps: [LossAudit.NotedGap]) throws -> LossAudit.Stored? {
        guard let next = try optionalInteger("next_sequence") else { return nil }
        var stored = LossAudit.Stored(next: next, frames: try integer("frames"))
        stored.duplicates = try integer("duplicates")
        stored.givenUp = try integer("given_up")
        stored.gaps = gaps
        stored.stream = try optionalText("stream")
        stored.first = try optionalStreamPosition("first_incarnation", "first_offset")
        stored.last = try optionalStreamPosition("last_incarnation", "last_offset")
        stored.lastAt = try optionalTime("last_us")
        return stored
    }

    /// What was announced of a boot; nil for a boot that was only stored.
    fileprivate var announced: LossAudit.Announced? {
        get throws {
            guard let next = try optionalInteger("announced") else { return nil }
            var announced = LossAudit.Announced(
                next: next, age: try age("announced_us"), at: try time("announced_us"))
            announced.earlierNext = try integer("earlier_next_sequence")
            announced.earlierAge = try optionalAge("earlier_us")
            announced.dropped = try integer("frames_dropped")
            announced.isStopped = try text("state") == "stopped"
            announced.firstAt = try time("first_us")
            return announced
        }
    }
}
