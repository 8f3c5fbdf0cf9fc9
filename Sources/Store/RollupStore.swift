internal import Sensors

extension StoreConnection {
    /// Notes rows that may be late for the rollups, in the transaction that stores them. Too many do no harm, one too
    /// few is missing for ever.
    static func noteLate(_ rows: [MeasurementRow], _ session: borrowing Session) throws {
        if rows.isEmpty { return }
        try session.query(
            """
            SELECT rollup_note($1::int[], $2::smallint[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::float8[],
                               $7::float8[], $8::float8[], $9::float8[])
            """,
            [
                .integers(rows.map { Int64($0.sensor) }), .integers(rows.map { Int64($0.channel) }),
                .times(rows.map(\.time)), .integers(rows.map { Int64($0.samples.count) }),
                .integers(rows.map { Int64($0.statistics.finiteCount) }), .doubles(rows.map(\.statistics.min)),
                .doubles(rows.map(\.statistics.max)), .doubles(rows.map(\.statistics.mean)),
                .doubles(rows.map(\.statistics.rms)),
            ])
    }

    /// To where minutes are closed: an older row is late.
    func minutesClosedTo() throws -> Timestamp {
        let row = try query(
            """
            SELECT \(microseconds("closed_to")) AS closed_us FROM rollup_state
            WHERE isfinite(closed_to)
            """
        ).first
        return row?.time("closed_us") ?? Timestamp(unixNanoseconds: .min)
    }

    /// One round of rolling up: closes minutes that are over, rolls up what is closed, adds what came late.
    ///
    /// Several may call it at once: each step waits for the other. Each step is a transaction of its own; whatever is
    /// not done is done in the next round.
    /// - Returns: whether there is more to do right now.
    /// - Throws: `StoreError`; 55P03 where a batch of an ingester took too long: try again.
    public func rollUp() throws -> Bool {
        let steps = [
            "rollup_minutes()", "rollup_longer('hour')", "rollup_longer('day')", "rollup_late_rows() >= 20000",
        ]
        var hasMore = false
        var trouble: (any Error)?
        for step in steps {
            // One that fails, as hours would in a time zone that there is not, keeps no other back.
            do {
                let more = try query("SELECT \(step) AS more", timeout: .seconds(600)).first?.flag("more")
                hasMore = more == true || hasMore
            } catch { trouble = error }
        }
        // Last, so that minutes that can't be closed now keep nothing else waiting.
        try query("SELECT rollup_close()")
        if let trouble { throw trouble }
        return hasMore
    }

    /// What the rollups are short of. Before the first minute is rolled up the lag is that behind the first frame.
    /// - Throws: `StoreError`.
    public func rollupLag() throws -> RollupLag {
        let row = try query(
            """
            SELECT extract(epoch FROM clock_timestamp() - CASE WHEN isfinite(minutes_to) THEN minutes_to
                           ELSE (SELECT min(first_at) FROM sensor_boot) END)::float8 AS lag,
                   (SELECT count(*) FROM rollup_late) AS late FROM rollup_state
            """
        ).first
        return RollupLag(seconds: row?.double("lag"), lateRows: row?.integer("late") ?? 0)
    }
}
