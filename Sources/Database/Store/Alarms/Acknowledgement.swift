public import Postgres
public import Time

/// Acknowledgement of alarms.
extension StoreConnection {
    /// Records that an alarm was seen, whether or not it is still active. Only the first acknowledgement is kept.
    /// - Parameters:
    ///   - alarm: the alarm's id.
    ///   - by: who has seen it.
    ///   - comment: what they say; may be empty.
    ///   - at: when they said it.
    /// - Returns: when the alarm was first acknowledged; nil: there is no such alarm.
    /// - Throws: `StoreError`.
    public func acknowledge(alarm: String, by: String, comment: String, at: Timestamp) throws -> Timestamp? {
        try transaction(timeout: .seconds(30)) { session in
            try session.run(
                """
                UPDATE alarm SET acknowledged_at = \(at), acknowledged_by = \(by), acknowledged_comment = \(comment)
                 WHERE alarm_id = \(alarm) AND acknowledged_at IS NULL
                """)
            return try session.fetch(
                "SELECT \(microseconds("acknowledged_at")) AS at_us FROM alarm WHERE alarm_id = \(alarm)"
            ).first.map { try $0.time("at_us") }
        }
    }
}
