public import Store

/// The tags of a sensor after a change (docs/iotctl-json.md, "tags").
public struct TagsView: Codable, Sendable, Equatable {
    /// The sensor's serial number.
    public var sensor: String
    /// The sensor's tags as an object.
    public var tags: JSONValue
    /// Whether the tags differ from those before.
    public var isChanged: Bool

    private enum CodingKeys: String, CodingKey {
        case sensor, tags
        case isChanged = "changed"
    }
}

extension TagsView {
    /// The view of tags as stored, or as a dry run would store them.
    public init(_ record: TagsRecord) {
        self.init(
            sensor: record.serial, tags: JSONValue(json: record.json) ?? .null, isChanged: record.isChanged)
    }
}
