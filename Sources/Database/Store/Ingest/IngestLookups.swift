public import Model
public import Postgres

extension StoreConnection {
    /// The version of sensors' names: it grows whenever a sensor is deleted or renamed. Who keeps numbers of sensors reads
    /// it first, and gives it to the transaction that writes by them.
    /// - Throws: `StoreError`.
    public func namesVersion() throws -> Int64 {
        try fetchOne("SELECT names_version() AS version").integer("version")
    }

    /// Runs a transaction that writes by the numbers of sensors, as `sensorIDs`; no sensor is deleted or renamed meanwhile.
    /// - Throws: `StoreError`, or what `body` throws.
    func withSensorIDs<Result: Sendable>(
        for serials: [SerialNumber],
        _ body: @Sendable ([SerialNumber: SensorID], inout Session) throws -> Result
    ) throws -> Result {
        var triesLeft = 10
        while true {
            let (ids, version) = try numberedSensors(for: serials)
            do {
                return try transaction(prelude: "SELECT names_hold(\(version))") { session in try body(ids, &session) }
            } catch let error as StoreError where error.sqlState == Self.namesChanged && triesLeft > 0 {
                triesLeft -= 1
            }
        }
    }

    /// The SQLSTATE of `names_hold`.
    static let namesChanged = "IOT03"

    /// The numbers of sensors; unknown sensors are registered.
    ///
    /// A deleted sensor that sends something is a sensor again, with the history that was kept and without tags, desired
    /// properties and target.
    ///
    /// Selects before it inserts: an INSERT that finds its row takes a number from the sequence all the same. The INSERT is a
    /// transaction of its own with the sensors in order, so that writers that meet the same new sensors wait for each other
    /// but never in a circle.
    /// - Parameter reviving: false: a deleted sensor stays deleted, and its number is returned.
    /// - Throws: `StoreError`.
    public func sensorIDs(for serials: [SerialNumber], reviving: Bool = true) throws -> [SerialNumber: SensorID] {
        serials.isEmpty ? [:] : try numberedSensors(for: serials, reviving: reviving).ids
    }

    /// The numbers of sensors, as `sensorIDs`, and the version of sensors' names before any of them was read.
    /// - Throws: `StoreError`.
    func numberedSensors(
        for serials: [SerialNumber], reviving: Bool = true
    ) throws -> (ids: [SerialNumber: SensorID], version: Int64) {
        var (ids, version) = try knownSensorIDs(serials, withDeleted: !reviving)
        let missing = Set(serials).filter { ids[$0] == nil }.sorted()
        if missing.isEmpty { return (ids, version) }
        try run("INSERT INTO sensor (serial) SELECT unnest(\(missing)::text[]) ON CONFLICT (serial) DO NOTHING")
        ids.merge(try knownSensorIDs(missing, withDeleted: !reviving).ids) { _, new in new }
        let deleted = missing.filter { ids[$0] == nil }
        if !reviving || deleted.isEmpty { return (ids, version) }
        try run(
            """
            UPDATE sensor s SET deleted_at = NULL, renamed_to = NULL, first_seen = now()
              FROM (SELECT sensor_id FROM sensor WHERE serial = ANY (\(deleted)::text[]) AND deleted_at IS NOT NULL
                     ORDER BY sensor_id FOR NO KEY UPDATE) d
             WHERE s.sensor_id = d.sensor_id
            """)
        ids.merge(try knownSensorIDs(deleted, withDeleted: false).ids) { _, new in new }
        return (ids, version)
    }

    private func knownSensorIDs(
        _ serials: [SerialNumber], withDeleted: Bool
    ) throws -> (ids: [SerialNumber: SensorID], version: Int64) {
        // One statement, so that numbers and version are of the same snapshot. Without a sensor it has one row.
        let rows = try fetch(
            """
            SELECT v.version, s.serial, s.sensor_id
              FROM (SELECT names_version() AS version) v
              LEFT JOIN sensor s ON s.serial = ANY (\(serials)::text[]) AND (s.deleted_at IS NULL OR \(withDeleted))
            """)
        let (serial, id) = (try rows.column("serial"), try rows.column("sensor_id"))
        var ids: [SerialNumber: SensorID] = [:]
        for row in rows {
            guard let number = try row.optionalValue(id, as: SensorID.self) else { continue }
            ids[try row.serial(serial)] = number
        }
        guard let first = rows.first else { throw StoreError.unexpected("no version of sensors' names") }
        return (ids, try first.integer("version"))
    }

    /// The ledgers of boots; a boot without a row has an empty ledger with version 0.
    /// - Parameter stream: the stream of `Entry.last`, which is nil for a boot whose last frame came by another stream.
    /// - Throws: `StoreError`.
    public func ledgers(
        for keys: [LedgerCache.Key], stream: String? = nil
    ) throws -> [LedgerCache.Key: LedgerCache.Entry] {
        // One statement, so that boot and gaps are of the same snapshot.
        let rows = try fetch(
            """
            SELECT b.sensor_id, b.boot_id, b.next_sequence, b.version,
                   CASE WHEN b.stream = \(stream) THEN b.last_incarnation END AS last_incarnation, b.last_offset,
                   coalesce((SELECT string_agg(concat_ws('/', g.first_sequence, g.last_sequence, g.missing, g.cause), ','
                                               ORDER BY g.first_sequence)
                               FROM sequence_gap g WHERE g.sensor_id = b.sensor_id AND g.boot_id = b.boot_id), '') AS gaps
              FROM sensor_boot b JOIN unnest(\(keys.map(\.sensor))::int[], \(keys.map(\.boot))::bigint[]) AS k(s, b)
                ON b.sensor_id = k.s AND b.boot_id = k.b
            """)
        let (sensor, boot, gaps) = (
            try rows.column("sensor_id"), try rows.column("boot_id"), try rows.column("gaps")
        )
        let (next, version) = (try rows.column("next_sequence"), try rows.column("version"))
        let (incarnation, offset) = (try rows.column("last_incarnation"), try rows.column("last_offset"))
        var entries = Dictionary(
            keys.map { ($0, LedgerCache.Entry(ledger: SequenceLedger(), version: 0)) },
            uniquingKeysWith: { first, _ in first })
        for row in rows {
            let ledger = SequenceLedger(
                next: try row.integer(next), gaps: try row.text(gaps, as: "gaps of a ledger", Self.gaps))
            var entry = LedgerCache.Entry(ledger: ledger, version: try row.integer(version))
            entry.last = try row.optionalStreamPosition(incarnation, offset)
            let key = LedgerCache.Key(sensor: try row.sensorID(sensor), boot: try row.integer(boot))
            entries[key] = entry
        }
        return entries
    }

    /// Gaps from "first/last/missing/cause,first/last/missing/cause"; nil for anything else.
    private static func gaps(_ text: String) -> [SequenceGap]? {
        var gaps: [SequenceGap] = []
        for gap in text.split(separator: ",") {
            let parts = gap.split(separator: "/")
            guard parts.count == 4, let first = Int64(parts[0]), let last = Int64(parts[1]), first <= last,
                let missing = Int64(parts[2]), let cause = LossCause(rawValue: String(parts[3]))
            else { return nil }
            gaps.append(SequenceGap(first...last, missing: missing, cause: cause))
        }
        return gaps
    }

    /// The newest holes of a stream, at most `StreamGaps.countMax`.
    /// - Throws: `StoreError`.
    public func holes(of stream: String) throws -> StreamGaps {
        let rows = try fetch(
            """
            SELECT incarnation, first_offset, cause FROM stream_hole
             WHERE stream = \(stream) AND cause <> 'undeliverable'
            ORDER BY incarnation DESC, first_offset DESC LIMIT \(StreamGaps.countMax)
            """)
        return StreamGaps(try rows.map(Self.hole))
    }

    static func hole(_ row: Row) throws -> StreamGap {
        let first = StreamPosition(
            incarnation: try row.integer("incarnation"), offset: try row.integer("first_offset"))
        return StreamGap(first: first, cause: try row.value("cause"))
    }

    /// The numbers of a sensor's channels by name. New names get the next numbers, in order, as long as they are below
    /// `channelsMax`.
    /// - Throws: `StoreError`.
    public func channelNumbers(
        sensor: SensorID, names: [String], channelsMax: Int = 64
    ) throws -> [String: Int16] {
        try transaction { session in
            // One transaction at a time for each sensor, so that two replicas don't assign the same number.
            try session.run("SELECT FROM sensor WHERE sensor_id = \(sensor) FOR NO KEY UPDATE")
            try session.run(
                """
                INSERT INTO channel (sensor_id, channel, name)
                SELECT \(sensor)::int, n.next + n.k, n.name FROM (
                    SELECT w.name, (row_number() OVER (ORDER BY w.k) - 1)::int AS k,
                           (SELECT coalesce(max(channel) + 1, 0) FROM channel WHERE sensor_id = \(sensor)) AS next
                      FROM unnest(\(names)::text[]) WITH ORDINALITY AS w(name, k)
                     WHERE NOT EXISTS (SELECT 1 FROM channel c WHERE c.sensor_id = \(sensor) AND c.name = w.name)
                ) n WHERE n.next + n.k < \(channelsMax)
                """)
            var numbers: [String: Int16] = [:]
            for row in try session.fetch("SELECT name, channel FROM channel WHERE sensor_id = \(sensor)") {
                numbers[try row.text("name")] = try row.integer("channel", as: Int16.self)
            }
            return numbers
        }
    }

    /// The newest stored places of sensors.
    /// - Throws: `StoreError`.
    public func lastPlaces(of sensors: [SensorID]) throws -> [SensorID: GeoPosition] {
        let rows = try fetch(
            """
            SELECT sensor_id, latitude, longitude, altitude FROM place WHERE sensor_id = ANY (\(sensors)::int[])
            """)
        let (sensor, latitude) = (try rows.column("sensor_id"), try rows.column("latitude"))
        let (longitude, altitude) = (try rows.column("longitude"), try rows.column("altitude"))
        var places: [SensorID: GeoPosition] = [:]
        for row in rows {
            places[try row.sensorID(sensor)] = GeoPosition(
                latitude: try row.double(latitude), longitude: try row.double(longitude),
                altitude: try row.double(altitude))
        }
        return places
    }
}
