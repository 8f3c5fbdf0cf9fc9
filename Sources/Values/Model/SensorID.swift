/// The database's number of a sensor (`sensor.sensor_id`). It stays the same when the sensor is renamed.
@frozen
public struct SensorID: RawRepresentable, Hashable, Sendable, Comparable, ExpressibleByIntegerLiteral {
    /// The number as the database stores it: 1 or greater.
    public var rawValue: Int32

    /// The sensor with that number.
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The sensor with that number.
    @inlinable public init(integerLiteral number: Int32) { rawValue = number }

    /// In order of the numbers.
    @inlinable public static func < (left: SensorID, right: SensorID) -> Bool { left.rawValue < right.rawValue }
}
