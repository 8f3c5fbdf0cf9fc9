public import Store

/// A deleted sensor (docs/iotctl-json.md, "deleted sensor").
public struct DeletedSensorView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// Whether its history was deleted too.
    public var isHistoryDeleted: Bool
    /// The number of rows of its history that were deleted.
    public var rowsDeleted: Int64

    /// The view of a deleted sensor.
    public init(sensor: String, isHistoryDeleted: Bool, rowsDeleted: Int64) {
        self.sensor = sensor
        self.isHistoryDeleted = isHistoryDeleted
        self.rowsDeleted = rowsDeleted
    }

    private enum CodingKeys: String, CodingKey {
        case sensor
        case isHistoryDeleted = "history_deleted"
        case rowsDeleted = "rows_deleted"
    }
}

extension DeletedSensorView {
    /// The view of the record of a deletion.
    public init(_ action: OperatorAction) {
        self.init(
            sensor: action.serial, isHistoryDeleted: action.kind == .deleteWithHistory, rowsDeleted: action.rowsDeleted)
    }
}
