public import Model

/// A point on Earth, WGS 84 (docs/iotctl-json.md, "sensor").
public struct PositionView: Codable, Sendable, Equatable {
    /// Degrees, -90…90.
    public var latitude: Double
    /// Degrees, -180…180.
    public var longitude: Double
    /// Metres above mean sea level.
    public var altitude: Double
}

extension PositionView {
    /// The view of a position.
    public init(_ position: GeoPosition) {
        self.init(latitude: position.latitude, longitude: position.longitude, altitude: position.altitude)
    }
}
