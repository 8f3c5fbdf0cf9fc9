public import Postgres

/// A sensor's twin: desired and reported properties, and the states that a client may wait for.
public struct TwinRecord: Sendable, Equatable {
    /// The desired properties.
    public var desired: DesiredRecord
    /// The reported properties, a JSON object.
    public var reportedJSON: String
    /// The operating state: `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// The presence: `unknown`, `online`, `lost` or `offline`.
    public var presence: String
    /// The number of its active alarms.
    public var activeAlarms: Int64

    /// Its serial number.
    public var serial: String { desired.serial }
}

/// The tags of a sensor.
public struct TagsRecord: Sendable, Equatable {
    /// The sensor.
    public var serial: String
    /// The tags, a JSON object.
    public var json: String
    /// Whether the tags differ from those before the change.
    public var isChanged: Bool
}

/// Changes of many sensors at once. Each is one transaction of at most 60 s, with two statements whatever the number of
/// sensors.
extension StoreConnection {
    private static let deadlock = "40P01"
    private static let deadlockTriesMax = 3

    /// Reads the twins of the sensors that exist among these serial numbers, by serial number.
    /// - Throws: `StoreError`.
    public func twins(of serials: [String]) throws -> [TwinRecord] {
        try transaction { session in
            try session.fetch(
                """
                SELECT \(twinColumns) FROM sensor s
                 WHERE s.serial = ANY (\(serials)::text[]) AND s.deleted_at IS NULL ORDER BY s.serial
                """
            ).map(twin)
        }
    }

    /// Replaces the desired properties of sensors.
    ///
    /// The version grows by one and the time of change is set to now, even if `change` returns the object unchanged.
    /// - Parameter change: makes the new JSON object from the current one; if it throws, nothing is changed.
    /// - Returns: the twins of the sensors that exist, by serial number.
    /// - Throws: `StoreError`, or what `change` throws.
    public func changeDesired(
        of serials: [String], _ change: @Sendable (String) throws -> String
    ) throws -> [TwinRecord] {
        try withoutDeadlock { session in
            let changed = try session.replace(column: "desired", of: serials, change)
            let twins = try session.fetch(
                """
                UPDATE sensor s SET desired = c.json::jsonb, desired_version = desired_version + 1,
                    desired_changed_at = now()
                FROM unnest(\(changed.map(\.serial))::text[], \(changed.map(\.json))::text[]) AS c(serial, json)
                WHERE s.serial = c.serial
                RETURNING \(twinColumns)
                """
            ).map(twin)
            return twins.sorted { $0.desired.serial < $1.desired.serial }
        }
    }

    /// Replaces the tags of sensors.
    /// - Parameters:
    ///   - dryRun: whether to change nothing and only return the resulting tags.
    ///   - change: makes the new JSON object from the current one; if it throws, nothing is changed.
    /// - Returns: the tags of the sensors that exist, by serial number.
    /// - Throws: `StoreError`, or what `change` throws.
    public func changeTags(
        of serials: [String], dryRun: Bool = false, _ change: @Sendable (String) throws -> String
    ) throws -> [TagsRecord] {
        try withoutDeadlock { session in
            let changed = try session.replace(column: "tags", of: serials, change)
            let values: SQL = "unnest(\(changed.map(\.serial))::text[], \(changed.map(\.json))::text[])"
            let rows = try session.fetch(
                """
                SELECT c.serial, c.json::jsonb::text AS tags, s.tags <> c.json::jsonb AS is_changed
                FROM \(values) AS c(serial, json) JOIN sensor s USING (serial) ORDER BY c.serial
                """)
            if !dryRun {
                try session.run(
                    """
                    UPDATE sensor s SET tags = c.json::jsonb FROM \(values) AS c(serial, json)
                    WHERE s.serial = c.serial AND s.tags <> c.json::jsonb
                    """)
            }
            return try rows.map {
                TagsRecord(
                    serial: try $0.text("serial"), json: try $0.text("tags"), isChanged: try $0.flag("is_changed"))
            }
        }
    }

    // MARK: machines

    /// Creates a machine that sensors can be assigned to.
    /// - Returns: false if a machine of that name exists.
    /// - Throws: `StoreError`.
    public func addTarget(_ name: String, description: String) throws -> Bool {
        try run(
            "INSERT INTO target (name, description) VALUES (\(name), \(description)) ON CONFLICT (name) DO NOTHING"
        ) == 1
    }

    /// Deletes a machine; its sensors stay, without a machine.
    /// - Returns: the number of sensors it had; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func removeTarget(_ name: String) throws -> Int? {
        try withoutDeadlock { session in
            let sensors = try session.run(
                """
                UPDATE sensor s SET target_id = NULL FROM target t WHERE t.target_id = s.target_id AND t.name = \(name)
                """)
            let removed = try session.run("DELETE FROM target WHERE name = \(name)")
            return removed == 0 ? nil : sensors
        }
    }

    /// Reads the names of all machines, in order.
    /// - Throws: `StoreError`.
    public func targetNames() throws -> [String] {
        try fetch("SELECT name FROM target ORDER BY name").map { try $0.text("name") }
    }

    /// Counts the sensors of a machine; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func sensorCount(onTarget name: String) throws -> Int? {
        try fetch(
            """
            SELECT count(s.sensor_id) AS sensors FROM target t LEFT JOIN sensor s USING (target_id)
            WHERE t.name = \(name) GROUP BY t.target_id
            """
        ).first?.integer("sensors", as: Int.self)
    }

    /// Assigns sensors to a machine, or to none.
    /// - Parameters:
    ///   - name: the machine's name; nil: none.
    ///   - dryRun: whether to change nothing and only return the affected sensors.
    /// - Returns: the serial numbers of the sensors that were assigned elsewhere; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func assign(_ serials: [String], toTarget name: String?, dryRun: Bool = false) throws -> Set<String>? {
        try withoutDeadlock { session in
            var target: Int64?
            if let name {
                target = try session.fetch("SELECT target_id FROM target WHERE name = \(name) FOR KEY SHARE")
                    .first?.integer("target_id")
                if target == nil { return nil }
            }
            let lock: SQL = dryRun ? "" : "FOR NO KEY UPDATE"
            let moved = try session.fetch(
                """
                SELECT serial FROM sensor
                WHERE serial = ANY (\(serials)::text[]) AND deleted_at IS NULL AND target_id IS DISTINCT FROM \(target)::int
                ORDER BY sensor_id \(lock)
                """
            ).map { try $0.text("serial") }
            if !dryRun {
                try session.run("UPDATE sensor SET target_id = \(target)::int WHERE serial = ANY (\(moved)::text[])")
            }
            return Set(moved)
        }
    }

    /// Repeats the transaction after a deadlock: the registry changes the same rows in another order, and the database
    /// aborts one of the two.
    private func withoutDeadlock<Result: Sendable>(
        _ body: @Sendable (inout Session) throws -> Result
    ) throws -> Result {
        var tries = 1
        while true {
            do { return try transaction(body) } catch let error as StoreError
                where error.sqlState == Self.deadlock && tries < Self.deadlockTriesMax
            {
                tries += 1
            }
        }
    }
}

extension Session {
    /// Locks the rows and writes the new values of their columns.
    fileprivate func replace(
        column: SQL, of serials: [String], _ change: (String) throws -> String
    ) throws -> [(serial: String, json: String)] {
        let rows = try fetch(
            """
            SELECT serial, \(column)::text AS json FROM sensor
             WHERE serial = ANY (\(serials)::text[]) AND deleted_at IS NULL
            ORDER BY sensor_id FOR NO KEY UPDATE
            """)
        // In a fleet most sensors have the same value.
        var known: [String: String] = [:]
        return try rows.map { row in
            let old = try row.text("json")
            let new = try known[old] ?? change(old)
            known[old] = new
            return (try row.text("serial"), new)
        }
    }
}

/// The columns of `sensor s` that a `TwinRecord` needs.
private let twinColumns: SQL = """
    s.serial, s.desired::text AS desired, s.desired_version, s.reported::text AS reported, \
    \(microseconds("s.desired_changed_at")) AS desired_changed_us, s.state, s.presence, \
    (SELECT count(*) FROM alarm a WHERE a.sensor_id = s.sensor_id AND a.cleared_at IS NULL) AS active_alarms
    """

private func twin(_ row: Row) throws -> TwinRecord {
    TwinRecord(
        desired: try desired(row), reportedJSON: try row.text("reported"), state: try row.text("state"),
        presence: try row.text("presence"), activeAlarms: try row.integer("active_alarms"))
}
