/// A named set of connections (docs/iotctl-json.md, "context").
public struct ContextView: Codable, Sendable, Equatable {
    /// The context's name.
    public var name: String
    /// Whether the context is used if no other is chosen.
    public var isCurrent: Bool
    /// The broker's URL; nil if the context has none.
    public var amqpURL: String?
    /// The URL of the broker's MQTT listener; nil if the context has none.
    public var mqttURL: String?
    /// The database's URL; nil if the context has none.
    public var databaseURL: String?
    /// The URL of the broker's management API; nil if the context has none.
    public var managementURL: String?

    /// The view of a context.
    /// - Parameter urls: the URLs by the names of their environment variables, with passwords masked.
    public init(name: String, isCurrent: Bool, urls: [String: String]) {
        self.name = name
        self.isCurrent = isCurrent
        amqpURL = urls["AMQP_URL"]
        mqttURL = urls["MQTT_URL"]
        databaseURL = urls["DATABASE_URL"]
        managementURL = urls["MANAGEMENT_URL"]
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case isCurrent = "current"
        case amqpURL = "amqp_url"
        case mqttURL = "mqtt_url"
        case databaseURL = "database_url"
        case managementURL = "management_url"
    }
}
