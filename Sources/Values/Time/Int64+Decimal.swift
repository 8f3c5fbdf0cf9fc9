extension Int64 {
    /// A decimal number, `12` or `-1.5`, times `unit`, rounded to the nearest integer: the nanoseconds of a number of
    /// seconds if `unit` is 1,000,000,000. Exact: no floating-point number is involved.
    /// - Returns: nil if `text` is not a decimal number without an exponent, or if the product exceeds the range.
    public init?(decimal text: some StringProtocol, times unit: Int64) {
        let isNegative = text.hasPrefix("-")
        let parts = Substring(text).dropFirst(isNegative ? 1 : 0).split(
            separator: ".", omittingEmptySubsequences: false)
        let digits = parts.joined()
        guard parts.count == 1 || (parts.count == 2 && !parts[1].isEmpty), !digits.isEmpty,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let whole = parts[0].isEmpty ? 0 : Int64(parts[0])
        else { return nil }
        // More digits behind the point are below a nanosecond of any unit up to a day.
        let fraction = parts.count == 2 ? parts[1].prefix(18) : ""
        var scale: Int128 = 1
        for _ in fraction { scale *= 10 }
        let rest = (Int128(fraction) ?? 0) * Int128(unit)
        let product = Int128(whole) * Int128(unit) + (rest + scale / 2) / scale
        guard let value = Int64(exactly: isNegative ? -product : product) else { return nil }
        self = value
    }
}
