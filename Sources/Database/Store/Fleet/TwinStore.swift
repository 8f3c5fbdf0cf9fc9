public import Model
public import Postgres
internal import Time

/// The messages of sensors in one batch, in order for each sensor.
struct SensorWords: Sendable {
    /// One message of a sensor.
    enum Word: Sendable {
        /// The sensor announced itself, or its Last Will was published.
        case announcement(Announcement)
        /// The sensor answered a command.
        case answer
    }

    private(set) var words: [SerialNumber: [(received: Timestamp, word: Word)]] = [:]
    /// Announcements other than Last Wills, in rounds: each boot of a sensor occurs once in a round.
    private(set) var rounds: [[Received<Announcement>]] = []
    private var places: [SerialNumber: [Int64: Int]] = [:]
    /// Sensors whose Last Will arrived; some may be gateways.
    private(set) var wills: [(serial: SerialNumber, received: Timestamp)] = []

    /// The sensors that announced themselves; some may be new, or deleted: then they are sensors again.
    var announced: [SerialNumber] { Array(places.keys) }

    mutating func note(_ heard: Received<Announcement>) {
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

    mutating func note(_ heard: Received<Ack>) {
        words[heard.serial, default: []].append((heard.received, .answer))
    }
}

/// The columns of a sensor's row that the registry changes.
private struct TwinRow {
    static let columns: SQL = """
        s.sensor_id, s.serial, s.presence, s.state, s.boot_id, s.connection, s.announces_s, \
        \(microseconds("s.last_seen")) AS heard_us, \(microseconds("s.lost_at")) AS lost_us
        """

    let id: SensorID
    let serial: SerialNumber
    let before: Presence
    var presence: Presence
    /// The newest valid announcement.
    var announcement: Announcement?

    init(_ row: Row) throws {
        id = try row.sensorID("sensor_id")
        serial = try row.serial("serial")
        // A row from before connections were counted has a boot without a number.
        let number = try row.optionalInteger("connection")
        let connection = try row.optionalInteger("boot_id").map { Presence.Connection(boot: $0, number: number ?? 0) }
        before = Presence(
            word: try row.value("presence"), connection: connection, isStopped: try row.text("state") == "stopped",
            heard: try row.optionalTime("heard_us"), lost: try row.optionalTime("lost_us"),
            interval: try row.integer("announces_s"))
        presence = before
    }

    mutating func note(_ words: [(received: Timestamp, word: SensorWords.Word)]) {
        for (received, word) in words {
            switch word {
            case .announcement(let will) where will.state == .lost: presence.note(will: will, at: received)
            case .announcement(var said):
                guard presence.note(said, at: received) else { continue }
                // An announcement without a rate does not clear the stored one.
                said.rate = said.rate ?? announcement?.rate
                announcement = said
            case .answer: presence.answered(at: received)
            }
        }
    }

    /// Whether the sensor reconnected or restarted, and so may have missed commands.
    var hasReturned: Bool {
        guard announcement != nil, presence.word == .online else { return false }
        return before.word != .online || before.connection != presence.connection
    }
}

extension StoreConnection {
    /// Updates the presence of sensors, by the database's clock: of sensors that are lost, silent, or that send data
    /// without having announced themselves.
    /// - Parameter listeningSeconds: for how long the registry has received messages of sensors without interruption.
    /// - Returns: the number of sensors whose presence changed.
    /// - Throws: `StoreError`.
    public func judgePresence(listeningSeconds: Int64) throws -> Int {
        try transaction { session in
            // The statement selects candidates; `Presence` decides.
            let rows = try session.fetch(
                """
                SELECT \(TwinRow.columns), \(microseconds("d.data_at")) AS data_us, \(microseconds("now()")) AS now_us
                  FROM sensor s LEFT JOIN (SELECT sensor_id, max(received_at) AS data_at FROM latest GROUP BY sensor_id) d
                    USING (sensor_id)
                 WHERE s.deleted_at IS NULL AND (s.presence = 'lost'
                    OR s.presence = 'online' AND coalesce(greatest(s.last_seen, d.data_at), '-infinity')
                        < now() - make_interval(secs => \(Presence.silentSecondsMin))
                    OR s.presence <> 'online'
                        AND d.data_at > now() - make_interval(secs => \(Presence.dataSilentSecondsMax)))
                 ORDER BY s.sensor_id FOR NO KEY UPDATE OF s SKIP LOCKED
                """)
            let changed = try rows.compactMap { row -> TwinRow? in
                var twin = try TwinRow(row)
                let now = try row.time("now_us")
                twin.presence.judge(
                    at: now, data: try row.optionalTime("data_us"),
                    listeningSince: now.advanced(bySeconds: -listeningSeconds))
                return twin.presence == twin.before ? nil : twin
            }
            try session.write(changed)
            return changed.count
        }
    }

    /// Counts the sensors of each presence, and those of them that sample.
    /// - Throws: `StoreError`.
    public func presenceCounts() throws -> [Presence.Word: (sensors: Int64, awake: Int64)] {
        let rows = try fetch(
            """
            SELECT presence, count(*) AS n, count(*) FILTER (WHERE state = 'awake') AS awake
              FROM sensor WHERE deleted_at IS NULL GROUP BY presence
            """)
        return Dictionary(
            try rows.map { row in
                let counts = (sensors: try row.integer("n"), awake: try row.integer("awake"))
                return (try row.value("presence", as: Presence.Word.self), counts)
            }, uniquingKeysWith: { ($0.sensors + $1.sensors, $0.awake + $1.awake) })
    }
}

extension Session {
    /// Writes what sensors reported; commands that reconnected sensors may have missed become due again.
    func record(_ words: SensorWords) throws {
        if words.words.isEmpty { return }
        for round in words.rounds { try recordBoots(round) }
        try recordGateways(words.wills)
        var twins: [TwinRow] = []
        for var twin in try twinRows(Array(words.words.keys)) {
            guard let said = words.words[twin.serial] else { continue }
            twin.note(said)
            if twin.presence != twin.before || twin.announcement != nil { twins.append(twin) }
        }
        try write(twins)
        try recordChannels(twins)
        let returned = twins.filter(\.hasReturned)
        try queueDeltas(of: returned.map(\.id))
        try resendCommands(to: returned.map(\.serial))
    }

    /// Rows of sensors are locked `FOR NO KEY UPDATE` here and everywhere: their keys never change, so rows that refer
    /// to them (an alarm, a channel) can be inserted in the meantime. `FOR UPDATE` would wait for such an insert, and
    /// the next insert would wait for it.
    private func twinRows(_ serials: [SerialNumber]) throws -> [TwinRow] {
        try fetch(
            """
            SELECT \(TwinRow.columns) FROM sensor s WHERE s.serial = ANY (\(serials)::text[])
               AND s.deleted_at IS NULL
            ORDER BY s.sensor_id FOR NO KEY UPDATE
            """
        ).map(TwinRow.init)
    }

    /// A gateway's Last Will applies to all its sensors, whose serial numbers begin with the gateway's.
    private func recordGateways(_ wills: [(serial: SerialNumber, received: Timestamp)]) throws {
        if wills.isEmpty { return }
        let rows = try fetch(
            """
            SELECT \(TwinRow.columns), \(microseconds("w.received")) AS will_us
              FROM (SELECT gateway, max(received) AS received
                      FROM unnest(\(wills.map(\.serial))::text[], \(wills.map(\.received))::timestamptz[])
                        AS u(gateway, received) GROUP BY gateway) w
              JOIN sensor s ON s.serial ~>=~ (w.gateway || '--') AND s.serial ~<~ (w.gateway || '-.')
             WHERE s.deleted_at IS NULL
             ORDER BY s.sensor_id FOR NO KEY UPDATE OF s
            """)
        try write(
            try rows.compactMap { row in
                var twin = try TwinRow(row)
                twin.presence.gatewayBroke(at: try row.time("will_us"))
                return twin.presence == twin.before ? nil : twin
            })
    }

    /// Writes changed rows, with the content of their announcements.
    fileprivate func write(_ twins: [TwinRow]) throws {
        if twins.isEmpty { return }
        let announcements = twins.map(\.announcement)
        let reported = announcements.map { said in
            said.map { TwinJSON.reported(rate: $0.rate, properties: $0.properties) }
        }
        let intervals: [Int64?] = twins.map { $0.announcement == nil ? nil : $0.presence.interval }
        try run(
            """
            UPDATE sensor s
               SET presence = u.presence, lost_at = u.lost_at, boot_id = u.boot_id, connection = u.connection,
                   last_seen = greatest(s.last_seen, u.heard_at), kind = coalesce(u.kind, s.kind),
                   firmware = coalesce(u.firmware, s.firmware), state = coalesce(u.state, s.state),
                   next_sequence = coalesce(u.next_sequence, s.next_sequence),
                   frames_dropped = coalesce(u.frames_dropped, s.frames_dropped),
                   announces_s = coalesce(u.announces_s, s.announces_s), reported = r.reported,
                   reported_version = s.reported_version + (r.reported IS DISTINCT FROM s.reported)::int
              FROM unnest(\(twins.map(\.id))::int[], \(twins.map(\.presence.word))::text[],
                          \(twins.map(\.presence.lost))::timestamptz[],
                          \(twins.map(\.presence.connection?.boot))::bigint[],
                          \(twins.map(\.presence.connection?.number))::bigint[],
                          \(twins.map(\.presence.heard))::timestamptz[], \(announcements.map(\.?.kind))::text[],
                          \(announcements.map(\.?.firmware))::text[], \(announcements.map(\.?.state))::text[],
                          \(announcements.map(\.?.nextSequence))::bigint[],
                          \(announcements.map(\.?.framesDropped))::bigint[],
                          \(intervals)::int[], \(reported)::jsonb[])
                AS u(sensor_id, presence, lost_at, boot_id, connection, heard_at, kind, firmware, state,
                     next_sequence, frames_dropped, announces_s, reported)
              JOIN sensor o USING (sensor_id),
              LATERAL (SELECT CASE WHEN u.reported IS NULL THEN o.reported ELSE
                  jsonb_strip_nulls(jsonb_build_object('rate_hz', o.reported->'rate_hz')) || u.reported END AS reported) r
             WHERE s.sensor_id = u.sensor_id
            """)
    }

    /// Writes what sensors report of their boots, whether these are the newest boots or not; counts never decrease.
    ///
    /// The earlier announcement is the one that `LossAudit` may treat as due: it must become older than
    /// `LossAudit.grace` even if the sensor announces itself every second, so it is kept for three times that long.
    /// While the sensor produces no frames it is kept indefinitely: the older it is, the more certain the result.
    private func recordBoots(_ announcements: [Received<Announcement>]) throws {
        let grace: SQL = "make_interval(secs => \(LossAudit.grace.components.seconds))"
        let moves: SQL = """
            b.earlier_at IS NULL OR b.next_sequence > b.earlier_next_sequence AND \
            (b.announced_at <= EXCLUDED.announced_at - \(grace) OR b.earlier_at <= EXCLUDED.announced_at - 3 * \(grace))
            """
        try run(
            """
            INSERT INTO boot_announcement AS b (sensor_id, boot_id, next_sequence, frames_dropped, state, first_at,
                                                announced_at)
            SELECT s.sensor_id, u.boot_id, u.next_sequence, u.frames_dropped, u.state, u.at, u.at
              FROM unnest(\(announcements.map(\.serial))::text[], \(announcements.map(\.content.boot))::bigint[],
                          \(announcements.map(\.content.nextSequence))::bigint[],
                          \(announcements.map(\.content.framesDropped))::bigint[],
                          \(announcements.map(\.content.state))::text[],
                          \(announcements.map(\.received))::timestamptz[])
                AS u(serial, boot_id, next_sequence, frames_dropped, state, at)
              JOIN sensor s USING (serial)
            ON CONFLICT (sensor_id, boot_id) DO UPDATE
            SET earlier_next_sequence = CASE WHEN \(moves) THEN b.next_sequence ELSE b.earlier_next_sequence END,
                earlier_at = CASE WHEN \(moves) THEN b.announced_at ELSE b.earlier_at END,
                next_sequence = greatest(b.next_sequence, EXCLUDED.next_sequence),
                frames_dropped = greatest(b.frames_dropped, EXCLUDED.frames_dropped), state = EXCLUDED.state,
                announced_at = EXCLUDED.announced_at
            WHERE b.announced_at <= EXCLUDED.announced_at
            """)
    }

    /// Writes the channels of sensors whose announcement differs from the stored channels.
    private func recordChannels(_ twins: [TwinRow]) throws {
        var announced: [SensorID: [Announcement.Channel]] = [:]
        for twin in twins { announced[twin.id] = twin.announcement?.channels }
        let all = announced.flatMap { sensor, channels in channels.map { (sensor: sensor, channel: $0) } }
        if all.isEmpty { return }
        let other = try fetch(
            """
            SELECT DISTINCT u.sensor_id
              FROM unnest(\(all.map(\.sensor))::int[], \(all.map(\.channel.number))::smallint[],
                          \(all.map(\.channel.name))::text[], \(all.map(\.channel.quantity))::text[],
                          \(all.map(\.channel.unit))::text[])
                AS u(sensor_id, channel, name, quantity, unit)
              LEFT JOIN channel c ON c.sensor_id = u.sensor_id AND c.channel = u.channel
             WHERE (c.name, c.quantity, c.unit) IS DISTINCT FROM (u.name, u.quantity, u.unit)
             ORDER BY u.sensor_id
            """)
        for row in other {
            let sensor = try row.sensorID("sensor_id")
            if let channels = announced[sensor] { try recordChannels(channels, of: sensor) }
        }
    }

    /// Writes the channels of one sensor. A name that another channel of the sensor already has is made unique, so that
    /// one bad announcement does not block other sensors.
    private func recordChannels(_ channels: [Announcement.Channel], of sensor: SensorID) throws {
        try run(
            """
            INSERT INTO channel AS c (sensor_id, channel, name, quantity, unit)
            SELECT \(sensor)::int, a.channel,
                   CASE WHEN a.name = '' OR a.k > 1 OR EXISTS (SELECT 1 FROM channel o WHERE o.sensor_id = \(sensor)
                             AND o.name = a.name AND o.channel <> a.channel)
                        THEN (SELECT t.name FROM generate_series(0, 64) AS g(i), LATERAL (
                                  SELECT a.name || '#' || a.channel || CASE g.i WHEN 0 THEN '' ELSE '#' || g.i END
                              ) AS t(name)
                               WHERE t.name <> ALL (\(channels.map(\.name))::text[]) AND NOT EXISTS (SELECT 1 FROM channel o
                                     WHERE o.sensor_id = \(sensor) AND o.name = t.name AND o.channel <> a.channel)
                               ORDER BY g.i LIMIT 1)
                        ELSE a.name END, a.quantity, a.unit
              FROM (SELECT DISTINCT ON (channel) *, row_number() OVER (PARTITION BY name ORDER BY channel) AS k
                      FROM unnest(\(channels.map(\.number))::smallint[], \(channels.map(\.name))::text[],
                                  \(channels.map(\.quantity))::text[], \(channels.map(\.unit))::text[])
                        AS u(channel, name, quantity, unit)
                     ORDER BY channel) a
            ON CONFLICT (sensor_id, channel) DO UPDATE
            SET name = EXCLUDED.name, quantity = EXCLUDED.quantity, unit = EXCLUDED.unit
            WHERE (c.name, c.quantity, c.unit) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.quantity, EXCLUDED.unit)
            """)
    }
}
