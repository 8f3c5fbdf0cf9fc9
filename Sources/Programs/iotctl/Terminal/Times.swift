internal import Time

extension Timestamp {
    /// The time in UTC to the second, for people: "2026-11-21 09:30:00".
    var short: String { text(.short) }

    /// The time in UTC to the millisecond, for people: "2026-11-21 09:30:00.123".
    var precise: String { text(.precise) }
}
