public import Postgres

/// A sensor that the registry has recorded as offline.
public struct OfflineSensor: Sendable, Equatable {
    /// The serial number.
    public var serial: String
    /// The time since the sensor's newest message; nil: there is none.
    public var lastSeenAge: Duration?

    /// An offline sensor.
    public init(serial: String, lastSeenAge: Duration?) {
        self.serial = serial
        self.lastSeenAge = lastSeenAge
    }
}

extension StoreConnection {
    /// A sensor that was seen in the last so many seconds is not called offline: it may be about to return, and its presence
    /// may be older than its newest message.
    private static let justSeenSeconds = 15

    /// Reads which of these sensors are offline, in order of their serial numbers.
    /// - Throws: `StoreError`.
    public func offlineSensors(among serials: [String]) throws -> [OfflineSensor] {
        try fetch(
            """
            SELECT serial, (1e6 * extract(epoch FROM now() - last_seen))::bigint AS age_us FROM sensor
             WHERE presence = 'offline' AND serial = ANY (\(serials)::text[])
               AND (last_seen IS NULL OR last_seen < now() - make_interval(secs => \(Self.justSeenSeconds)))
             ORDER BY serial
            """, timeout: .seconds(30)
        ).map { row in
            // NULL: the sensor never announced itself.
            OfflineSensor(
                serial: try row.text("serial"),
                lastSeenAge: try row.optionalInteger("age_us").map { .microseconds($0) })
        }
    }
}
