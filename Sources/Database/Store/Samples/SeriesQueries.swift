public import Model
public import Postgres
public import Time

extension StoreConnection {
    /// The number of rows that are read at once where samples are plotted one by one.
    private static let rowsOfPage = 1000
    /// The number of samples after which a page ends.
    private static let samplesOfPage = 1_000_000

    /// Reads the course of a channel: its samples, if the range has at most `pointsMax` of them, otherwise statistics of
    /// at most `pointsMax` buckets, by the SQL function `chart()`.
    /// - Parameters:
    ///   - serial: the sensor's serial number, which exists.
    ///   - channel: the channel's name or number.
    ///   - range: samples taken in this time.
    ///   - pointsMax: the maximum number of points, 1 to 10,000.
    /// - Throws: `StoreError`.
    public func series(
        of serial: String, channel: String, _ range: Range<Timestamp>, pointsMax: Int
    ) throws -> ChannelSeries {
        let buckets = try fetch(
            """
            SELECT \(microseconds("\"time\"")) AS time_us, n, min, mean, max, rms
              FROM chart(\(serial), \(channel), \(range.lowerBound), \(range.upperBound), \(pointsMax))
            """
        ).map { row in
            // NULL: none of the bucket's samples is finite.
            ChannelSeries.Point(
                time: try row.time("time_us"), count: try row.integer("n"), min: try row.optionalDouble("min"),
                mean: try row.optionalDouble("mean"), max: try row.optionalDouble("max"),
                rms: try row.optionalDouble("rms"))
        }
        let count = buckets.reduce(0) { $0 + $1.count }
        if count <= Int64(pointsMax), count > 0, let runs = try runs(of: serial, channel: channel, range) {
            return ChannelSeries(runs: runs)
        }
        return ChannelSeries(buckets: buckets)
    }

    /// The samples of a range that has few of them; nil if `measurement` has none, only the rollups.
    private func runs(of serial: String, channel: String, _ range: Range<Timestamp>) throws -> [SampleRun]? {
        let place = try fetch(
            """
            SELECT c.sensor_id, c.channel, \(microseconds("min(m.\"time\")")) AS first_us
              FROM channel_number(\(serial), \(channel)) c
              JOIN measurement m ON m.sensor_id = c.sensor_id AND m.channel = c.channel
             WHERE m."time" >= \(range.lowerBound)::timestamptz - INTERVAL '60 seconds'
               AND m."time" < \(range.upperBound)::timestamptz
               AND row_end(m."time", m.n, m.sample_rate_hz) >= \(range.lowerBound)::timestamptz
             GROUP BY 1, 2
            """
        ).first
        guard let place else { return nil }
        let channel = try place.channelID()
        let first = try place.time("first_us")
        var runs: [SampleRun] = []
        var (cursor, isLast) = (SampleCursor(first), false)
        while !isLast {
            let page = try sampleRuns(
                of: channel, from: cursor, to: range.upperBound, rowsMax: Self.rowsOfPage,
                samplesMax: Self.samplesOfPage)
            runs += page.runs.flatMap { $0.within(range) }
            (cursor, isLast) = (page.next, page.isLast)
        }
        return runs.isEmpty ? nil : runs
    }

    /// The time of the newest datum of a channel, in samples or rollups; nil if there is none.
    /// - Throws: `StoreError`.
    public func newest(of serial: String, channel: String) throws -> Timestamp? {
        let end: SQL = "row_end(m.\"time\", m.n, m.sample_rate_hz) - INTERVAL '2 us'"
        let tiers = ["measurement", "measurement_1m", "measurement_1h", "measurement_1d"].map { tier -> SQL in
            """
            (SELECT \(tier == "measurement" ? end : "m.\"time\"") FROM \(identifier: tier) m
              WHERE m.sensor_id = c.sensor_id AND m.channel = c.channel ORDER BY m."time" DESC LIMIT 1)
            """
        }
        // NULL: the channel has no data.
        return try fetch(
            """
            SELECT \(microseconds("coalesce(\(tiers.joined(separator: ", ")))")) AS newest_us
              FROM channel_number(\(serial), \(channel)) c
            """
        ).first?.optionalTime("newest_us")
    }
}
