public import Model
public import Postgres
public import Signals
public import Time

/// A position in the samples of a channel, from which reading continues.
public struct SampleCursor: Sendable, Equatable {
    /// The next rows begin at this time or later.
    public var time: Timestamp
    /// The number of rows beginning at `time` that have already been read.
    public var skip = 0

    /// The position before the first row that begins at this time or later.
    public init(_ time: Timestamp) { self.time = time }
}

extension StoreConnection {
    /// Reads rows of a channel that begin within a time range, in order and bit-exact, page by page.
    /// - Parameters:
    ///   - place: the position to continue from; moved behind the page.
    ///   - to: the end of the range; rows begin before it.
    ///   - rowsMax: the maximum number of rows of a page.
    ///   - samplesMax: a page with this many samples takes no more rows.
    /// - Throws: `StoreError`.
    public func sampleRuns(
        of channel: ChannelID, from place: SampleCursor, to: Timestamp, rowsMax: Int, samplesMax: Int
    ) throws -> (runs: [SampleRun], next: SampleCursor, isLast: Bool) {
        // In hexadecimal: PostgreSQL's text of a NaN omits its payload bits.
        let rows = try fetch(
            """
            SELECT \(microseconds("\"time\"")) AS time_us, time_ns, sample_rate_hz, count_scale, count_offset,
                   encode(array_send(samples), 'hex') AS samples, encode(array_send(counts), 'hex') AS counts,
                   encode(float8send(mean), 'hex') AS value, page_rows
              FROM (
                SELECT *, sum(n) OVER (ORDER BY k) - n AS samples_before, count(*) OVER () AS page_rows
                  FROM (
                    SELECT *, row_number() OVER () AS k FROM (
                        SELECT * FROM measurement
                         WHERE sensor_id = \(channel.sensor) AND channel = \(channel.number) AND "time" >= \(place.time)::timestamptz
                           AND "time" < \(to)::timestamptz
                         ORDER BY "time", time_ns, boot_id, sequence, received_at LIMIT \(rowsMax) OFFSET \(place.skip)
                    ) sorted
                  ) page
              ) numbered
             WHERE samples_before < \(samplesMax) ORDER BY k
            """)
        let columns = try SampleColumns(rows)
        var next = place
        let runs = try rows.map { row in
            let time = try row.time(columns.time)
            if time > next.time { next = SampleCursor(time) }
            next.skip += 1
            return try columns.run(row, time)
        }
        // No row: the page is empty.
        let pageRows = try rows.first?.integer("page_rows", as: Int.self) ?? 0
        return (runs, next, pageRows < rowsMax && runs.count == pageRows)
    }

    /// The start of the oldest row of a channel that overlaps a time range and belongs to another boot of the sensor
    /// than `boot`.
    /// - Throws: `StoreError`.
    public func overlapping(
        of channel: ChannelID, _ range: ClosedRange<Timestamp>, except boot: Int64
    ) throws -> Timestamp? {
        try fetch(
            """
            SELECT \(microseconds("\"time\"")) AS time_us FROM measurement
             WHERE sensor_id = \(channel.sensor) AND channel = \(channel.number)
               AND "time" >= \(range.lowerBound)::timestamptz - INTERVAL '60 seconds'
               AND "time" <= \(range.upperBound)::timestamptz AND boot_id IS DISTINCT FROM \(boot)
               AND row_end("time", n, sample_rate_hz) >= \(range.lowerBound)::timestamptz
             ORDER BY "time" LIMIT 1
            """
        ).first?.time("time_us")
    }

    /// Sets quantity and unit of a channel if they are not set yet.
    /// - Throws: `StoreError`.
    public func describe(_ channel: ChannelID, quantity: String, unit: String) throws {
        try run(
            """
            UPDATE channel SET quantity = \(quantity), unit = \(unit)
             WHERE sensor_id = \(channel.sensor) AND channel = \(channel.number) AND quantity = '' AND unit = ''
            """)
    }

    /// Rows of `measurement` older than this time are dropped; nil: never.
    /// - Throws: `StoreError`.
    public func measurementsGoneBefore() throws -> Timestamp? {
        try fetchOne(
            "SELECT \(microseconds("now() - keep")) AS gone_us FROM policy WHERE tier = 'measurement'"
        ).optionalTime("gone_us")
    }
}

extension StoreConnection {
    /// The amplitude spectrum of the consecutive samples of a channel that end before a time, by the SQL function
    /// `spectrum()`.
    /// - Parameters:
    ///   - channel: its name or number.
    ///   - at: the time before which the samples end; nil: now.
    ///   - count: the number of samples: a power of two, 2 to 65,536.
    /// - Returns: nil if there are no such samples.
    /// - Throws: `StoreError`.
    public func spectrum(
        of serial: String, channel: String, at: Timestamp?, count: Int
    ) throws -> AmplitudeSpectrum? {
        let rows = try fetch(
            """
            SELECT * FROM spectrum(\(serial), \(channel), coalesce(\(at)::timestamptz, now()), \(count))
             ORDER BY frequency_hz
            """)
        guard rows.count > 1 else { return nil }
        let amplitude = try rows.column("amplitude")
        return AmplitudeSpectrum(
            resolution: try rows[1].double("frequency_hz"), amplitudes: try rows.map { try $0.double(amplitude) })
    }
}

/// The columns of `sampleRuns`.
private struct SampleColumns {
    let time, timeNanoseconds, rate, samples, counts, scale, offset, value: Row.Column

    init(_ rows: QueryResult) throws {
        time = try rows.column("time_us")
        timeNanoseconds = try rows.column("time_ns")
        rate = try rows.column("sample_rate_hz")
        samples = try rows.column("samples")
        counts = try rows.column("counts")
        scale = try rows.column("count_scale")
        offset = try rows.column("count_offset")
        value = try rows.column("value")
    }

    func run(_ row: Row, _ time: Timestamp) throws -> SampleRun {
        SampleRun(
            start: time.advanced(byNanoseconds: try row.integer(timeNanoseconds)),
            rate: SampleRate(hertz: try row.double(rate)), samples: try samples(of: row))
    }

    private func samples(of row: Row) throws -> Samples {
        if let bytes = try row.optionalBytes(counts) {
            let counts = Self.elements(bytes, width: 2).map { Int16(truncatingIfNeeded: $0) }
            return .counts(counts, scale: try row.double(scale), offset: try row.double(offset))
        }
        if let bytes = try row.optionalBytes(samples) {
            return .floats(Self.elements(bytes, width: 4).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) })
        }
        let bits = try row.bytes(value).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return .value(Double(bitPattern: bits))
    }

    /// The elements of `array_send`: a header of 20 bytes, then each element after its length, most significant byte
    /// first.
    private static func elements(_ bytes: [UInt8], width: Int) -> [UInt64] {
        stride(from: 20, to: bytes.count, by: 4 + width).map { index in
            bytes[(index + 4)..<(index + 4 + width)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
    }
}
