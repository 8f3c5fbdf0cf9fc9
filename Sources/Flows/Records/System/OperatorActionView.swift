public import Store
public import Time

/// A deletion or a rename of a sensor (docs/iotctl-json.md, "operator action").
public struct OperatorActionView: Codable, Sendable, Equatable {
    /// The action's number.
    public var id: Int64
    /// When it was done.
    public var at: Timestamp
    /// Who did it.
    public var issuer: String
    /// `delete`, `delete_with_history` or `rename`.
    public var action: String
    /// The sensor's serial number before.
    public var sensor: String
    /// The serial number after a rename.
    public var newSensor: String?
    /// The number of rows of its history that are deleted so far.
    public var rowsDeleted: Int64
    /// When all was done; nil while rows remain to be deleted.
    public var finishedAt: Timestamp?

    private enum CodingKeys: String, CodingKey {
        case id, at, issuer, action, sensor
        case newSensor = "new_sensor"
        case rowsDeleted = "rows_deleted"
        case finishedAt = "finished_at"
    }
}

extension OperatorActionView {
    /// The view of a recorded action.
    public init(_ action: OperatorAction) {
        self.init(
            id: action.id, at: action.at, issuer: action.issuer, action: action.kind.rawValue, sensor: action.serial,
            newSensor: action.newSerial, rowsDeleted: action.rowsDeleted, finishedAt: action.finishedAt)
    }
}
