extension Endpoint {
    /// The kind of server. It decides the schemes, the default port, and the options that a URL may have.
    public enum Kind: Sendable, CaseIterable {
        /// RabbitMQ over AMQP 0-9-1.
        case amqp
        /// RabbitMQ, or another broker, over MQTT.
        case mqtt
        /// PostgreSQL.
        case postgresql
        /// RabbitMQ's management API.
        case management

        /// The kind whose URL the environment variable contains; nil: none.
        public init?(variable: String) {
            guard let kind = Self.allCases.first(where: { $0.variable == variable }) else { return nil }
            self = kind
        }

        /// The environment variable that contains the URL.
        public var variable: String {
            switch self {
            case .amqp: "AMQP_URL"
            case .mqtt: "MQTT_URL"
            case .postgresql: "DATABASE_URL"
            case .management: "MANAGEMENT_URL"
            }
        }

        /// The URL if the variable is not set; nil: the server is not used then.
        public var standard: String? {
            switch self {
            case .amqp: "amqp://guest:guest@localhost:5672/%2f"
            case .mqtt: "mqtt://guest:guest@localhost:1883"
            case .postgresql: "postgresql://localhost/iot"
            case .management: nil
            }
        }

        /// A URL as an example for messages.
        public var example: String {
            switch self {
            case .amqp: "amqp://user:password@host:5672/%2f"
            case .mqtt: "mqtt://user:password@host:1883"
            case .postgresql: "postgresql://user:password@host:5432/database"
            case .management: "http://user:password@host:15672"
            }
        }

        func scheme(isTLS: Bool) -> String {
            switch self {
            case .amqp: isTLS ? "amqps" : "amqp"
            case .mqtt: isTLS ? "mqtts" : "mqtt"
            case .postgresql: "postgresql"
            case .management: isTLS ? "https" : "http"
            }
        }

        /// Whether a scheme asks for TLS; nil if it is not one of this kind. PostgreSQL has one scheme, with the option
        /// `sslmode`.
        func isTLS(scheme: String) -> Bool? {
            if scheme == self.scheme(isTLS: false) || (self == .postgresql && scheme == "postgres") { return false }
            return scheme == self.scheme(isTLS: true) ? true : nil
        }

        /// The port of a URL without one. The management API listens on 15672, but `http://host` means port 80.
        func defaultPort(isTLS: Bool) -> UInt16 {
            switch self {
            case .amqp: isTLS ? 5671 : 5672
            case .mqtt: isTLS ? 8883 : 1883
            case .postgresql: 5432
            case .management: isTLS ? 443 : 80
            }
        }

        // MARK: options

        /// The options that are not parts of the TLS identity. PostgreSQL's are libpq's; those that `Postgres` sets itself,
        /// such as `connect_timeout`, are not among them.
        var options: [String] {
            guard self == .postgresql else { return [] }
            return [
                "application_name", "channel_binding", "gssencmode", "host", "krbsrvname", "options", "passfile",
                "password", "port", "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcrl", "sslsni",
                "target_session_attrs", "user",
            ]
        }

        /// The options that set parts of the TLS identity: libpq's names, and those of RabbitMQ's URI query parameters.
        var tlsFields: [String: TLS.Field] {
            self == .postgresql
                ? ["sslmode": .mode, "sslrootcert": .caFile, "sslcert": .certificateFile, "sslkey": .keyFile]
                : [
                    "verify": .mode, "server_name_indication": .serverName, "cacertfile": .caFile,
                    "certfile": .certificateFile, "keyfile": .keyFile,
                ]
        }

        /// The values of the option that sets the TLS mode.
        var modes: [(name: String, mode: TLS.Mode)] {
            self == .postgresql
                ? TLS.Mode.allCases.map { ($0.rawValue, $0) }
                : [("verify_peer", .verifyFull), ("verify_none", .require)]
        }

        /// The names of all options, in order.
        public var optionNames: [String] { (options + tlsFields.keys).sorted() }

        /// The options that make this identity; a mode that the scheme implies is not among them.
        public func options(of tls: TLS) -> [Option] {
            tlsFields.sorted { $0.key < $1.key }.compactMap { name, field in
                let value =
                    switch field {
                    case .mode:
                        self != .postgresql && tls.mode == .verifyFull
                            ? nil : modes.first { $0.mode == tls.mode }?.name
                    case .serverName: tls.serverName
                    case .caFile: tls.caFile
                    case .certificateFile: tls.certificateFile
                    case .keyFile: tls.keyFile
                    }
                return value.map { Option(name, $0) }
            }
        }
    }
}
