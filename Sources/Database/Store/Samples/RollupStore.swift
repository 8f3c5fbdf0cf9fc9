internal import Model
public import Postgres
internal import Time

extension StoreConnection {
    /// Records rows that may be late for the rollups, in the transaction that stores them. Superfluous records do no
    /// harm, but a row that is not recorded would be missing from the rollups permanently.
    static func noteLate(_ rows: [MeasurementRow], _ session: borrowing Session) throws {
        // Samples of captures are no part of the rollups.
        let rows = rows.filter { $0.channel.number >= 0 }
        if rows.isEmpty { return }
        try session.run(
            """
            SELECT rollup_note(\(rows.map(\.channel.sensor))::int[], \(rows.map(\.channel.number))::smallint[],
                               \(rows.map(\.time))::timestamptz[], \(rows.map(\.samples.count))::bigint[],
                               \(rows.map(\.statistics.finiteCount))::bigint[], \(rows.map(\.statistics.min))::float8[],
                               \(rows.map(\.statistics.max))::float8[], \(rows.map(\.statistics.mean))::float8[],
                               \(rows.map(\.statistics.rms))::float8[])
            """)
    }

    /// The time up to which minutes are closed; older rows are late.
    func minutesClosedTo() throws -> Timestamp {
        let row = try fetch(
            """
            SELECT \(microseconds("closed_to")) AS closed_us FROM rollup_state
            WHERE isfinite(closed_to)
            """
        ).first
        // No row: no minute is closed yet.
        return try row?.time("closed_us") ?? Timestamp(unixNanoseconds: .min)
    }

    /// Runs one round of rollups: closes minutes that are over, rolls up closed minutes, and adds late rows.
    ///
    /// Several callers may run it at once: each step waits for the other caller's. Each step is a transaction of its
    /// own; an unfinished step is done in the next round.
    /// - Returns: whether there is more to do right now.
    /// - Throws: `StoreError`; with SQLSTATE 55P03 if an ingester's batch took too long: try again.
    public func rollUp() throws -> Bool {
        let steps: [SQL] = [
            "rollup_minutes()", "rollup_longer('hour')", "rollup_longer('day')", "rollup_late_rows() >= 20000",
        ]
        var hasMore = false
        var trouble: (any Error)?
        for step in steps {
            // A rollup that fails, as hours would in an unknown time zone, does not block the others.
            do {
                let more = try fetchOne("SELECT \(step) AS more", timeout: .seconds(600)).flag("more")
                hasMore = more || hasMore
            } catch { trouble = error }
        }
        // Last, so that minutes that can't be closed yet delay nothing else.
        try run("SELECT rollup_close()")
        if let trouble { throw trouble }
        return hasMore
    }

    /// Reads how far the rollups are behind; before the first minute is rolled up, how long ago the first frame was.
    /// - Throws: `StoreError`.
    public func rollupLag() throws -> RollupLag {
        let row = try fetchOne(
            """
            SELECT extract(epoch FROM clock_timestamp() - CASE WHEN isfinite(minutes_to) THEN minutes_to
                           ELSE (SELECT min(first_at) FROM sensor_boot) END)::float8 AS lag,
                   (SELECT count(*) FROM rollup_late) AS late FROM rollup_state
            """)
        return RollupLag(seconds: try row.optionalDouble("lag"), lateRows: try row.integer("late"))
    }
}
