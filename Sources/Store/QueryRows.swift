internal import Sensors

/// A `timestamptz` as whole microseconds since 1970.
func microseconds(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000000)::bigint" }

extension Rows.Row {
    /// A text; empty for NULL.
    func text(_ column: String) -> String { self[column] ?? "" }

    /// Of a column that `microseconds` gave.
    func time(_ column: String) -> Timestamp? {
        integer(column).map { Timestamp(unixNanoseconds: $0.multipliedReportingOverflow(by: 1000).partialValue) }
    }

    /// From the time in `column` to the database's now.
    func age(_ column: String) -> Duration? {
        guard let time = integer(column), let now = integer("now_us") else { return nil }
        return .microseconds(now - time)
    }
}

extension Duration {
    /// Seconds with their fraction, for `make_interval`.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
