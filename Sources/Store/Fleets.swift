/// A sensor's twin: both halves, and what somebody may wait for.
public struct TwinRecord: Sendable, Equatable {
    /// What is wanted of it.
    public var desired: DesiredRecord
    /// What it says it has, a JSON object.
    public var reportedJSON: String
    /// `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// `unknown`, `online`, `lost` or `offline`.
    public var presence: String
    /// Its alarms that are on.
    public var activeAlarms: Int64

    /// Its serial number.
    public var serial: String { desired.serial }
}

/// The tags of a sensor.
public struct TagsRecord: Sendable, Equatable {
    /// The sensor.
    public var serial: String
    /// A JSON object.
    public var json: String
    /// Whether it was another one before.
    public var isChanged: Bool
}

/// What people change of many sensors at a time. Each is one transaction of at most 60 s; two statements in all,
/// whatever the number of sensors.
extension StoreConnection {
    private static let deadlock = "40P01"
    private static let deadlockTriesMax = 3

    /// The twins of the sensors of those serials that there are, by serial.
    /// - Throws: `StoreError`.
    public func twins(of serials: [String]) throws -> [TwinRecord] {
        try transaction { session in
            try session.query(
                "SELECT \(twinColumns) FROM sensor s WHERE s.serial = ANY($1::text[]) ORDER BY s.serial",
                [.texts(serials)]
            ).rows.map(twin)
        }
    }

    /// Replaces what is wanted of sensors.
    ///
    /// The versions grow by one and the time of change is now, also if `change` gives back what it got.
    /// - Parameter change: makes the new JSON object from the present one; what it throws changes nothing.
    /// - Returns: the twins of those sensors that there are, by serial.
    /// - Throws: `StoreError`, or what `change` throws.
    public func changeDesired(
        of serials: [String], _ change: @Sendable (String) throws -> String
    ) throws -> [TwinRecord] {
        try withoutDeadlock { session in
            let changed = try session.replace("desired", of: serials, change)
            let twins = try session.query(
                """
                UPDATE sensor s SET desired = c.json::jsonb, desired_version = desired_version + 1,
                    desired_changed_at = now()
                FROM unnest($1::text[], $2::text[]) AS c(serial, json) WHERE s.serial = c.serial
                RETURNING \(twinColumns)
                """, [.texts(changed.map(\.serial)), .texts(changed.map(\.json))]
            ).rows.map(twin)
            return twins.sorted { $0.desired.serial < $1.desired.serial }
        }
    }

    /// Replaces the tags of sensors.
    /// - Parameters:
    ///   - dryRun: whether to leave them as they are and only say what they would be.
    ///   - change: makes the new JSON object from the present one; what it throws changes nothing.
    /// - Returns: the tags of those sensors that there are, by serial.
    /// - Throws: `StoreError`, or what `change` throws.
    public func changeTags(
        of serials: [String], dryRun: Bool = false, _ change: @Sendable (String) throws -> String
    ) throws -> [TagsRecord] {
        try withoutDeadlock { session in
            let changed = try session.replace("tags", of: serials, change)
            let parameters: [SQLValue] = [.texts(changed.map(\.serial)), .texts(changed.map(\.json))]
            let rows = try session.query(
                """
                SELECT c.serial, c.json::jsonb::text AS tags, s.tags <> c.json::jsonb AS is_changed
                FROM unnest($1::text[], $2::text[]) AS c(serial, json) JOIN sensor s USING (serial) ORDER BY c.serial
                """, parameters
            ).rows
            if !dryRun {
                try session.query(
                    """
                    UPDATE sensor s SET tags = c.json::jsonb FROM unnest($1::text[], $2::text[]) AS c(serial, json)
                    WHERE s.serial = c.serial AND s.tags <> c.json::jsonb
                    """, parameters)
            }
            return rows.map {
                TagsRecord(serial: $0["serial"] ?? "", json: $0["tags"] ?? "{}", isChanged: $0.flag("is_changed"))
            }
        }
    }

    // MARK: machines

    /// Makes a machine that sensors can be put on.
    /// - Returns: false if there is one of that name.
    /// - Throws: `StoreError`.
    public func addTarget(_ name: String, description: String) throws -> Bool {
        try query(
            "INSERT INTO target (name, description) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            [.text(name), .text(description)]
        ).affected == 1
    }

    /// Takes a machine away; its sensors stay, on none.
    /// - Returns: how many sensors it had; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func removeTarget(_ name: String) throws -> Int? {
        try withoutDeadlock { session in
            let sensors = try session.query(
                """
                UPDATE sensor s SET target_id = NULL FROM target t WHERE t.target_id = s.target_id AND t.name = $1
                """, [.text(name)]
            ).affected
            let removed = try session.query("DELETE FROM target WHERE name = $1", [.text(name)]).affected
            return removed == 0 ? nil : sensors
        }
    }

    /// The names of all machines, in order.
    /// - Throws: `StoreError`.
    public func targetNames() throws -> [String] {
        try query("SELECT name FROM target ORDER BY name").rows.compactMap { $0["name"] }
    }

    /// How many sensors are on a machine; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func sensorCount(onTarget name: String) throws -> Int? {
        try query(
            """
            SELECT count(s.sensor_id) AS sensors FROM target t LEFT JOIN sensor s USING (target_id)
            WHERE t.name = $1 GROUP BY t.target_id
            """, [.text(name)]
        ).first?.integer("sensors").map { Int($0) }
    }

    /// Puts sensors on a machine, or on none.
    /// - Parameters:
    ///   - name: the machine's name; nil: none.
    ///   - dryRun: whether to change nothing and only say whom it would concern.
    /// - Returns: the serials of those that were elsewhere; nil if there is no such machine.
    /// - Throws: `StoreError`.
    public func assign(_ serials: [String], toTarget name: String?, dryRun: Bool = false) throws -> Set<String>? {
        try withoutDeadlock { session in
            var target: Int64?
            if let name {
                target = try session.query(
                    "SELECT target_id FROM target WHERE name = $1 FOR KEY SHARE", [.text(name)]
                ).first?.integer("target_id")
                if target == nil { return nil }
            }
            let rows = try session.query(
                """
                SELECT serial FROM sensor WHERE serial = ANY($1::text[]) AND target_id IS DISTINCT FROM $2::int
                ORDER BY sensor_id \(dryRun ? "" : "FOR UPDATE")
                """, [.texts(serials), .integer(target)])
            let moved = rows.rows.compactMap { $0["serial"] }
            if !dryRun {
                try session.query(
                    "UPDATE sensor SET target_id = $2::int WHERE serial = ANY($1::text[])",
                    [.texts(moved), .integer(target)])
            }
            return Set(moved)
        }
    }

    /// The registry changes the same rows in another order: whoever the database picks to give way tries again.
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
    /// Locks the rows and gives what their columns are to hold.
    fileprivate func replace(
        _ column: StaticString, of serials: [String], _ change: (String) throws -> String
    ) throws -> [(serial: String, json: String)] {
        let rows = try query(
            """
            SELECT serial, \(column)::text AS json FROM sensor WHERE serial = ANY($1::text[])
            ORDER BY sensor_id FOR UPDATE
            """, [.texts(serials)])
        // In a fleet most hold the same.
        var known: [String: String] = [:]
        return try rows.rows.compactMap { row in
            guard let serial = row["serial"], let old = row["json"] else { return nil }
            let new = try known[old] ?? change(old)
            known[old] = new
            return (serial, new)
        }
    }
}

/// Of `sensor s`.
private let twinColumns = """
    s.serial, s.desired::text AS desired, s.desired_version, s.reported::text AS reported, \
    \(microseconds("s.desired_changed_at")) AS desired_changed_us, s.state, s.presence, \
    (SELECT count(*) FROM alarm a WHERE a.sensor_id = s.sensor_id AND a.cleared_at IS NULL) AS active_alarms
    """

private func twin(_ row: Rows.Row) -> TwinRecord {
    TwinRecord(
        desired: desired(row), reportedJSON: row["reported"] ?? "{}", state: row.text("state"),
        presence: row.text("presence"), activeAlarms: row.integer("active_alarms") ?? 0)
}
