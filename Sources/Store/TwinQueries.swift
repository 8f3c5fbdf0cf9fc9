/// A sensor as far as somebody may wait for it.
public struct TwinRecord: Sendable, Equatable {
    /// Its serial number.
    public var serial: String
    /// `unknown`, `awake`, `asleep` or `stopped`.
    public var state: String
    /// `unknown`, `online`, `lost` or `offline`.
    public var presence: String
    /// What is wanted of it, a JSON object.
    public var desiredJSON: String
    /// What it says it has, a JSON object.
    public var reportedJSON: String
    /// Its alarms that are on.
    public var activeAlarms: Int64
}

extension StoreConnection {
    /// The twins of those sensors that there are, by serial.
    /// - Throws: `StoreError`.
    public func twins(of serials: [String]) throws -> [TwinRecord] {
        try transaction(timeout: .seconds(30)) { session in
            try session.query(
                """
                SELECT s.serial, s.state, s.presence, s.desired::text AS desired, s.reported::text AS reported,
                    (SELECT count(*) FROM alarm a WHERE a.sensor_id = s.sensor_id AND a.cleared_at IS NULL) AS alarms
                FROM sensor s WHERE s.serial = ANY ($1::text[]) ORDER BY s.serial
                """, [.texts(serials)]
            ).rows.map { row in
                TwinRecord(
                    serial: row.text("serial"), state: row.text("state"), presence: row.text("presence"),
                    desiredJSON: row["desired"] ?? "{}", reportedJSON: row["reported"] ?? "{}",
                    activeAlarms: row.integer("alarms") ?? 0)
            }
        }
    }
}
