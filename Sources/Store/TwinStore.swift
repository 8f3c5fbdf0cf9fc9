public import Sensors

/// What sensors said in one batch, of each in order.
struct SensorWords: Sendable {
    /// One word of a sensor.
    enum Word: Sendable {
        /// It announced itself, or its Last Will was published.
        case announcement(Announcement)
        /// It answered a command.
        case answer
    }

    private(set) var words: [SerialNumber: [(received: Timestamp, word: Word)]] = [:]
    /// Announcements that are no Last Wills, in rounds: in each round a boot of a sensor comes once.
    private(set) var rounds: [[Heard<Announcement>]] = []
    private var places: [SerialNumber: [Int64: Int]] = [:]
    /// Sensors whose Last Will came: some may be gateways.
    private(set) var wills: [(serial: SerialNumber, received: Timestamp)] = []

    /// The sensors that announced themselves: they may be new.
    var announced: [SerialNumber] { Array(places.keys) + wills.map(\.serial) }

    mutating func note(_ heard: Heard<Announcement>) {
        words[heard.serial, default: []].append((heard.received, .announcement(heard.content)))
        if heard.content.state == .lost {
            wills.append((heard.serial, heard.received))
            return
        }
        let round = places[heard.serial, default: [:]][heard.content.boot, default: 0]
        places[heard.serial, default: [:]][heard.content.boot] = round + 1
        if round == rounds.count { rounds.append([]) }
        rounds[round].append(heard)
    }

    mutating func note(_ heard: Heard<Ack>) {
        words[heard.serial, default: []].append((heard.received, .answer))
    }
}

/// A sensor's row, as far as the registry changes it.
private struct TwinRow {
    static let columns = """
        s.sensor_id, s.serial, s.presence, s.state, s.boot_id, s.connection, s.announces_s, \
        \(microseconds("s.last_seen")) AS heard_us, \(microseconds("s.lost_at")) AS lost_us
        """

    let id: Int64
    let serial: SerialNumber
    let before: Presence
    var presence: Presence
    /// The newest announcement that counts.
    var announcement: Announcement?

    init?(_ row: Rows.Row) {
        guard let id = row.integer("sensor_id"), let serial = row["serial"].flatMap({ SerialNumber($0) })
        else { return nil }
        self.id = id
        self.serial = serial
        let connection = row.integer("boot_id").map {
            Presence.Connection(boot: $0, number: row.integer("connection") ?? 0)
        }
        before = Presence(
            word: row["presence"].flatMap(Presence.Word.init) ?? .unknown, connection: connection,
            isStopped: row["state"] == "stopped", heard: row.time("heard_us"), lost: row.time("lost_us"),
            interval: row.integer("announces_s") ?? Announcement.intervalSecondsDefault)
        presence = before
    }

    mutating func note(_ words: [(received: Timestamp, word: SensorWords.Word)]) {
        for (received, word) in words {
            switch word {
            case .announcement(let will) where will.state == .lost: presence.note(will: will, at: received)
            case .announcement(var said):
                guard presence.note(said, at: received) else { continue }
                // One that says no rate takes none back.
                said.rate = said.rate ?? announcement?.rate
                announcement = said
            case .answer: presence.answered(at: received)
            }
        }
    }

    /// Whether it came back, or began anew: it may have missed commands.
    var hasReturned: Bool {
        guard announcement != nil, presence.word == .online else { return false }
        return before.word != .online || before.connection != presence.connection
    }
}

extension StoreConnection {
    /// Judges the presence of sensors anew, by the database's clock: of those that are lost, silent, or that send data
    /// without having announced themselves.
    /// - Parameter listeningSeconds: for how long nothing has kept words of sensors from being heard.
    /// - Returns: how many changed.
    /// - Throws: `StoreError`.
    public func judgePresence(listeningSeconds: Int64) throws -> Int {
        try transaction { session in
            // The statement picks who may have changed, `Presence` decides.
            let rows = try session.query(
                """
                SELECT \(TwinRow.columns), \(microseconds("d.data_at")) AS data_us, \(microseconds("now()")) AS now_us
                  FROM sensor s LEFT JOIN (SELECT sensor_id, max(received_at) AS data_at FROM latest GROUP BY sensor_id) d
                    USING (sensor_id)
                 WHERE s.presence = 'lost'
                    OR s.presence = 'online' AND coalesce(greatest(s.last_seen, d.data_at), '-infinity')
                        < now() - INTERVAL '\(Presence.silentSecondsMin) seconds'
                    OR s.presence <> 'online' AND d.data_at > now() - INTERVAL '\(Presence.dataSilentSecondsMax) seconds'
                 ORDER BY s.sensor_id FOR UPDATE OF s SKIP LOCKED
                """)
            let changed = rows.rows.compactMap { row -> TwinRow? in
                guard var twin = TwinRow(row), let now = row.time("now_us") else { return nil }
                twin.presence.judge(
                    at: now, data: row.time("data_us"), listeningSince: now.advanced(bySeconds: -listeningSeconds))
                return twin.presence == twin.before ? nil : twin
            }
            try session.write(changed)
            return changed.count
        }
    }

    /// How many sensors there are of each presence, and how many of those sample.
    /// - Throws: `StoreError`.
    public func presenceCounts() throws -> [Presence.Word: (sensors: Int64, awake: Int64)] {
        let rows = try query(
            """
            SELECT presence, count(*) AS n, count(*) FILTER (WHERE state = 'awake') AS awake
              FROM sensor GROUP BY presence
            """
        ).rows
        return Dictionary(
            rows.compactMap { row in
                row["presence"].flatMap(Presence.Word.init).map {
                    ($0, (sensors: row.integer("n") ?? 0, awake: row.integer("awake") ?? 0))
                }
            }, uniquingKeysWith: { ($0.sensors + $1.sensors, $0.awake + $1.awake) })
    }
}

extension Session {
    /// Writes what sensors said of themselves; to those that have returned, what they may have missed is sent again.
    func record(_ words: SensorWords) throws {
        if words.words.isEmpty { return }
        for round in words.rounds { try recordBoots(round) }
        try recordGateways(words.wills)
        var twins: [TwinRow] = []
        for row in try twinRows(words.words.keys.map(\.text)) {
            guard var twin = TwinRow(row), let said = words.words[twin.serial] else { continue }
            twin.note(said)
            if twin.presence != twin.before || twin.announcement != nil { twins.append(twin) }
        }
        try write(twins)
        try recordChannels(twins)
        let returned = twins.filter(\.hasReturned)
        try queueDeltas(of: returned.map(\.id))
        try resendCommands(to: returned.map(\.serial.text))
    }

    private func twinRows(_ serials: [String]) throws -> [Rows.Row] {
        try query(
            "SELECT \(TwinRow.columns) FROM sensor s WHERE s.serial = ANY ($1::text[]) ORDER BY s.sensor_id FOR UPDATE",
            [.texts(serials)]
        ).rows
    }

    /// A Last Will of a gateway speaks for all its sensors, whose serials begin with its own (design §1).
    private func recordGateways(_ wills: [(serial: SerialNumber, received: Timestamp)]) throws {
        if wills.isEmpty { return }
        let rows = try query(
            """
            SELECT \(TwinRow.columns), \(microseconds("w.received")) AS will_us
              FROM (SELECT gateway, max(received) AS received FROM unnest($1::text[], $2::timestamptz[])
                        AS u(gateway, received) GROUP BY gateway) w
              JOIN sensor s ON s.serial ~>=~ (w.gateway || '--') AND s.serial ~<~ (w.gateway || '-.')
             ORDER BY s.sensor_id FOR UPDATE OF s
            """, [.texts(wills.map(\.serial.text)), .times(wills.map(\.received))])
        try write(
            rows.rows.compactMap { row in
                guard var twin = TwinRow(row), let received = row.time("will_us") else { return nil }
                twin.presence.gatewayBroke(at: received)
                return twin.presence == twin.before ? nil : twin
            })
    }

    /// Writes rows that have changed, with what their announcements say.
    fileprivate func write(_ twins: [TwinRow]) throws {
        if twins.isEmpty { return }
        try query(
            """
            UPDATE sensor s
               SET presence = u.presence, lost_at = u.lost_at, boot_id = u.boot_id, connection = u.connection,
                   last_seen = greatest(s.last_seen, u.heard_at), kind = coalesce(u.kind, s.kind),
                   firmware = coalesce(u.firmware, s.firmware), state = coalesce(u.state, s.state),
                   next_sequence = coalesce(u.next_sequence, s.next_sequence),
                   frames_dropped = coalesce(u.frames_dropped, s.frames_dropped),
                   announces_s = coalesce(u.announces_s, s.announces_s), reported = r.reported,
                   reported_version = s.reported_version + (r.reported IS DISTINCT FROM s.reported)::int
              FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::timestamptz[],
                          $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::int[], $13::jsonb[])
                AS u(sensor_id, presence, lost_at, boot_id, connection, heard_at, kind, firmware, state,
                     next_sequence, frames_dropped, announces_s, reported)
              JOIN sensor o USING (sensor_id),
              LATERAL (SELECT CASE WHEN u.reported IS NULL THEN o.reported ELSE
                  jsonb_strip_nulls(jsonb_build_object('rate_hz', o.reported->'rate_hz')) || u.reported END AS reported) r
             WHERE s.sensor_id = u.sensor_id
            """,
            [
                .integers(twins.map(\.id)), .texts(twins.map(\.presence.word.rawValue)),
                .times(twins.map(\.presence.lost)), .integers(twins.map(\.presence.connection?.boot)),
                .integers(twins.map(\.presence.connection?.number)), .times(twins.map(\.presence.heard)),
                .texts(twins.map(\.announcement?.kind)), .texts(twins.map(\.announcement?.firmware)),
                .texts(twins.map(\.announcement?.state.rawValue)),
                .integers(twins.map(\.announcement?.nextSequence)),
                .integers(twins.map(\.announcement?.framesDropped)),
                .integers(twins.map { $0.announcement == nil ? nil : $0.presence.interval }),
                .texts(
                    twins.map {
                        $0.announcement.map { TwinJSON.reported(rate: $0.rate, properties: $0.properties) }
                    }),
            ])
    }

    /// What sensors say of their boots, whether those are their newest or not; counts never go back.
    ///
    /// The earlier announcement is one that `LossAudit` may call due: it has to get older than `LossAudit.grace` even
    /// if the sensor announces every second, so it is kept for three times that long. While the sensor makes no frames
    /// it is kept for good: the older it is, the more certain.
    private func recordBoots(_ announcements: [Heard<Announcement>]) throws {
        let grace = "INTERVAL '\(LossAudit.grace.components.seconds) seconds'"
        let moves = """
            b.earlier_at IS NULL OR b.next_sequence > b.earlier_next_sequence AND \
            (b.announced_at <= EXCLUDED.announced_at - \(grace) OR b.earlier_at <= EXCLUDED.announced_at - 3 * \(grace))
            """
        try query(
            """
            INSERT INTO boot_announcement AS b (sensor_id, boot_id, next_sequence, frames_dropped, state, first_at,
                                                announced_at)
            SELECT s.sensor_id, u.boot_id, u.next_sequence, u.frames_dropped, u.state, u.at, u.at
              FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[])
                AS u(serial, boot_id, next_sequence, frames_dropped, state, at)
              JOIN sensor s USING (serial)
            ON CONFLICT (sensor_id, boot_id) DO UPDATE
            SET earlier_next_sequence = CASE WHEN \(moves) THEN b.next_sequence ELSE b.earlier_next_sequence END,
                earlier_at = CASE WHEN \(moves) THEN b.announced_at ELSE b.earlier_at END,
                next_sequence = greatest(b.next_sequence, EXCLUDED.next_sequence),
                frames_dropped = greatest(b.frames_dropped, EXCLUDED.frames_dropped), state = EXCLUDED.state,
                announced_at = EXCLUDED.announced_at
            WHERE b.announced_at <= EXCLUDED.announced_at
            """,
            [
                .texts(announcements.map(\.serial.text)), .integers(announcements.map(\.content.boot)),
                .integers(announcements.map(\.content.nextSequence)),
                .integers(announcements.map(\.content.framesDropped)),
                .texts(announcements.map(\.content.state.rawValue)), .times(announcements.map(\.received)),
            ])
    }

    /// Writes the channels of sensors whose announcement differs from what is stored.
    private func recordChannels(_ twins: [TwinRow]) throws {
        var announced: [Int64: [Announcement.Channel]] = [:]
        for twin in twins { announced[twin.id] = twin.announcement?.channels }
        let all = announced.flatMap { sensor, channels in channels.map { (sensor: sensor, channel: $0) } }
        if all.isEmpty { return }
        let other = try query(
            """
            SELECT DISTINCT u.sensor_id
              FROM unnest($1::int[], $2::smallint[], $3::text[], $4::text[], $5::text[])
                AS u(sensor_id, channel, name, quantity, unit)
              LEFT JOIN channel c ON c.sensor_id = u.sensor_id AND c.channel = u.channel
             WHERE (c.name, c.quantity, c.unit) IS DISTINCT FROM (u.name, u.quantity, u.unit)
             ORDER BY u.sensor_id
            """,
            [
                .integers(all.map(\.sensor)), .integers(all.map { Int64($0.channel.number) }),
                .texts(all.map(\.channel.name)), .texts(all.map(\.channel.quantity)),
                .texts(all.map(\.channel.unit)),
            ])
        for sensor in other.rows.compactMap({ $0.integer("sensor_id") }) {
            try recordChannels(announced[sensor] ?? [], of: sensor)
        }
    }

    /// Writes the channels of one sensor. A name that another channel of it has is made different: one bad announcement
    /// stops nobody.
    private func recordChannels(_ channels: [Announcement.Channel], of sensor: Int64) throws {
        try query(
            """
            INSERT INTO channel AS c (sensor_id, channel, name, quantity, unit)
            SELECT $1, a.channel,
                   CASE WHEN a.name = '' OR a.k > 1 OR EXISTS (SELECT 1 FROM channel o WHERE o.sensor_id = $1
                             AND o.name = a.name AND o.channel <> a.channel)
                        THEN (SELECT t.name FROM generate_series(0, 64) AS g(i), LATERAL (
                                  SELECT a.name || '#' || a.channel || CASE g.i WHEN 0 THEN '' ELSE '#' || g.i END
                              ) AS t(name)
                               WHERE t.name <> ALL ($3::text[]) AND NOT EXISTS (SELECT 1 FROM channel o
                                     WHERE o.sensor_id = $1 AND o.name = t.name AND o.channel <> a.channel)
                               ORDER BY g.i LIMIT 1)
                        ELSE a.name END, a.quantity, a.unit
              FROM (SELECT DISTINCT ON (channel) *, row_number() OVER (PARTITION BY name ORDER BY channel) AS k
                      FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[])
                        AS u(channel, name, quantity, unit)
                     ORDER BY channel) a
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET name = EXCLUDED.name, quantity = EXCLUDED.quantity, unit = EXCLUDED.unit
            WHERE (c.name, c.quantity, c.unit) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.quantity, EXCLUDED.unit)
            """,
            [
                .integer(sensor), .integers(channels.map { Int64($0.number) }), .texts(channels.map(\.name)),
                .texts(channels.map(\.quantity)), .texts(channels.map(\.unit)),
            ])
    }
}
