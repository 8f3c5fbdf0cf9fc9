/// The servers that iotctl uses, and the source of each URL (docs/iotctl-json.md, "connections").
public struct ConnectionsView: Codable, Sendable, Equatable {
    /// The URL of a server.
    public struct Server: Codable, Sendable, Equatable {
        /// The variable's name: `AMQP_URL`, `MQTT_URL`, `DATABASE_URL` or `MANAGEMENT_URL`.
        public var variable: String
        /// The URL with the password masked; nil if it is not set.
        public var url: String?
        /// The URL's source: `environment`, `context` and its name, `default`, or `not set`.
        public var source: String

        /// The view of a server.
        /// - Parameter url: the URL with the password masked; nil if it is not set.
        public init(variable: String, url: String?, source: String) {
            self.variable = variable
            self.url = url
            self.source = source
        }
    }

    /// The context in use; nil if there is none.
    public var context: String?
    /// The servers, one for each of the four variables.
    public var servers: [Server]

    /// The view of these servers.
    public init(context: String?, servers: [Server]) {
        self.context = context
        self.servers = servers
    }
}
