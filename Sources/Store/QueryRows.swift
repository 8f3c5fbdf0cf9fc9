internal import Sensors

/// A `timestamptz` as whole microseconds since 1970.
func microseconds(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000000)::bigint" }

/// What `encode(…, 'hex')` wrote.
func unhexed(_ hex: some StringProtocol) -> [UInt8] {
    func digit(_ character: UInt8) -> UInt8 { character < 0x3A ? character - 0x30 : character - 0x57 }
    let digits = Array(hex.utf8)
    return stride(from: 0, to: digits.count - 1, by: 2).map { digit(digits[$0]) << 4 | digit(digits[$0 + 1]) }
}

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
