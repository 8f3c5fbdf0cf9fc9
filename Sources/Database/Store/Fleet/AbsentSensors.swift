public import Model
public import Postgres

/// A sensor that the registry has recorded as lost or offline.
public struct AbsentSensor: Sendable, Equatable {
    /// The serial number.
    public var serial: String
    /// `lost` or `offline`.
    public var presence: Presence.Word
    /// The time since the sensor's newest message if it is offline, or since its connection broke if it is lost; nil: no
    /// message ever arrived.
    public var age: Duration?

    /// An absent sensor.
    public init(serial: String, presence: Presence.Word, age: Duration?) {
        self.serial = serial
        self.presence = presence
        self.age = age
    }
}

extension StoreConnection {
    /// Reads which of these sensors are lost or offline, in order of their serial numbers.
    /// - Throws: `StoreError`.
    public func absentSensors(among serials: [String]) throws -> [AbsentSensor] {
        try fetch(
            """
            SELECT serial, presence, (1e6 * extract(epoch FROM now() - CASE presence WHEN 'lost' THEN lost_at
                   ELSE last_seen END))::bigint AS age_us FROM sensor
             WHERE presence IN ('lost', 'offline') AND serial = ANY (\(serials)::text[]) AND deleted_at IS NULL
             ORDER BY serial
            """, timeout: .seconds(30)
        ).map { row in
            // NULL: the sensor never announced itself.
            AbsentSensor(
                serial: try row.text("serial"), presence: try row.value("presence"),
                age: try row.optionalInteger("age_us").map { .microseconds($0) })
        }
    }
}
