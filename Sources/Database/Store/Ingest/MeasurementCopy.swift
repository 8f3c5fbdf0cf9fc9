public import Model
public import Postgres
internal import Time

extension MeasurementRow {
    /// The table and its columns, in the order in which `CopyBuffer.append` writes them.
    public static let copyTarget = """
        measurement ("time", time_ns, sensor_id, channel, boot_id, sequence, sample_rate_hz, n, min, max, mean, rms, \
        received_at, device_time_ns, clock, samples, counts, count_scale, count_offset, finite)
        """
}

extension CopyBuffer {
    /// Adds a row of `MeasurementRow.copyTarget`.
    public mutating func append(_ row: MeasurementRow) {
        let count = row.samples.count
        beginRow(fields: 20)
        field(timeUnixMicroseconds: row.time.unixMicroseconds)
        field(row.time.nanosecondsBelowMicrosecond)
        field(row.channel.sensor.rawValue)
        field(row.channel.number)
        field(row.position?.boot)
        field(row.position?.sequence)
        field(row.rateHertz)
        field(Int32(count))
        field(row.statistics.min)
        field(row.statistics.max)
        if case .value(let value) = row.samples { field(value) } else { field(row.statistics.mean) }
        field(row.statistics.rms)
        field(timeUnixMicroseconds: row.received.unixMicroseconds)
        field(row.deviceTime?.unixNanoseconds)
        field(row.clock.rawValue)
        switch row.samples {
        case .floats(let samples):
            field(samples)
            for _ in 0..<3 { null() }
        case .counts(let counts, let scale, let offset):
            null()
            field(counts)
            field(scale)
            field(offset)
        case .value: for _ in 0..<4 { null() }
        }
        let finite = row.statistics.finiteCount
        if finite == count { null() } else { field(Int32(finite)) }
    }
}
