public import Sensors

/// A place in the samples of a channel, to go on from.
public struct SamplePlace: Sendable, Equatable {
    /// When the next rows begin, or later.
    public var time: Timestamp
    /// How many rows that begin then have been read.
    public var skip = 0

    /// Before the first row that begins then or later.
    public init(_ time: Timestamp) { self.time = time }
}

extension StoreConnection {
    /// Rows of a channel that begin within a time, in its order and every bit as it is stored, page by page.
    /// - Parameters:
    ///   - place: where to go on; moved behind the page.
    ///   - to: the moment before which they begin.
    ///   - rowsMax: most rows of a page.
    ///   - samplesMax: a page that has so many takes no more rows.
    /// - Throws: `StoreError`.
    public func sampleRuns(
        sensor: Int32, channel: Int16, from place: SamplePlace, to: Timestamp, rowsMax: Int, samplesMax: Int
    ) throws -> (runs: [SampleRun], next: SamplePlace, isLast: Bool) {
        // In hexadecimal: PostgreSQL's text of a NaN leaves out its bits.
        let rows = try query(
            """
            SELECT \(microseconds("\"time\"")) AS time_us, time_ns, sample_rate_hz, count_scale, count_offset,
                   encode(array_send(samples), 'hex') AS samples, encode(array_send(counts), 'hex') AS counts,
                   encode(float8send(mean), 'hex') AS value, page_rows
              FROM (
                SELECT *, sum(n) OVER (ORDER BY k) - n AS samples_before, count(*) OVER () AS page_rows
                  FROM (
                    SELECT *, row_number() OVER () AS k FROM (
                        SELECT * FROM measurement
                         WHERE sensor_id = $1 AND channel = $2 AND "time" >= $3::timestamptz AND "time" < $4::timestamptz
                         ORDER BY "time", time_ns, boot_id, sequence, received_at LIMIT $5 OFFSET $6
                    ) sorted
                  ) page
              ) numbered
             WHERE samples_before < $7 ORDER BY k
            """,
            [
                .integer(Int64(sensor)), .integer(Int64(channel)), .time(place.time), .time(to),
                .integer(Int64(rowsMax)), .integer(Int64(place.skip)), .integer(Int64(samplesMax)),
            ])
        var next = place
        let runs = try rows.rows.map { row in
            guard let time = row.time("time_us"), let run = Self.run(row, time) else {
                throw StoreError.unexpected("a row of measurement that can't be")
            }
            if time > next.time { next = SamplePlace(time) }
            next.skip += 1
            return run
        }
        let pageRows = Int(rows.first?.integer("page_rows") ?? 0)
        return (runs, next, pageRows < rowsMax && runs.count == pageRows)
    }

    private static func run(_ row: Rows.Row, _ time: Timestamp) -> SampleRun? {
        guard let below = row.integer("time_ns"), let hertz = row.double("sample_rate_hz") else { return nil }
        let start = time.advanced(byNanoseconds: below)
        let rate = SampleRate(hertz: hertz)
        if let hex = row["counts"] {
            guard let scale = row.double("count_scale"), let offset = row.double("count_offset") else { return nil }
            let counts = elements(hex, bytes: 2).map { Int16(truncatingIfNeeded: $0) }
            return SampleRun(start: start, rate: rate, samples: .counts(counts, scale: scale, offset: offset))
        }
        if let hex = row["samples"] {
            let floats = elements(hex, bytes: 4).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) }
            return SampleRun(start: start, rate: rate, samples: .floats(floats))
        }
        return row["value"].map { hex in
            let bits = unhexed(hex).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return SampleRun(start: start, rate: rate, samples: .value(Double(bitPattern: bits)))
        }
    }

    /// The elements of `array_send`: 20 bytes of head, then each with its length before it, the highest byte first.
    private static func elements(_ hex: String, bytes: Int) -> [UInt64] {
        let all = unhexed(hex)
        return stride(from: 20, to: all.count, by: 4 + bytes).map { index in
            all[(index + 4)..<(index + 4 + bytes)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
    }

    /// When the oldest row of a channel begins that overlaps a time and is of another start of the sensor than `boot`.
    /// - Throws: `StoreError`.
    public func overlapping(
        sensor: Int32, channel: Int16, _ range: ClosedRange<Timestamp>, except boot: Int64
    ) throws -> Timestamp? {
        try query(
            """
            SELECT \(microseconds("\"time\"")) AS time_us FROM measurement
             WHERE sensor_id = $1 AND channel = $2 AND "time" >= $3::timestamptz - INTERVAL '60 seconds'
               AND "time" <= $4::timestamptz AND boot_id IS DISTINCT FROM $5
               AND row_end("time", n, sample_rate_hz) >= $3::timestamptz
             ORDER BY "time" LIMIT 1
            """,
            [
                .integer(Int64(sensor)), .integer(Int64(channel)), .time(range.lowerBound), .time(range.upperBound),
                .integer(boot),
            ]
        ).first?.time("time_us")
    }

    /// Says what a channel measures, where nobody has said it.
    /// - Throws: `StoreError`.
    public func describe(sensor: Int32, channel: Int16, quantity: String, unit: String) throws {
        try query(
            """
            UPDATE channel SET quantity = $3, unit = $4
             WHERE sensor_id = $1 AND channel = $2 AND quantity = '' AND unit = ''
            """, [.integer(Int64(sensor)), .integer(Int64(channel)), .text(quantity), .text(unit)])
    }

    /// Before when rows of `measurement` are dropped; nil: never.
    /// - Throws: `StoreError`.
    public func measurementsGoneBefore() throws -> Timestamp? {
        try query(
            "SELECT \(microseconds("now() - keep")) AS gone_us FROM policy WHERE tier = 'measurement'"
        ).first?.time("gone_us")
    }
}

extension StoreConnection {
    /// The amplitude spectrum of the consecutive samples of a channel that end before a time, by SQL's `spectrum()`.
    /// - Parameters:
    ///   - channel: its name or number.
    ///   - at: nil: now.
    ///   - count: how many samples: a power of two, 2 to 65,536.
    /// - Returns: nil if there are no such samples.
    /// - Throws: `StoreError`.
    public func spectrum(
        of serial: String, channel: String, at: Timestamp?, count: Int
    ) throws -> AmplitudeSpectrum? {
        let rows = try query(
            "SELECT * FROM spectrum($1, $2, coalesce($3::timestamptz, now()), $4) ORDER BY frequency_hz",
            [.text(serial), .text(channel), .time(at), .integer(Int64(count))]
        ).rows
        guard rows.count > 1, let resolution = rows[1].double("frequency_hz") else { return nil }
        return AmplitudeSpectrum(resolution: resolution, amplitudes: rows.map { $0.double("amplitude") ?? 0 })
    }
}
