public import Sensors

/// What became of the frames of a sensor: what `iotctl audit` shows.
public struct SensorAudit: Sendable, Equatable {
    /// Its serial number.
    public var serial: String
    /// Its starts, the oldest first; none of a device that does not number its frames.
    public var boots: [LossAudit.Result]
    /// Recent rows of messages without numbers, at most `rowsMax`; nil: it numbers its frames.
    public var unnumberedRows: Int64?

    /// Most rows without numbers that are counted.
    public static let rowsMax: Int64 = 100_000

    /// How far back rows without numbers are counted, unless somebody asks for another time.
    public static let unnumberedSince: Duration = .seconds(86_400)

    /// Frames missing.
    public var missing: Int64 { boots.saturatingSum(\.missing) }
}

extension StoreConnection {
    /// Sensors that are looked at in one transaction.
    private static let auditSensorsMax = 100
    /// A transaction that sees one moment of all tables, and changes nothing.
    private static let snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

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
    /// - Parameter after: only of sensors with higher numbers; `auditSensorsMax` of them at a time.
    /// - Throws: `StoreError`.
    public func sensorsWithoutCauses(after: Int32) throws -> [Int32] {
        try query(
            """
            SELECT sensor_id FROM sensor s
             WHERE sensor_id > $1 AND EXISTS (SELECT FROM sequence_gap g WHERE g.sensor_id = s.sensor_id
                   AND g.cause = 'late') ORDER BY sensor_id LIMIT \(Self.auditSensorsMax)
            """, [.integer(Int64(after))], timeout: .seconds(30)
        ).rows.compactMap { $0.integer("sensor_id").map { Int32($0) } }
    }

    /// How many frames are missing, by the cause that the loss ledger has.
    /// - Throws: `StoreError`.
    public func missingFrames() throws -> [LossCause: Int64] {
        let rows = try query(
            "SELECT cause, sum(missing)::bigint AS frames FROM sequence_gap GROUP BY cause", timeout: .seconds(30)
        ).rows
        return Dictionary(
            rows.compactMap { row in
                guard let cause = row["cause"].flatMap(LossCause.init), let frames = row.integer("frames") else {
                    return nil
                }
                return (cause, frames)
            }, uniquingKeysWith: +)
    }

    /// Finds causes of gaps that have none yet, and writes them.
    /// - Returns: how many gaps of these sensors got a cause.
    /// - Throws: `StoreError`.
    public func findCauses(of sensors: [Int32]) throws -> Int {
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
            let updated = try session.query(
                """
                WITH found AS (
                    SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
                        AS f(sensor, boot, first, last, cause)
                ), free AS (
                    SELECT g.sensor_id, g.boot_id, g.first_sequence, f.cause FROM sequence_gap g JOIN found f
                        ON (g.sensor_id, g.boot_id, g.first_sequence, g.last_sequence) = (f.sensor, f.boot, f.first, f.last)
                     WHERE g.cause = 'late' FOR UPDATE OF g SKIP LOCKED
                )
                UPDATE sequence_gap g SET cause = free.cause FROM free
                 WHERE (g.sensor_id, g.boot_id, g.first_sequence) = (free.sensor_id, free.boot_id, free.first_sequence)
                """,
                [
                    .integers(found.map { Int64($0.sensor) }), .integers(found.map(\.finding.boot)),
                    .integers(found.map(\.finding.gap.range.lowerBound)),
                    .integers(found.map(\.finding.gap.range.upperBound)),
                    .texts(found.map(\.finding.gap.cause.rawValue)),
                ])
            return updated.affected
        }
    }
}

// MARK: statements

/// What the database knows of a sensor at one moment.
private struct KnownSensor: Sendable {
    var serial: String
    var facts: LossAudit.Facts
    var unnumberedRows: Int64?
    var now: Timestamp

    func audit(_ since: Duration?, _ grace: Duration) -> SensorAudit {
        let start = since.map { now.advanced(bySeconds: -$0.components.seconds) }
        return SensorAudit(
            serial: serial, boots: LossAudit.audit(facts, since: start, grace: grace), unnumberedRows: unnumberedRows)
    }
}

extension Session {
    /// What is known of the next sensors by serial.
    fileprivate func known(
        _ serials: [String]?, after: String, countMax: Int, _ since: Duration?
    ) throws -> [KnownSensor] {
        let rows = try query(
            """
            SELECT sensor_id, serial, \(microseconds("now()")) AS now_us FROM sensor
             WHERE serial > $1 COLLATE "C" AND ($2::text[] IS NULL OR serial = ANY ($2::text[]))
             ORDER BY serial COLLATE "C" LIMIT $3
            """, [.text(after), serials.map { .texts($0) } ?? .null, .integer(Int64(countMax))])
        guard let now = rows.first?.time("now_us") else { return [] }
        let ids = rows.rows.compactMap { $0.integer("sensor_id").map { Int32($0) } }
        let facts = try facts(of: ids)
        let unnumbered = try unnumberedRows(
            ids.filter { (facts[$0]?.boots ?? []).allSatisfy { $0.stored == nil && ($0.announced?.next ?? 0) == 0 } },
            since: now.advanced(bySeconds: -(since ?? SensorAudit.unnumberedSince).components.seconds))
        return rows.rows.compactMap { row in
            guard let id = row.integer("sensor_id").map({ Int32($0) }), let serial = row["serial"] else { return nil }
            return KnownSensor(
                serial: serial, facts: facts[id] ?? LossAudit.Facts(), unnumberedRows: unnumbered[id], now: now)
        }
    }

    /// Rows without numbers, of those sensors that have any.
    private func unnumberedRows(_ ids: [Int32], since: Timestamp) throws -> [Int32: Int64] {
        if ids.isEmpty { return [:] }
        // The time is a literal, so that the planner leaves out, and does not lock, the chunks before it.
        let rows = try query(
            """
            SELECT s.id, (SELECT count(*) FROM (SELECT FROM measurement m
                           WHERE m.sensor_id = s.id AND m.boot_id IS NULL AND m."time" >= TIMESTAMPTZ '\(since)'
                           LIMIT \(SensorAudit.rowsMax)) r) AS count
              FROM unnest($1::int[]) AS s(id)
             WHERE EXISTS (SELECT FROM latest l WHERE l.sensor_id = s.id)
            """, [.integers(ids.map { Int64($0) })])
        let pairs = rows.rows.compactMap { row in
            row.integer("id").flatMap { id in row.integer("count").map { (Int32(id), $0) } }
        }
        return Dictionary(pairs) { first, _ in first }
    }

    /// Quarantined payloads that are looked at for all sensors of a transaction: each has its share of them.
    private static let payloadsMax = 100_000
    /// Quarantined payloads of a sensor that are looked at, the newest.
    private static let payloadsOfASensorMax = 10_000

    /// What `LossAudit` needs to know of sensors.
    fileprivate func facts(of ids: [Int32]) throws -> [Int32: LossAudit.Facts] {
        if ids.isEmpty { return [:] }
        let sensors: SQLValue = .integers(ids.map { Int64($0) })
        let holes = try notedHoles()
        var gaps = try notedGaps(sensors)
        var facts: [Int32: LossAudit.Facts] = [:]
        let boots = try query(
            """
            SELECT sensor_id, boot_id, b.next_sequence, b.frames, b.duplicates, b.given_up, b.stream,
                   b.first_incarnation, b.first_offset, b.last_incarnation, b.last_offset,
                   \(microseconds("b.last_at")) AS last_us, a.next_sequence AS announced, a.frames_dropped,
                   a.earlier_next_sequence, a.state, \(microseconds("a.first_at")) AS first_us,
                   \(microseconds("a.announced_at")) AS announced_us, \(microseconds("a.earlier_at")) AS earlier_us,
                   \(microseconds("now()")) AS now_us
              FROM (SELECT * FROM sensor_boot WHERE sensor_id = ANY ($1::int[])) b
              FULL JOIN (SELECT * FROM boot_announcement WHERE sensor_id = ANY ($1::int[])) a USING (sensor_id, boot_id)
            """, [sensors])
        for row in boots.rows {
            guard let sensor = row.integer("sensor_id").map({ Int32($0) }), let boot = row.integer("boot_id") else {
                continue
            }
            let key = LedgerBook.Key(sensor: sensor, boot: boot)
            facts[sensor, default: LossAudit.Facts()].boots.append(
                LossAudit.Boot(
                    boot: boot, stored: row.stored(gaps.removeValue(forKey: key) ?? []), announced: row.announced))
        }
        let share = min(Self.payloadsOfASensorMax, Self.payloadsMax / ids.count)
        for (sensor, payload) in try quarantinedPayloads(sensors, countMax: share) {
            facts[sensor]?.quarantined.append(payload)
        }
        for sensor in facts.keys { facts[sensor]?.holes = holes }
        return facts
    }

    private func notedGaps(_ sensors: SQLValue) throws -> [LedgerBook.Key: [LossAudit.NotedGap]] {
        let rows = try query(
            """
            SELECT sensor_id, boot_id, first_sequence, last_sequence, missing, cause, \(microseconds("noted_at")) AS noted_us
              FROM sequence_gap WHERE sensor_id = ANY ($1::int[]) ORDER BY sensor_id, boot_id, first_sequence
            """, [sensors])
        var gaps: [LedgerBook.Key: [LossAudit.NotedGap]] = [:]
        for row in rows.rows {
            guard let sensor = row.integer("sensor_id"), let boot = row.integer("boot_id"),
                let first = row.integer("first_sequence"), let last = row.integer("last_sequence"), first <= last,
                let at = row.time("noted_us")
            else { continue }
            let cause = row["cause"].flatMap(LossCause.init(rawValue:)) ?? .late
            gaps[LedgerBook.Key(sensor: Int32(sensor), boot: boot), default: []].append(
                LossAudit.NotedGap(SequenceGap(first...last, missing: row.integer("missing"), cause: cause), at: at))
        }
        return gaps
    }

    private func notedHoles() throws -> [String: [LossAudit.NotedHole]] {
        let rows = try query(
            """
            SELECT stream, incarnation, first_offset, cause, \(microseconds("noted_at")) AS noted_us
              FROM (SELECT *, row_number() OVER (PARTITION BY stream ORDER BY hole_id DESC) AS k FROM stream_hole) h
             WHERE k <= \(StreamHoles.countMax)
            """)
        var holes: [String: [LossAudit.NotedHole]] = [:]
        for row in rows.rows {
            guard let stream = row["stream"], let hole = StoreConnection.hole(row), let at = row.time("noted_us")
            else { continue }
            holes[stream, default: []].append(LossAudit.NotedHole(hole, at: at))
        }
        return holes
    }

    /// The newest payloads of each sensor that came by a stream.
    private func quarantinedPayloads(
        _ sensors: SQLValue, countMax: Int
    ) throws -> [(sensor: Int32, payload: LossAudit.Quarantined)] {
        // The sum keeps the planner from looking for a sensor's payloads through the whole table from its end.
        let rows = try query(
            """
            SELECT s.sensor_id, q.* FROM sensor s CROSS JOIN LATERAL (
                SELECT source, incarnation, stream_offset, boot_id, sequence, \(microseconds("at")) AS at_us
                  FROM quarantine WHERE serial = s.serial AND stream_offset IS NOT NULL
                 ORDER BY quarantine_id + 0 DESC LIMIT $2) q
             WHERE s.sensor_id = ANY ($1::int[])
            """, [sensors, .integer(Int64(countMax))])
        return rows.rows.compactMap { row in
            guard let sensor = row.integer("sensor_id"), let at = row.time("at_us"), let stream = row["source"],
                let incarnation = row.integer("incarnation"), let offset = row.integer("stream_offset")
            else { return nil }
            let position = row.integer("boot_id").flatMap { boot in
                row.integer("sequence").map { FramePosition(boot: boot, sequence: $0) }
            }
            let place = StreamPlace(incarnation: incarnation, offset: offset)
            return (
                Int32(sensor), LossAudit.Quarantined(at: at, position: position, stream: stream, place: place)
            )
        }
    }
}

extension Rows.Row {
    private func place(_ edge: String) -> StreamPlace? {
        guard let incarnation = integer("\(edge)_incarnation"), let offset = integer("\(edge)_offset") else {
            return nil
        }
        return StreamPlace(incarnation: incarnation, offset: offset)
    }

    fileprivate func stored(_ gaps: [LossAudit.NotedGap]) -> LossAudit.Stored? {
        guard let next = integer("next_sequence"), let frames = integer("frames") else { return nil }
        var stored = LossAudit.Stored(next: next, frames: frames)
        stored.duplicates = integer("duplicates") ?? 0
        stored.givenUp = integer("given_up") ?? 0
        stored.gaps = gaps
        stored.stream = self["stream"]
        stored.first = place("first")
        stored.last = place("last")
        stored.lastAt = time("last_us")
        return stored
    }

    fileprivate var announced: LossAudit.Announced? {
        guard let next = integer("announced"), let age = age("announced_us"), let at = time("announced_us") else {
            return nil
        }
        var announced = LossAudit.Announced(next: next, age: age, at: at)
        announced.earlierNext = integer("earlier_next_sequence") ?? 0
        announced.earlierAge = self.age("earlier_us")
        announced.dropped = integer("frames_dropped") ?? 0
        announced.isStopped = self["state"] == "stopped"
        announced.firstAt = time("first_us") ?? at
        return announced
    }
}
