public import Sensors

extension StoreConnection {
    /// The numbers of sensors; those that were never heard of are registered on sight.
    ///
    /// Looks before it inserts: an INSERT that finds its row uses up a number all the same. Inserts by itself and in
    /// one order everywhere, so that writers who meet the same new sensors wait for each other but never in a circle.
    /// - Throws: `StoreError`.
    public func sensorIDs(for serials: [SerialNumber]) throws -> [SerialNumber: Int32] {
        var ids = try knownSensorIDs(serials)
        let missing = Set(serials).filter { ids[$0] == nil }.sorted()
        if missing.isEmpty { return ids }
        try query(
            "INSERT INTO sensor (serial) SELECT unnest($1::text[]) ON CONFLICT (serial) DO NOTHING",
            [.texts(missing.map(\.text))])
        ids.merge(try knownSensorIDs(missing)) { _, new in new }
        return ids
    }

    private func knownSensorIDs(_ serials: [SerialNumber]) throws -> [SerialNumber: Int32] {
        let rows = try query(
            "SELECT serial, sensor_id FROM sensor WHERE serial = ANY ($1::text[])", [.texts(serials.map(\.text))])
        var ids: [SerialNumber: Int32] = [:]
        for row in rows.rows {
            guard let serial = row["serial"].flatMap({ SerialNumber($0) }), let id = row.integer("sensor_id") else {
                continue
            }
            ids[serial] = Int32(id)
        }
        return ids
    }

    /// The ledgers of boots; one that nothing is known of is empty, with version 0.
    /// - Parameter stream: whose places are meant; a boot whose last frame came by another has none.
    /// - Throws: `StoreError`.
    public func ledgers(
        for keys: [LedgerBook.Key], stream: String? = nil
    ) throws -> [LedgerBook.Key: LedgerBook.Entry] {
        // One statement, so that boot and gaps are of one moment.
        let rows = try query(
            """
            SELECT b.sensor_id, b.boot_id, b.next_sequence, b.version,
                   CASE WHEN b.stream = $3 THEN b.last_incarnation END AS last_incarnation, b.last_offset,
                   coalesce((SELECT string_agg(concat_ws('/', g.first_sequence, g.last_sequence, g.missing, g.cause), ','
                                               ORDER BY g.first_sequence)
                               FROM sequence_gap g WHERE g.sensor_id = b.sensor_id AND g.boot_id = b.boot_id), '') AS gaps
              FROM sensor_boot b JOIN unnest($1::int[], $2::bigint[]) AS k(s, b) ON b.sensor_id = k.s AND b.boot_id = k.b
            """, [.integers(keys.map { Int64($0.sensor) }), .integers(keys.map(\.boot)), .text(stream)])
        var entries = Dictionary(
            keys.map { ($0, LedgerBook.Entry(ledger: SequenceLedger(), version: 0)) },
            uniquingKeysWith: { first, _ in first })
        for row in rows.rows {
            guard let sensor = row.integer("sensor_id"), let boot = row.integer("boot_id"),
                let next = row.integer("next_sequence"), let version = row.integer("version")
            else { continue }
            let gaps = (row["gaps"] ?? "").split(separator: ",").compactMap(Self.gap)
            var entry = LedgerBook.Entry(ledger: SequenceLedger(next: next, gaps: gaps), version: version)
            if let incarnation = row.integer("last_incarnation"), let offset = row.integer("last_offset") {
                entry.last = StreamPlace(incarnation: incarnation, offset: offset)
            }
            entries[LedgerBook.Key(sensor: Int32(sensor), boot: boot)] = entry
        }
        return entries
    }

    /// A hole from "first/last/missing/cause".
    private static func gap(_ text: Substring) -> SequenceGap? {
        let parts = text.split(separator: "/")
        guard parts.count == 4, let first = Int64(parts[0]), let last = Int64(parts[1]), first <= last,
            let missing = Int64(parts[2])
        else { return nil }
        return SequenceGap(first...last, missing: missing, cause: LossCause(rawValue: String(parts[3])) ?? .late)
    }

    /// The holes of a stream, the newest `StreamHoles.countMax`.
    /// - Throws: `StoreError`.
    public func holes(of stream: String) throws -> StreamHoles {
        let rows = try query(
            """
            SELECT incarnation, first_offset, cause FROM stream_hole WHERE stream = $1
            ORDER BY incarnation DESC, first_offset DESC LIMIT \(StreamHoles.countMax)
            """, [.text(stream)])
        return StreamHoles(rows.rows.compactMap(Self.hole))
    }

    static func hole(_ row: Rows.Row) -> StreamHole? {
        guard let incarnation = row.integer("incarnation"), let offset = row.integer("first_offset"),
            let cause = row["cause"].flatMap(LossCause.init(rawValue:))
        else { return nil }
        return StreamHole(first: StreamPlace(incarnation: incarnation, offset: offset), cause: cause)
    }

    /// The numbers of a sensor's channels by name; names that are new get the next number, at most `channelsMax`.
    /// - Throws: `StoreError`.
    public func channelNumbers(
        sensor: Int32, names: [String], channelsMax: Int = 64
    ) throws -> [String: Int16] {
        try transaction { session in
            // One at a time for each sensor, so that two replicas don't give the same number.
            try session.query("SELECT 1 FROM sensor WHERE sensor_id = $1 FOR UPDATE", [.integer(Int64(sensor))])
            try session.query(
                """
                INSERT INTO channel (sensor_id, channel, name)
                SELECT $1, n.next + n.k, n.name FROM (
                    SELECT w.name, (row_number() OVER (ORDER BY w.k) - 1)::int AS k,
                           (SELECT coalesce(max(channel) + 1, 0) FROM channel WHERE sensor_id = $1) AS next
                      FROM unnest($2::text[]) WITH ORDINALITY AS w(name, k)
                     WHERE NOT EXISTS (SELECT 1 FROM channel c WHERE c.sensor_id = $1 AND c.name = w.name)
                ) n WHERE n.next + n.k < $3
                """, [.integer(Int64(sensor)), .texts(names), .integer(Int64(channelsMax))])
            let rows = try session.query(
                "SELECT name, channel FROM channel WHERE sensor_id = $1", [.integer(Int64(sensor))])
            var numbers: [String: Int16] = [:]
            for row in rows.rows {
                guard let name = row["name"], let number = row.integer("channel") else { continue }
                numbers[name] = Int16(number)
            }
            return numbers
        }
    }

    /// The newest known places of sensors.
    /// - Throws: `StoreError`.
    public func lastPlaces(of sensors: [Int32]) throws -> [Int32: Place] {
        let rows = try query(
            """
            SELECT sensor_id AS id, latitude, longitude, altitude FROM place WHERE sensor_id = ANY ($1::int[])
            """, [.integers(sensors.map { Int64($0) })])
        var places: [Int32: Place] = [:]
        for row in rows.rows {
            guard let id = row.integer("id"), let latitude = row.double("latitude"),
                let longitude = row.double("longitude"), let altitude = row.double("altitude")
            else { continue }
            places[Int32(id)] = Place(latitude: latitude, longitude: longitude, altitude: altitude)
        }
        return places
    }

    /// The states of limits, by sensor and channel.
    /// - Throws: `StoreError`.
    public func limitStates(of sensors: [Int32]) throws -> [(sensor: Int32, channel: Int16, state: LimitState)] {
        let rows = try query(
            "SELECT * FROM alarm_state WHERE sensor_id = ANY ($1::int[])", [.integers(sensors.map { Int64($0) })])
        return rows.rows.compactMap { row in
            guard let sensor = row.integer("sensor_id"), let channel = row.integer("channel") else { return nil }
            var state = LimitState(asOf: row.integer("as_of_ns").map(Timestamp.init(unixNanoseconds:)))
            if let id = row["alarm_id"], let side = row["side"].flatMap(LimitSide.init(rawValue:)),
                let since = row.integer("since_ns")
            {
                state.raised = LimitState.Raised(id: id, side: side, since: Timestamp(unixNanoseconds: since))
            }
            return (Int32(sensor), Int16(channel), state)
        }
    }

    /// A channel that has limits.
    public struct LimitedChannel: Sendable {
        /// The sensor's number.
        public var sensor: Int32
        /// The sensor.
        public var serial: SerialNumber
        /// The channel's number.
        public var channel: Int16
        /// The channel's name.
        public var name: String
        /// Its limits.
        public var limits: ChannelLimits
    }

    /// All limits that people want, from the sensors' desired properties.
    /// - Throws: `StoreError`.
    public func limitedChannels() throws -> [LimitedChannel] {
        let rows = try query(
            """
            WITH wanted AS (
                SELECT s.sensor_id, s.serial, c.channel, c.name, l.value->>'high' AS high, l.value->>'low' AS low,
                       l.value->>'hysteresis' AS hysteresis
                  FROM sensor s CROSS JOIN LATERAL jsonb_each(s.desired->'limits') AS l(name, value)
                  JOIN channel c ON c.sensor_id = s.sensor_id AND c.name = l.name
                 WHERE s.desired_changed_at IS NOT NULL AND jsonb_typeof(s.desired->'limits') = 'object'
                   AND jsonb_typeof(l.value) = 'object'
            )
            SELECT * FROM wanted
            UNION ALL
            -- An alarm whose limits are gone altogether still has to be cleared.
            SELECT s.sensor_id, s.serial, c.channel, c.name, NULL, NULL, NULL
              FROM alarm_state a JOIN sensor s USING (sensor_id) JOIN channel c USING (sensor_id, channel)
             WHERE a.alarm_id IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.sensor_id = a.sensor_id AND w.channel = a.channel)
            """)
        return rows.rows.compactMap { row in
            guard let sensor = row.integer("sensor_id"), let serial = row["serial"].flatMap({ SerialNumber($0) }),
                let channel = row.integer("channel"), let name = row["name"]
            else { return nil }
            let limits = ChannelLimits(
                high: row.double("high"), low: row.double("low"), hysteresis: row.double("hysteresis") ?? 0)
            return LimitedChannel(
                sensor: Int32(sensor), serial: serial, channel: Int16(channel), name: name, limits: limits)
        }
    }
}
