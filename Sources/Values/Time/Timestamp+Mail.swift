extension Timestamp {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// The time as a header of a mail has it, in UTC (RFC 5322, section 3.3): `Sat, 21 Nov 2026 09:30:00 +0000`.
    public var mailText: String {
        // "2026-11-21T09:30:00.000000000Z"; 1970 began on a Thursday.
        let parts = description.prefix(19).split { "-T".contains($0) }
        let nanosecondsOfDay: Int64 = 86_400_000_000_000
        let (day, rest) = unixNanoseconds.quotientAndRemainder(dividingBy: nanosecondsOfDay)
        let weekday = ((rest < 0 ? day - 1 : day) % 7 + 7) % 7
        let month = Int(parts[1]).map { Self.months[$0 - 1] } ?? ""
        return "\(Self.days[Int(weekday)]), \(parts[2]) \(month) \(parts[0]) \(parts[3]) +0000"
    }
}
