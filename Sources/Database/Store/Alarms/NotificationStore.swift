public import Model
public import Postgres
public import Time

/// What one receiver is to be told of one alarm.
public struct AlarmNotification: Sendable, Equatable {
    /// The alarm's id.
    public var alarm: String
    /// Whether it tells the alarm's begin or its end.
    public var edge: Alarm.Edge
    /// Its place in the receiver's order.
    public var number: Int64
    /// How often it was tried.
    public var attempts: Int
    /// How long it has waited.
    public var age: Duration
    /// The sensor.
    public var serial: String
    /// The channel's name, or its number as text; empty: the rule concerns the whole sensor.
    public var channel: String
    /// The unit of value and limit; empty if unknown.
    public var unit: String
    /// The rule's name.
    public var rule: String
    /// The alarm's severity.
    public var severity: Alarm.Severity
    /// The time of the samples that raised it.
    public var raisedAt: Timestamp
    /// The time of the samples that cleared it; nil while it is active, whichever edge this is.
    public var clearedAt: Timestamp?
    /// The value that raised it.
    public var value: Double?
    /// The limit that it crossed.
    public var limit: Double?
    /// The value that cleared it.
    public var clearValue: Double?
    /// Why it was cleared if it was not the signal.
    public var clearCause: String?
    /// A description in one sentence.
    public var text: String
    /// A link for the operator.
    public var runbook: String?
    /// Whether it was evaluated long after its time.
    public var isLate: Bool

    /// A notification of these parts.
    public init(
        alarm: String, edge: Alarm.Edge, number: Int64, attempts: Int, age: Duration, serial: String, channel: String,
        unit: String, rule: String, severity: Alarm.Severity, raisedAt: Timestamp, clearedAt: Timestamp?,
        value: Double?,
        limit: Double?, clearValue: Double?, clearCause: String?, text: String, runbook: String?, isLate: Bool
    ) {
        self.alarm = alarm
        self.edge = edge
        self.number = number
        self.attempts = attempts
        self.age = age
        self.serial = serial
        self.channel = channel
        self.unit = unit
        self.rule = rule
        self.severity = severity
        self.raisedAt = raisedAt
        self.clearedAt = clearedAt
        self.value = value
        self.limit = limit
        self.clearValue = clearValue
        self.clearCause = clearCause
        self.text = text
        self.runbook = runbook
        self.isLate = isLate
    }

    /// The id that every attempt has, also after a registry was killed: a receiver that has it already drops the rest.
    public var id: String { "\(alarm)/\(edge.rawValue)" }
}

/// What a receiver waits for.
public struct WaitingNotifications: Sendable {
    /// The oldest that are due, in order.
    public var due: [AlarmNotification] = []
    /// How many wait, those that are not due included.
    public var count = 0
    /// How long the oldest has waited; nil: none waits.
    public var oldest: Duration?
}

/// How a notification fared, for people.
public struct NotificationRecord: Sendable, Equatable {
    /// The receiver's name.
    public var receiver: String
    /// Whether it tells the alarm's begin or its end.
    public var edge: Alarm.Edge
    /// When the edge was recorded.
    public var created: Timestamp
    /// How often it was tried.
    public var attempts: Int
    /// What the last failed attempt said; nil: none failed.
    public var lastError: String?
    /// When the receiver took it; nil: it waits, or was given up.
    public var delivered: Timestamp?
    /// When the registry stopped trying; nil: it has not.
    public var givenUp: Timestamp?
    /// Whether it was told in a summary of several alarms.
    public var isSummarised: Bool
}

/// A receiver of notifications, as the registries' files and attempts say.
public struct ReceiverRecord: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// `alertmanager`, `webhook` or `mail`.
    public var kind: String
    /// Whether a registry sends to it now.
    public var isHeld: Bool
    /// For how long every attempt has failed; nil: the last one succeeded, or there was none.
    public var failing: Duration?
    /// What the last failed attempt said.
    public var lastError: String?
    /// How many notifications wait.
    public var waiting: Int

    /// A receiver of that name and kind.
    public init(
        name: String, kind: String, isHeld: Bool = false, failing: Duration? = nil, lastError: String? = nil,
        waiting: Int = 0
    ) {
        self.name = name
        self.kind = kind
        self.isHeld = isHeld
        self.failing = failing
        self.lastError = lastError
        self.waiting = waiting
    }
}

extension StoreConnection {
    /// How long a registry holds a receiver without saying so again, in seconds.
    public static let receiverHoldSeconds = 5

    /// Says which receivers a registry has in its file, and takes those that no other registry holds.
    /// - Parameters:
    ///   - receivers: names and kinds.
    ///   - holder: the registry, different for each.
    /// - Returns: the names of those that this registry holds for the next `receiverHoldSeconds`.
    /// - Throws: `StoreError`.
    public func holdReceivers(_ receivers: [(name: String, kind: String)], as holder: String) throws -> Set<String> {
        if receivers.isEmpty { return [] }
        // In order of name, so that two registries cannot wait for each other.
        let receivers = receivers.sorted { $0.name < $1.name }
        return try transaction(timeout: .seconds(5), lockTimeout: .seconds(3)) { session in
            try session.run(
                """
                INSERT INTO notification_receiver (receiver, kind)
                SELECT * FROM unnest(\(receivers.map(\.name))::text[], \(receivers.map(\.kind))::text[])
                ON CONFLICT (receiver) DO UPDATE SET kind = EXCLUDED.kind, configured_at = now()
                """)
            let rows = try session.fetch(
                """
                UPDATE notification_receiver
                   SET holder = \(holder),
                       held_until = clock_timestamp() + make_interval(secs => \(Self.receiverHoldSeconds))
                 WHERE receiver = ANY (\(receivers.map(\.name))::text[])
                   AND (holder = \(holder) OR held_until IS NULL OR held_until < clock_timestamp())
                RETURNING receiver
                """)
            return Set(try rows.map { try $0.text("receiver") })
        }
    }

    /// Gives back all receivers that a registry holds, so that another one takes them at once.
    /// - Throws: `StoreError`.
    public func releaseReceivers(heldBy holder: String) throws {
        try run(
            "UPDATE notification_receiver SET holder = NULL, held_until = NULL WHERE holder = \(holder)",
            timeout: .seconds(3))
    }

    /// Writes the clears of alarms that ended in another way than by a message, such as by the deletion of their sensor.
    /// - Throws: `StoreError`.
    public func noteEndedAlarms() throws {
        try transaction(timeout: .seconds(30)) { session in try session.noteEnded(nil) }
    }

    /// Gives up what no configured receiver waits for, and forgets receivers that no file has had for a day.
    /// - Returns: how many notifications were given up.
    /// - Throws: `StoreError`.
    public func forgetReceivers() throws -> Int {
        try transaction(timeout: .seconds(30)) { session in
            try session.run(
                "DELETE FROM notification_receiver WHERE configured_at < now() - make_interval(days => 1)")
            return try session.run(
                """
                UPDATE notification n SET given_up_at = now(), last_error = 'its receiver is no longer configured'
                 WHERE delivered_at IS NULL AND given_up_at IS NULL
                   AND created_at < now() - make_interval(days => 1)
                   AND NOT EXISTS (SELECT FROM notification_receiver r WHERE r.receiver = n.receiver)
                """)
        }
    }

    /// Reads what a receiver waits for.
    /// - Throws: `StoreError`.
    public func waitingNotifications(of receiver: String, atMost limit: Int) throws -> WaitingNotifications {
        try transaction(timeout: .seconds(30)) { session in
            let counted = try session.fetchOne(
                """
                SELECT count(*) AS count, (extract(epoch FROM now() - min(created_at)) * 1000)::bigint AS oldest_ms
                  FROM notification n
                 WHERE receiver = \(receiver) AND delivered_at IS NULL AND given_up_at IS NULL
                """)
            var waiting = WaitingNotifications(
                count: try counted.integer("count", as: Int.self),
                oldest: try counted.optionalInteger("oldest_ms").map { .milliseconds(max(0, $0)) })
            if waiting.count > 0 {
                // An end is not told before its begin.
                waiting.due = try session.notifications(
                    """
                    n.receiver = \(receiver) AND n.delivered_at IS NULL AND n.given_up_at IS NULL AND n.due_at <= now()
                    AND NOT (n.edge = 'clear' AND EXISTS (
                        SELECT FROM notification b
                         WHERE b.alarm_id = n.alarm_id AND b.receiver = n.receiver AND b.edge = 'trigger'
                           AND b.delivered_at IS NULL AND b.given_up_at IS NULL AND b.due_at > now()))
                    ORDER BY n.number LIMIT \(limit)
                    """)
            }
            return waiting
        }
    }

    /// Reads a page of the active alarms of which a receiver was told, by alarm id.
    /// - Parameter last: the id of the last alarm of the page before; empty for the first page.
    /// - Throws: `StoreError`.
    public func activeNotifications(of receiver: String, after last: String, atMost limit: Int) throws
        -> [AlarmNotification]
    {
        try transaction(timeout: .seconds(30)) { session in
            try session.notifications(
                """
                n.receiver = \(receiver) AND n.edge = 'trigger' AND NOT n.closed AND n.delivered_at IS NOT NULL
                AND a.cleared_at IS NULL AND n.alarm_id > \(last)
                ORDER BY n.alarm_id LIMIT \(limit)
                """)
        }
    }

    /// Records that a receiver took notifications.
    /// - Parameter summarised: whether they were told in a summary.
    /// - Throws: `StoreError`.
    public func delivered(_ numbers: [Int64], to receiver: String, summarised: Bool = false) throws {
        try transaction { session in
            try session.run(
                """
                UPDATE notification SET delivered_at = clock_timestamp(), attempts = attempts + 1, summarised = \(summarised)
                 WHERE receiver = \(receiver) AND number = ANY (\(numbers)::bigint[]) AND delivered_at IS NULL
                   AND given_up_at IS NULL
                """)
            try session.run(
                """
                UPDATE notification_receiver SET failing_since = NULL, delivered_at = clock_timestamp()
                 WHERE receiver = \(receiver)
                """)
        }
    }

    /// Records that an attempt failed.
    /// - Parameters:
    ///   - numbers: what was tried.
    ///   - pause: these are not tried again before.
    ///   - isReceivers: whether the receiver fails, and not only these notifications.
    /// - Throws: `StoreError`.
    public func failed(
        _ numbers: [Int64], to receiver: String, because reason: String, pause: Duration, isReceivers: Bool
    ) throws {
        try transaction { session in
            try session.run(
                """
                UPDATE notification
                   SET attempts = attempts + 1, last_error = \(reason),
                       due_at = clock_timestamp() + make_interval(secs => \(pause.seconds))
                 WHERE receiver = \(receiver) AND number = ANY (\(numbers)::bigint[]) AND delivered_at IS NULL
                   AND given_up_at IS NULL
                """)
            guard isReceivers else { return }
            try session.run(
                """
                UPDATE notification_receiver
                   SET failing_since = coalesce(failing_since, clock_timestamp()), last_error = \(reason)
                 WHERE receiver = \(receiver)
                """)
        }
    }

    /// Gives up what a receiver has not taken for a time.
    /// - Returns: how many.
    /// - Throws: `StoreError`.
    public func giveUp(_ receiver: String, olderThan age: Duration) throws -> Int {
        try run(
            """
            UPDATE notification SET given_up_at = now()
             WHERE receiver = \(receiver) AND delivered_at IS NULL AND given_up_at IS NULL
               AND created_at < now() - make_interval(secs => \(age.seconds))
            """, timeout: .seconds(30))
    }

    /// Reads how the notifications of an alarm fared, in order of receiver and edge.
    /// - Throws: `StoreError`.
    public func notifications(ofAlarm id: String) throws -> [NotificationRecord] {
        try fetch(
            """
            SELECT receiver, edge, attempts, last_error, summarised, \(microseconds("created_at")) AS created_us,
                   \(microseconds("delivered_at")) AS delivered_us, \(microseconds("given_up_at")) AS given_up_us
              FROM notification WHERE alarm_id = \(id) ORDER BY receiver, edge DESC
            """, timeout: .seconds(30)
        ).map { row in
            NotificationRecord(
                receiver: try row.text("receiver"), edge: try row.value("edge"), created: try row.time("created_us"),
                attempts: try row.integer("attempts", as: Int.self), lastError: try row.optionalText("last_error"),
                delivered: try row.optionalTime("delivered_us"), givenUp: try row.optionalTime("given_up_us"),
                isSummarised: try row.flag("summarised"))
        }
    }

    /// Reads the receivers that a registry has had in its file within the last minute, by name.
    /// - Throws: `StoreError`.
    public func notificationReceivers() throws -> [ReceiverRecord] {
        try fetch(
            """
            SELECT receiver, kind, coalesce(held_until > clock_timestamp(), false) AS is_held, last_error,
                   (extract(epoch FROM clock_timestamp() - failing_since) * 1000)::bigint AS failing_ms,
                   (SELECT count(*) FROM notification n
                     WHERE n.receiver = r.receiver AND n.delivered_at IS NULL AND n.given_up_at IS NULL) AS waiting
              FROM notification_receiver r WHERE configured_at > now() - make_interval(mins => 1) ORDER BY receiver
            """, timeout: .seconds(30)
        ).map { row in
            ReceiverRecord(
                name: try row.text("receiver"), kind: try row.text("kind"), isHeld: try row.flag("is_held"),
                failing: try row.optionalInteger("failing_ms").map { .milliseconds($0) },
                lastError: try row.optionalText("last_error"), waiting: try row.integer("waiting", as: Int.self))
        }
    }
}

// MARK: statements

extension Session {
    /// Writes what receivers are to be told of alarms that began, and the ends of what they were told.
    /// - Parameters:
    ///   - began: the alarms whose begin was recorded just now.
    ///   - all: the ids of all alarms of the transaction.
    func enqueue(
        began: [(alarm: String, serial: String, severity: Alarm.Severity, rule: String)], all: [String],
        for subscriptions: [AlarmSubscription]
    ) throws {
        var rows: [(alarm: String, receiver: String)] = []
        for (alarm, serial, severity, rule) in began {
            for subscription in subscriptions where subscription.includes(severity, sensor: serial, rule: rule) {
                rows.append((alarm, subscription.receiver))
            }
        }
        if !rows.isEmpty {
            try run(
                """
                INSERT INTO notification (alarm_id, receiver, edge)
                SELECT u.alarm_id, u.receiver, 'trigger'
                  FROM unnest(\(rows.map(\.alarm))::text[], \(rows.map(\.receiver))::text[])
                       WITH ORDINALITY AS u(alarm_id, receiver, place)
                 ORDER BY u.place ON CONFLICT DO NOTHING
                """)
        }
        try noteEnded(all)
    }

    /// Writes the clears of alarms that have ended and whose begin has a row, unless that was given up.
    /// - Parameter alarms: only these; nil: all.
    func noteEnded(_ alarms: [String]?) throws {
        try run(
            """
            WITH ended AS (
                UPDATE notification n SET closed = true FROM alarm a
                 WHERE n.edge = 'trigger' AND NOT n.closed AND a.alarm_id = n.alarm_id AND a.cleared_at IS NOT NULL
                       \(ifPresent: alarms, { "AND n.alarm_id = ANY (\($0)::text[])" })
                RETURNING n.alarm_id, n.receiver, n.number, n.given_up_at)
            INSERT INTO notification (alarm_id, receiver, edge)
            SELECT alarm_id, receiver, 'clear' FROM ended WHERE given_up_at IS NULL ORDER BY number
            ON CONFLICT DO NOTHING
            """)
    }

    fileprivate func notifications(_ condition: SQL) throws -> [AlarmNotification] {
        try fetch(
            """
            SELECT n.alarm_id, n.edge, n.number, n.attempts, s.serial, a.rule, a.severity, a.value, a.limit_value,
                   a.clear_value, a.clear_cause, a.text, a.runbook, a.late, coalesce(a.unit, c.unit, '') AS unit,
                   CASE WHEN a.channel_name IS NULL AND a.rule NOT LIKE 'limit:%' THEN ''
                        ELSE coalesce(a.channel_name, c.name, a.channel::text) END AS channel,
                   (extract(epoch FROM now() - n.created_at) * 1000)::bigint AS age_ms,
                   \(microseconds("coalesce(a.raised_at, n.created_at)")) AS raised_us,
                   \(microseconds("a.cleared_at")) AS cleared_us
              FROM notification n JOIN alarm a USING (alarm_id) JOIN sensor s USING (sensor_id)
                   LEFT JOIN channel c ON c.sensor_id = a.sensor_id AND c.channel = a.channel
             WHERE \(condition)
            """
        ).map { row in
            AlarmNotification(
                alarm: try row.text("alarm_id"), edge: try row.value("edge"), number: try row.integer("number"),
                attempts: try row.integer("attempts", as: Int.self),
                age: .milliseconds(max(0, try row.integer("age_ms"))), serial: try row.text("serial"),
                channel: try row.text("channel"), unit: try row.text("unit"), rule: try row.text("rule"),
                severity: try row.value("severity"), raisedAt: try row.time("raised_us"),
                clearedAt: try row.optionalTime("cleared_us"), value: try row.optionalDouble("value"),
                limit: try row.optionalDouble("limit_value"), clearValue: try row.optionalDouble("clear_value"),
                clearCause: try row.optionalText("clear_cause"), text: try row.text("text"),
                runbook: try row.optionalText("runbook"), isLate: try row.flag("late"))
        }
    }
}
