public import Model
public import Postgres
public import Rules
public import Time

/// What an evaluator knows of all rules and sensors of a stream, as of one message.
public struct RuleStateRecord: Sendable, Equatable {
    /// The incarnation of the stream.
    public var incarnation: Int64
    /// The offset of the last message that was evaluated; nil: none.
    public var offset: Int64?
    /// The fingerprint of that message; nil: unknown.
    public var fingerprint: Int64?
    /// The engine's state, as it encodes itself.
    public var body: [UInt8]

    /// The state as of that message.
    public init(incarnation: Int64, offset: Int64?, fingerprint: Int64?, body: [UInt8]) {
        self.incarnation = incarnation
        self.offset = offset
        self.fingerprint = fingerprint
        self.body = body
    }
}

/// What is stored of the evaluation of a stream.
public struct StoredEvaluation: Sendable, Equatable {
    /// The state; nil: no rule held when the partition had an owner last.
    public var state: RuleStateRecord?
    /// The last message that a release without rules stored, and so judged by its limits; nil: none.
    public var older: StreamPosition?
    /// The offsets that the broker cannot deliver, behind the state's.
    public var undeliverable: [ClosedRange<Int64>]
}

/// Whether a limit's alarm is on: what releases without rules read when they take over a partition.
public struct LimitAlarm: Sendable, Equatable {
    /// The sensor.
    public var serial: SerialNumber
    /// The channel's name.
    public var channel: String
    /// The channel's number.
    public var number: Int16
    /// The id of the alarm; nil: it is off.
    public var id: String?
    /// The side on which it is on; nil: it is off.
    public var side: LimitSide?
    /// When that was decided.
    public var since: Timestamp

    /// That state.
    public init(
        serial: SerialNumber, channel: String, number: Int16, id: String?, side: LimitSide?, since: Timestamp
    ) {
        self.serial = serial
        self.channel = channel
        self.number = number
        self.id = id
        self.side = side
        self.since = since
    }
}

/// The state of evaluators.
extension StoreConnection {
    /// Reads what is stored of the evaluation of a partition's stream.
    /// - Throws: `StoreError`.
    public func evaluation(of lease: PartitionLease) throws -> StoredEvaluation {
        try transaction(timeout: .seconds(30)) { session in
            let row = try session.fetchOne(
                """
                SELECT p.older_incarnation, p.older_offset, r.incarnation, r.stream_offset, r.fingerprint,
                       encode(r.body, 'hex') AS body
                  FROM ingest_partition p LEFT JOIN rule_state r USING (stream) WHERE p.stream = \(lease.stream)
                """)
            var state: RuleStateRecord?
            if let incarnation = try row.optionalInteger("incarnation") {
                state = RuleStateRecord(
                    incarnation: incarnation, offset: try row.optionalInteger("stream_offset"),
                    fingerprint: try row.optionalInteger("fingerprint"), body: try row.bytes("body"))
            }
            let holes = try session.fetch(
                """
                SELECT first_offset, last_offset FROM stream_hole
                 WHERE stream = \(lease.stream) AND incarnation = \(lease.incarnation) AND cause = 'undeliverable'
                   AND last_offset >= \(state?.offset ?? 0)
                 ORDER BY first_offset
                """)
            return StoredEvaluation(
                state: state, older: try row.optionalStreamPosition("older_incarnation", "older_offset"),
                undeliverable: try holes.map { try $0.range("first_offset", "last_offset") })
        }
    }

    /// Saves the state of an evaluator, whose alarms up to that message are all confirmed, in one statement.
    /// - Parameters:
    ///   - state: the state; nil: no rule holds any more.
    ///   - limits: the limits' alarms that began or ended since the state before.
    /// - Throws: `IngestConflict.leaseLost` if another replica holds the partition, or `StoreError`.
    public func save(_ state: RuleStateRecord?, of lease: PartitionLease, limits: [LimitAlarm] = []) throws {
        let body: SQL = if let state { "\(state.body)" } else { "NULL" }
        do {
            try run(
                """
                SELECT rule_state_save(\(lease.stream), \(lease.epoch), \(lease.incarnation)::int,
                                       \(state?.offset), \(state?.fingerprint), \(body),
                                       \(limits.map(\.serial))::text[], \(limits.map(\.channel))::text[],
                                       \(limits.map(\.id))::text[], \(limits.map(\.side))::text[],
                                       \(limits.map(\.since.unixNanoseconds))::bigint[])
                """, timeout: Self.commitTimeout)
        } catch let error as StoreError where error.sqlState == "IOT01" {
            throw IngestConflict.leaseLost
        }
    }

    /// Reads the limits' alarms of all sensors, as evaluators and releases without rules left them.
    /// - Parameter isOn: whether only those that are on are wanted.
    /// - Throws: `StoreError`.
    public func limitAlarms(isOn: Bool) throws -> [LimitAlarm] {
        let rows = try fetch(
            """
            SELECT s.serial, c.name, a.channel, a.alarm_id, a.side, coalesce(a.since_ns, a.as_of_ns) AS since_ns
              FROM alarm_state a JOIN sensor s USING (sensor_id) JOIN channel c USING (sensor_id, channel)
             WHERE (a.alarm_id IS NOT NULL OR NOT \(isOn)) AND s.deleted_at IS NULL AND c.name IS NOT NULL
             ORDER BY s.serial COLLATE "C", a.channel
            """)
        return try rows.map { row in
            LimitAlarm(
                serial: try row.serial("serial"), channel: try row.text("name"),
                number: try row.integer("channel", as: Int16.self), id: try row.optionalText("alarm_id"),
                side: try row.optionalValue("side", as: LimitSide.self),
                since: Timestamp(unixNanoseconds: try row.integer("since_ns")))
        }
    }
}
