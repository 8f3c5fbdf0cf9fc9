extension Int64 {
    /// The number in groups of three digits: "12,345,678".
    var grouped: String {
        var groups: [String] = []
        var digits = String(magnitude)
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (self < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// The nearest integer, clamped to the range of `Int64`; 0 for NaN.
    init(clamped number: Double) {
        self = Int64(exactly: number.rounded()) ?? (number > 0 ? .max : number < 0 ? .min : 0)
    }
}
