public import Model
public import Postgres
public import Time

/// A deletion or a rename of a sensor: a row of `operator_action`.
public struct OperatorAction: Sendable, Equatable {
    /// What was done. The raw value is the one of the column.
    public enum Kind: String, Sendable, CaseIterable {
        /// The sensor was deleted, its history stays.
        case delete
        /// The sensor was deleted with its history.
        case deleteWithHistory = "delete_with_history"
        /// The sensor got another serial number.
        case rename
    }

    /// Its number.
    public var id: Int64
    /// When it was done.
    public var at: Timestamp
    /// Who did it.
    public var issuer: String
    /// What was done.
    public var kind: Kind
    /// The sensor's serial number before.
    public var serial: String
    /// The serial number after a rename.
    public var newSerial: String?
    /// The rows of its history that are deleted so far.
    public var rowsDeleted: Int64
    /// When all was done; nil while rows of its history remain to be deleted.
    public var finishedAt: Timestamp?
}

/// Why a sensor was not renamed.
public enum RenameConflict: Error, Sendable, Equatable {
    /// There is no sensor with the old serial number.
    case noSensor
    /// There is a sensor with the new serial number.
    case exists
    /// A deleted sensor has a history under the new serial number.
    case hasHistory
}

/// Deleting and renaming sensors. See docs/decisions/0018-deleting-and-renaming-sensors.md.
extension StoreConnection {
    /// The most sensors that are deleted in one transaction.
    private static let deletedTogetherMax = 100
    /// How long the first try of a change of names waits for the transactions that write by numbers of sensors. New ones wait
    /// behind it, so it is short, and a pause that is at least as long follows. Each further try waits half as long again, up
    /// to `namesLockTimeoutMax`: where batches overlap, the lock is free only after the longest of them.
    private static let namesLockTimeout: Duration = .milliseconds(200)
    private static let namesLockTimeoutMax: Duration = .seconds(2)
    /// After this time a change of names is not tried again.
    private static let namesTimeout: Duration = .seconds(60)
    private static let pause: Duration = .milliseconds(300)
    private static let triesMax = 100
    /// A conflict with another transaction, which a repeat resolves: a lock that was not free in time, a deadlock, a chunk
    /// that retention has just dropped, and a sensor that announced itself under the new name during a rename.
    private static let passing: Set<String> = ["55P03", "40P01", "42P01", "23505"]

    /// Deletes sensors: they leave every list at once.
    /// - Parameters:
    ///   - withHistory: whether their histories are deleted too; `deleteHistory` does that afterwards. Also for sensors whose
    ///     history was kept when they were deleted.
    ///   - issuer: the person, for the record.
    /// - Returns: the records of the sensors that existed, by serial number.
    /// - Throws: `StoreError`.
    public func deleteSensors(
        _ serials: [String], withHistory: Bool, issuer: String
    ) async throws -> [OperatorAction] {
        var actions: [OperatorAction] = []
        for start in stride(from: 0, to: serials.count, by: Self.deletedTogetherMax) {
            let part = Array(serials[start..<min(start + Self.deletedTogetherMax, serials.count)])
            actions += try await changingNames { session in
                try session.deleteSensors(part, withHistory: withHistory, issuer: issuer)
            }
        }
        return actions.sorted { $0.serial < $1.serial }
    }

    /// Gives a sensor another serial number. Its history and its twin stay with it.
    /// - Throws: `RenameConflict` or `StoreError`; nothing has changed then.
    public func renameSensor(_ old: SerialNumber, to new: SerialNumber, issuer: String) async throws -> OperatorAction {
        try await changingNames { session in try session.renameSensor(old, to: new, issuer: issuer) }
    }

    /// Runs a transaction that deletes or renames sensors, while none that writes by numbers of sensors runs.
    private func changingNames<Result: Sendable>(
        _ body: @Sendable (inout Session) throws -> Result
    ) async throws -> Result {
        let begin = ContinuousClock.now
        var lockTimeout = Self.namesLockTimeout
        while true {
            do {
                // Everything that stores data waits for this transaction: a client that is stopped in it must not block long.
                return try transaction(
                    timeout: .seconds(10), lockTimeout: lockTimeout, prelude: "SELECT names_change()", body)
            } catch let error as StoreError
                where Self.passing.contains(error.sqlState ?? "") && begin.duration(to: .now) < Self.namesTimeout
            {
                try await Task.sleep(for: max(Self.pause, lockTimeout))
                lockTimeout = min(lockTimeout * 3 / 2, Self.namesLockTimeoutMax)
            }
        }
    }

    private func repeating<Result: Sendable>(_ work: () throws -> Result) async throws -> Result {
        var triesLeft = Self.triesMax
        while true {
            do { return try work() } catch let error as StoreError
                where triesLeft > 0 && Self.passing.contains(error.sqlState ?? "")
            {
                triesLeft -= 1
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    // MARK: histories

    /// Deletes what remains of a deleted sensor's history, step by step; each step is a transaction. After an error, or the
    /// end of the program, the next call continues. Several callers may do this at once.
    /// - Parameter progress: called after each step with the rows deleted so far.
    /// - Throws: `StoreError` or `CancellationError`.
    nonisolated public func deleteHistory(
        of action: Int64, progress: (_ rows: Int64) -> Void = { _ in }
    ) async throws {
        while case .rows(let rows) = try await nextHistoryStep(of: action) {
            progress(rows)
            try Task.checkCancellation()
        }
    }

    /// Continues the deletions of histories that are not complete. One that fails does not hold up those behind it.
    /// - Parameter completed: called after each that is complete now.
    /// - Throws: the first error, after all were tried; `CancellationError`.
    nonisolated public func completeDeletions(_ completed: (OperatorAction) -> Void = { _ in }) async throws {
        var firstError: StoreError?
        for action in try await unfinishedDeletions() {
            do {
                try await deleteHistory(of: action.id)
                completed(action)
            } catch let error as StoreError { firstError = firstError ?? error }
        }
        if let firstError { throw firstError }
    }

    private func nextHistoryStep(of action: Int64) async throws -> HistoryStep {
        try await repeating { try deleteHistoryStep(of: action) }
    }

    /// The state of a deletion of a history after a step.
    public enum HistoryStep: Sendable, Equatable {
        /// So many rows are deleted so far.
        case rows(Int64)
        /// No row is left.
        case done
    }

    /// The most rows that a step deletes. A row of samples has up to some kilobytes.
    public static let historyStepRowsMax = 5000

    /// Deletes some rows of a deleted sensor's history.
    /// - Throws: `StoreError`.
    func deleteHistoryStep(of action: Int64, rowsMax: Int = historyStepRowsMax) throws -> HistoryStep {
        try transaction(timeout: .seconds(300)) { session in
            guard
                let row = try session.fetch(
                    """
                    SELECT sensor_id, serial, \(microseconds("at")) AS at_us, rows_deleted FROM operator_action
                     WHERE action_id = \(action) AND finished_at IS NULL FOR UPDATE
                    """
                ).first
            else { return .done }
            let history = DeletedHistory(
                sensor: try row.sensorID("sensor_id"), serial: try row.text("serial"),
                until: try row.time("at_us"), rowsMax: rowsMax)
            let count = try session.deleteRows(of: history)
            try session.run(
                """
                UPDATE operator_action SET rows_deleted = rows_deleted + \(count),
                       finished_at = CASE WHEN \(count) = 0 THEN now() END
                 WHERE action_id = \(action)
                """)
            return count == 0 ? .done : .rows(try row.integer("rows_deleted") + Int64(count))
        }
    }

    // MARK: records

    /// Reads the deletions of histories that are not complete, oldest first.
    /// - Parameter serials: only those of sensors that had these serial numbers; nil: all.
    /// - Throws: `StoreError`.
    public func unfinishedDeletions(of serials: [String]? = nil) throws -> [OperatorAction] {
        try fetch(
            """
            SELECT \(actionColumns) FROM operator_action
             WHERE finished_at IS NULL \(ifPresent: serials, { "AND serial = ANY (\($0)::text[])" }) ORDER BY action_id
            """
        ).map(operatorAction)
    }

    /// Reads who deleted and renamed which sensors, newest first.
    /// - Parameters:
    ///   - patterns: only sensors that had or got a serial number that matches one of these; nil: all.
    ///   - within: only of this time before the database's clock; nil: of all time.
    /// - Throws: `StoreError`.
    public func operatorActions(
        of patterns: [SerialPattern]? = nil, within: Duration? = nil, countMax: Int
    ) throws -> [OperatorAction] {
        try fetch(
            """
            SELECT \(actionColumns) FROM operator_action
             WHERE true \(ifPresent: patterns?.map(\.like), {
                "AND (serial LIKE ANY (\($0)::text[]) OR new_serial LIKE ANY (\($0)::text[]))"
             }) \(ifPresent: within, { "AND at >= now() - make_interval(secs => \($0.seconds))" })
             ORDER BY action_id DESC LIMIT \(countMax)
            """
        ).map(operatorAction)
    }

    /// Reads the actions with these numbers, by serial number.
    /// - Throws: `StoreError`.
    public func operatorActions(withNumbers numbers: [Int64]) throws -> [OperatorAction] {
        try fetch(
            """
            SELECT \(actionColumns) FROM operator_action WHERE action_id = ANY (\(numbers)::bigint[])
             ORDER BY serial, action_id
            """
        ).map(operatorAction)
    }

    /// Reads which of these serial numbers are of deleted sensors whose history was kept, in order.
    /// - Throws: `StoreError`.
    public func deletedSensors(among serials: [String]) throws -> [String] {
        try fetch(
            """
            SELECT serial FROM sensor
             WHERE serial = ANY (\(serials)::text[]) AND deleted_at IS NOT NULL AND renamed_to IS NULL ORDER BY serial
            """
        ).map { try $0.text("serial") }
    }
}

// MARK: statements

private let actionColumns: SQL = """
    action_id, \(microseconds("at")) AS at_us, issuer, action, serial, new_serial, rows_deleted, \
    \(microseconds("finished_at")) AS finished_us
    """

private func operatorAction(_ row: Row) throws -> OperatorAction {
    OperatorAction(
        id: try row.integer("action_id"), at: try row.time("at_us"), issuer: try row.text("issuer"),
        kind: try row.value("action"), serial: try row.text("serial"), newSerial: try row.optionalText("new_serial"),
        rowsDeleted: try row.integer("rows_deleted"), finishedAt: try row.optionalTime("finished_us"))
}

/// The history of a deleted sensor.
private struct DeletedHistory: Sendable {
    var sensor: SensorID
    var serial: String
    /// When the sensor was deleted. What is recorded by serial number and is newer belongs to a new sensor.
    var until: Timestamp
    /// The most rows to delete in one transaction.
    var rowsMax: Int
}

extension Session {
    fileprivate func deleteSensors(_ serials: [String], withHistory: Bool, issuer: String) throws -> [OperatorAction] {
        let rows = try fetch(
            """
            SELECT sensor_id, serial FROM sensor
             WHERE serial = ANY (\(serials)::text[])
               AND (deleted_at IS NULL OR \(withHistory) AND renamed_to IS NULL)
             ORDER BY sensor_id FOR UPDATE
            """)
        let ids = try rows.map { try $0.sensorID("sensor_id") }
        let found = try rows.map { try $0.text("serial") }
        if withHistory {
            try run("DELETE FROM sensor WHERE sensor_id = ANY (\(ids)::int[]) OR renamed_to = ANY (\(ids)::int[])")
        } else {
            try keepHistories(of: ids)
        }
        try run(
            """
            UPDATE command SET state = 'cancelled', reason = 'the sensor was deleted', finished_at = now(), send_at = NULL
             WHERE serial = ANY (\(found)::text[]) AND state IN ('queued', 'delivered')
            """)
        return try fetch(
            """
            INSERT INTO operator_action (issuer, action, serial, sensor_id, finished_at)
            SELECT \(issuer), \((withHistory ? OperatorAction.Kind.deleteWithHistory : .delete).rawValue), u.serial, u.id,
                   CASE WHEN NOT \(withHistory) THEN now() END
              FROM unnest(\(found)::text[], \(ids)::int[]) AS u(serial, id)
            RETURNING \(actionColumns)
            """
        ).map(operatorAction)
    }

    /// The newest values no longer say when the sensors were last heard of. They stay: minutes that are not rolled up yet
    /// need them.
    private func forgetArrivals(of ids: [SensorID]) throws {
        try run("UPDATE latest SET received_at = NULL WHERE sensor_id = ANY (\(ids)::int[])")
    }

    /// Hides sensors, and takes back what people and the sensors themselves said of them.
    private func keepHistories(of ids: [SensorID]) throws {
        // desired_version grows: ids of a twin's commands contain it.
        try run(
            """
            UPDATE sensor SET deleted_at = now(), target_id = NULL, kind = '', firmware = '', tags = '{}', desired = '{}',
                   desired_version = desired_version + 1, delta_version = desired_version + 1, desired_changed_at = NULL,
                   reported = '{}', reported_version = reported_version + 1, state = 'unknown', presence = 'unknown',
                   boot_id = NULL, connection = NULL, next_sequence = NULL, frames_dropped = NULL, last_seen = NULL,
                   lost_at = NULL
             WHERE sensor_id = ANY (\(ids)::int[])
            """)
        try forgetArrivals(of: ids)
        try run("DELETE FROM alarm_state WHERE sensor_id = ANY (\(ids)::int[])")
        try run(
            """
            UPDATE alarm SET cleared_at = greatest(raised_at, now()), clear_cause = 'sensor_deleted'
             WHERE sensor_id = ANY (\(ids)::int[]) AND cleared_at IS NULL
            """)
    }

    fileprivate func renameSensor(_ old: SerialNumber, to new: SerialNumber, issuer: String) throws -> OperatorAction {
        guard
            let sensor = try fetch(
                "SELECT sensor_id FROM sensor WHERE serial = \(old) AND deleted_at IS NULL FOR UPDATE"
            ).first?.sensorID("sensor_id")
        else { throw RenameConflict.noSensor }
        if let other = try fetch(
            """
            SELECT deleted_at IS NOT NULL AS is_deleted, renamed_to IS NOT NULL AS is_name FROM sensor
             WHERE serial = \(new) FOR UPDATE
            """
        ).first {
            guard try other.flag("is_deleted") else { throw RenameConflict.exists }
            guard try other.flag("is_name") else { throw RenameConflict.hasHistory }
            try run("DELETE FROM sensor WHERE serial = \(new)")
        }
        // Nothing is known of the sensor under its new name until it announces itself.
        try run(
            """
            UPDATE sensor SET serial = \(new), state = 'unknown', presence = 'unknown', boot_id = NULL, connection = NULL,
                   lost_at = NULL
             WHERE sensor_id = \(sensor)
            """)
        try forgetArrivals(of: [sensor])
        try keepLedger(of: sensor, under: old)
        // The device knows open commands by its old name, and answers by it.
        try run(
            """
            UPDATE command SET serial = \(new) WHERE serial = \(old) AND state NOT IN ('queued', 'delivered')
            """)
        try run("UPDATE quarantine SET serial = \(new) WHERE serial = \(old)")
        return try operatorAction(
            fetchOne(
                """
                INSERT INTO operator_action (issuer, action, serial, new_serial, sensor_id, finished_at)
                VALUES (\(issuer), \(OperatorAction.Kind.rename.rawValue), \(old), \(new), \(sensor), now())
                RETURNING \(actionColumns)
                """))
    }

    /// Makes a deleted sensor with the old name that knows which frames are stored under the new one: the device sends
    /// frames again that it has no confirm of.
    private func keepLedger(of sensor: SensorID, under old: SerialNumber) throws {
        let name = try fetchOne(
            """
            INSERT INTO sensor (serial, deleted_at, renamed_to) VALUES (\(old), now(), \(sensor)) RETURNING sensor_id
            """
        ).sensorID("sensor_id")
        try run(
            """
            INSERT INTO sensor_boot (sensor_id, boot_id, next_sequence, frames, carried, given_up, first_at, stream,
                                     first_incarnation, first_offset, last_incarnation, last_offset, last_at)
            SELECT \(name)::int, boot_id, next_sequence, 0, frames + carried, given_up, first_at, stream, first_incarnation,
                   first_offset, last_incarnation, last_offset, last_at
              FROM sensor_boot WHERE sensor_id = \(sensor)
            """)
        try run(
            """
            INSERT INTO sequence_gap (sensor_id, boot_id, first_sequence, last_sequence, missing, cause, noted_at)
            SELECT \(name)::int, boot_id, first_sequence, last_sequence, missing, cause, noted_at
              FROM sequence_gap WHERE sensor_id = \(sensor)
            """)
    }

    /// Deletes rows of a history from the first table that has some.
    /// - Returns: the number of rows; 0: none is left.
    fileprivate func deleteRows(of history: DeletedHistory) throws -> Int {
        let measurements = try deleteRows(of: history, fromHypertable: "measurement")
        if measurements > 0 { return measurements }
        // From here on no rollup runs: one that began earlier may still write what it read before. Each table follows the
        // one that it is computed from.
        try run("SELECT FROM rollup_state FOR UPDATE")
        let late = try run(
            """
            DELETE FROM rollup_late WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM rollup_late WHERE sensor_id = \(history.sensor) LIMIT \(history.rowsMax)))
            """)
        if late > 0 { return late }
        for table in ["measurement_1m", "measurement_1h", "measurement_1d", "location", "sensor_log"] {
            let count = try deleteRows(of: history, fromHypertable: table)
            if count > 0 { return count }
        }
        for (table, key, time) in [("command", "command_id", "issued_at"), ("quarantine", "quarantine_id", "at")] {
            let count = try run(
                """
                DELETE FROM \(identifier: table) WHERE \(identifier: key) IN (
                    SELECT \(identifier: key) FROM \(identifier: table)
                     WHERE serial = \(history.serial) AND \(identifier: time) <= \(history.until) LIMIT \(history.rowsMax))
                """)
            if count > 0 { return count }
        }
        return 0
    }

    /// Deletes rows from one chunk. A compressed chunk is deleted from in one statement: on the community edition whole
    /// batches go without being decompressed.
    private func deleteRows(of history: DeletedHistory, fromHypertable table: String) throws -> Int {
        guard
            let chunk = try fetch(
                """
                SELECT n.nspname AS schema, c.relname AS name, coalesce(t.is_compressed, false) AS is_compressed,
                       \(microseconds("t.range_start")) AS starts_us, \(microseconds("t.range_end")) AS ends_us
                  FROM (SELECT tableoid FROM \(identifier: table) WHERE sensor_id = \(history.sensor) LIMIT 1) r
                  JOIN pg_class c ON c.oid = r.tableoid JOIN pg_namespace n ON n.oid = c.relnamespace
                  LEFT JOIN timescaledb_information.chunks t ON t.chunk_schema = n.nspname AND t.chunk_name = c.relname
                """
            ).first
        else { return 0 }
        if try chunk.flag("is_compressed") {
            try run("SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)")
            return try run(
                """
                DELETE FROM \(identifier: table) WHERE sensor_id = \(history.sensor)
                   AND "time" >= \(try chunk.time("starts_us")) AND "time" < \(try chunk.time("ends_us"))
                """)
        }
        let name: SQL = "\(identifier: try chunk.text("schema")).\(identifier: try chunk.text("name"))"
        return try run(
            """
            DELETE FROM \(name) WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM \(name) WHERE sensor_id = \(history.sensor) LIMIT \(history.rowsMax)))
            """)
    }
}
