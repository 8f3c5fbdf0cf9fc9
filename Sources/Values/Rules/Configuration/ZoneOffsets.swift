public import Time

/// The offsets of a time zone from UTC over some years. The resolver of revisions takes them from the system's time zones, so
/// that every evaluator of a revision has the same local time.
public struct ZoneOffsets: Sendable, Equatable, Codable {
    /// From a moment on, until the next change.
    public struct Change: Sendable, Equatable, Codable {
        /// The first moment.
        public var from: Timestamp
        /// Local time minus UTC, in seconds.
        public var seconds: Int

        /// From that moment, that many seconds.
        public init(from: Timestamp, seconds: Int) {
            self.from = from
            self.seconds = seconds
        }
    }

    /// The changes by time. The first also holds before its moment.
    public var changes: [Change]

    /// These changes, by time.
    public init(changes: [Change]) { self.changes = changes }

    /// Local time minus UTC at a moment, in seconds; 0 without any change.
    public func seconds(at time: Timestamp) -> Int {
        (changes.last { $0.from <= time } ?? changes.first)?.seconds ?? 0
    }
}
