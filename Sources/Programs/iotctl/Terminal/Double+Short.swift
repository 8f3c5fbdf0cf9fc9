internal import Foundation

extension Double {
    /// The number with at most six significant digits, for people: "1.23457", "1000", "1.5e-07".
    var short: String { significant(6) }

    /// The number with four significant digits, for people: "3.972", "1013", "101325"; integers below a million keep
    /// their digits.
    var compact: String {
        (1000..<1_000_000).contains(abs(self)) ? "\(Int(rounded(.toNearestOrEven)))" : significant(4)
    }

    /// The number with at most `digits` significant digits, as `%g` of printf writes it.
    func significant(_ digits: Int) -> String {
        guard isFinite else { return isNaN ? "NaN" : self < 0 ? "-inf" : "inf" }
        return plain(digits) ?? String(format: "%.\(digits)g", self)
    }

    /// The number without an exponent; nil where `%g` writes one, and in the rare cases that need more than one
    /// rounding. A list of 10,000 sensors has some 20,000 numbers, and `String(format:)` takes a microsecond for each.
    private func plain(_ digits: Int) -> String? {
        if let integer = Int(exactly: self), integer != 0, abs(integer) < 1_000_000, digits >= 6 { return "\(integer)" }
        let size = abs(self)
        guard (1e-4..<1e6).contains(size), (1...9).contains(digits) else { return nil }
        let decimals = digits - 1 - Int(log10(size).rounded(.down))
        guard (0..<Self.powersOfTen.count).contains(decimals) else { return nil }
        let scaled = size * Double(Self.powersOfTen[decimals])
        // A tie, or nearly one: whether printf rounds up depends on digits that the product has lost.
        guard abs(scaled - scaled.rounded(.down) - 0.5) > 1e-6 else { return nil }
        let number = Int(scaled.rounded())
        // 9.9999 is 10.00: one digit more.
        guard number < Self.powersOfTen[digits] else { return nil }
        let (whole, fraction) = number.quotientAndRemainder(dividingBy: Self.powersOfTen[decimals])
        let sign = self < 0 ? "-" : ""
        if fraction == 0 { return "\(sign)\(whole)" }
        let places = String(fraction)
        var text = "\(sign)\(whole)." + String(repeating: "0", count: decimals - places.utf8.count) + places
        while text.utf8.last == UInt8(ascii: "0") { text.removeLast() }
        return text
    }

    private static let powersOfTen = [
        1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
    ]
}
