public import Model
public import Postgres
public import Rules

// Parameters of statements.
extension SerialNumber: SQLParameter {
    /// The text as a parameter.
    public var sqlValue: SQLValue { .text(text) }
    /// The texts as an array.
    public static func sqlArray(_ values: [SerialNumber?]) -> SQLValue { .texts(values.map { $0?.text }) }
}
extension SensorID: SQLParameter {}
extension LossCause: SQLParameter {}
extension CommandLife.State: SQLParameter {}
extension Presence.Word: SQLParameter {}
extension Announcement.State: SQLParameter {}
extension LogLine.Level: SQLParameter {}
extension StoreTier: SQLParameter {}
extension ClockVerdict: SQLParameter {}
extension RejectionReason: SQLParameter {}
extension LimitSide: SQLParameter {}
extension Ack.Outcome: SQLParameter {}
extension MissingOffsets.Cause: SQLParameter {}

extension Row {
    /// A sensor's serial number.
    func serial(_ column: Column) throws(StoreError) -> SerialNumber {
        try text(column, as: "a serial number") { SerialNumber($0) }
    }

    /// The database's number of a sensor.
    public func sensorID(_ column: Column) throws(StoreError) -> SensorID { try value(column) }

    /// A channel, by its sensor's number and its own.
    func channelID(_ sensor: Column = "sensor_id", _ number: Column = "channel") throws(StoreError) -> ChannelID {
        ChannelID(sensor: try sensorID(sensor), number: try integer(number, as: Int16.self))
    }

    /// The range from one column's integer to another's.
    func range(_ first: Column, _ last: Column) throws -> ClosedRange<Int64> {
        let lower = try integer(first)
        let upper = try integer(last)
        guard lower <= upper else { throw StoreError.unexpected("a range from \(lower) to \(upper)") }
        return lower...upper
    }

    /// A position in a stream; nil if one of its columns is NULL.
    func optionalStreamPosition(_ incarnation: Column, _ offset: Column) throws -> StreamPosition? {
        guard let incarnation = try optionalInteger(incarnation), let offset = try optionalInteger(offset) else {
            return nil
        }
        return StreamPosition(incarnation: incarnation, offset: offset)
    }

    /// The position of a frame; nil if one of its columns is NULL.
    func optionalFramePosition(_ boot: Column, _ sequence: Column) throws -> FramePosition? {
        guard let boot = try optionalInteger(boot), let sequence = try optionalInteger(sequence) else { return nil }
        return FramePosition(boot: boot, sequence: sequence)
    }
}
