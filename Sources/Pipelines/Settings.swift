public import ArgumentParser
public import Broker
internal import Foundation
internal import Logging

/// Where the servers are, from the environment. Secrets never come from the command line, where `ps` would show them:
/// each variable can name a file instead, `AMQP_URL_FILE=/run/secrets/amqp`.
public struct Settings: Sendable {
    /// A setting that can't be used.
    public struct Invalid: Error, CustomStringConvertible {
        /// Which, and why, without secrets.
        public let description: String
    }

    /// `AMQP_URL`, by default `amqp://guest:guest@localhost:5672/%2f`.
    public var broker: BrokerAddress
    /// `MQTT_URL`, by default `mqtt://guest:guest@localhost:1883`.
    public var mqtt: MQTTAddress
    /// `DATABASE_URL`, by default `postgresql://localhost/iot`.
    public var databaseURL: String
    /// `MANAGEMENT_URL`, `http://user:password@host:15672`; nil: RabbitMQ's management API is not used.
    public var managementURL: String?
    /// `DATABASE_DISK`, a folder on the database's volume or the volume's size; nil: nobody knows when it is full.
    public var databaseDisk: DatabaseDisk?

    /// What holds where the environment says nothing.
    public static let standard = [
        "AMQP_URL": "amqp://guest:guest@localhost:5672/%2f", "MQTT_URL": "mqtt://guest:guest@localhost:1883",
        "DATABASE_URL": "postgresql://localhost/iot",
    ]

    /// Where MQTT is spoken, and as whom.
    public struct MQTTAddress: Sendable {
        /// A name or an address.
        public var host: String
        /// 1883 by custom.
        public var port: Int
        /// `user`, or `vhost:user`.
        public var user: String
        /// How it proves itself.
        public var password: String
    }

    /// Reads the environment.
    /// - Throws: `Invalid`.
    public init() throws { try self.init(environment: ProcessInfo.processInfo.environment) }

    /// Reads an environment.
    /// - Throws: `Invalid`.
    public init(environment: [String: String]) throws {
        let amqp = try Self.url("AMQP_URL", environment, "amqp")
        let path = amqp.percentEncodedPath.dropFirst()
        broker = BrokerAddress(
            host: amqp.host ?? "localhost", port: amqp.port ?? 5672, user: amqp.user ?? "guest",
            password: amqp.password ?? "guest",
            virtualHost: path.isEmpty ? "/" : String(path).removingPercentEncoding ?? "/")
        let mqttURL = try Self.url("MQTT_URL", environment, "mqtt")
        mqtt = MQTTAddress(
            host: mqttURL.host ?? "localhost", port: mqttURL.port ?? 1883, user: mqttURL.user ?? "guest",
            password: mqttURL.password ?? "guest")
        databaseURL = try Self.value("DATABASE_URL", environment) ?? Self.standard["DATABASE_URL"] ?? ""
        // libpq would take anything else for a database's name, and show it.
        guard databaseURL.hasPrefix("postgresql://") || databaseURL.hasPrefix("postgres://") else {
            throw Invalid(description: "DATABASE_URL is not a URL like postgresql://user:password@host:port/database")
        }
        managementURL = try Self.value("MANAGEMENT_URL", environment)
        guard managementURL.map({ $0.hasPrefix("http://") || $0.hasPrefix("https://") }) != false else {
            throw Invalid(description: "MANAGEMENT_URL is not a URL like http://user:password@host:15672")
        }
        if let text = try Self.value("DATABASE_DISK", environment) {
            databaseDisk = DatabaseDisk(text)
            guard databaseDisk != nil else {
                throw Invalid(
                    description: "DATABASE_DISK is neither a folder like /var/lib/postgresql nor a size like 200GB")
            }
        }
    }

    /// What the environment says of one setting, itself or in the file that NAME_FILE names; nil: nothing.
    /// - Throws: `Invalid` if there is no such file.
    public static func value(_ name: String, _ environment: [String: String]) throws -> String? {
        if let value = environment[name], !value.isEmpty { return value }
        guard let file = environment["\(name)_FILE"] else { return nil }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw Invalid(description: "\(name)_FILE names \(file), which can't be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func url(
        _ name: String, _ environment: [String: String], _ scheme: String
    ) throws -> URLComponents {
        let text = try value(name, environment) ?? standard[name] ?? ""
        guard let url = URLComponents(string: text), url.scheme == scheme else {
            throw Invalid(description: "\(name) is not a URL like \(scheme)://user:password@host:port")
        }
        return url
    }
}

/// The options that every service has.
public struct ServiceOptions: ParsableArguments {
    /// From the environment, `LOG_LEVEL`.
    public static var standardLogLevel: String { ProcessInfo.processInfo.environment["LOG_LEVEL"] ?? "info" }
    /// From the environment, `HTTP_PORT`.
    public static var standardPort: UInt16 {
        ProcessInfo.processInfo.environment["HTTP_PORT"].flatMap { UInt16($0) } ?? 8080
    }

    /// Which log lines to write.
    @Option(help: "trace, debug, info, notice, warning, error or critical [env: LOG_LEVEL].")
    public var logLevel = Self.standardLogLevel

    /// Where health and metrics are served.
    @Option(help: "Port of /livez, /readyz and /metrics; 0: any free one [env: HTTP_PORT].")
    public var httpPort = Self.standardPort

    /// None given.
    public init() {}

    /// Refuses a level that there is not.
    public func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("no log level \(logLevel)") }
    }

    var level: Logger.Level { Logger.Level(rawValue: logLevel) ?? .info }
}
