public import ArgumentParser
public import Endpoint
internal import Foundation
internal import Logging

/// The addresses of the servers, from the environment. Secrets are never passed on the command line, where `ps` would
/// show them. Each variable may name a file instead: `AMQP_URL_FILE=/run/secrets/amqp`.
public struct Settings: Sendable {
    /// A setting that is not valid.
    public struct Invalid: Error, CustomStringConvertible {
        /// The setting and the fault, without secrets.
        public let description: String
    }

    /// `AMQP_URL`.
    public var broker: Endpoint
    /// `MQTT_URL`.
    public var mqtt: Endpoint
    /// `DATABASE_URL`.
    public var database: Endpoint
    /// `MANAGEMENT_URL`; nil: RabbitMQ's management API is not used.
    public var management: Endpoint?
    /// `DATABASE_DISK`, a folder on the database's volume or the volume's size; nil: the free space is unknown.
    public var databaseDisk: DatabaseDisk?

    /// Reads the environment of this process.
    /// - Throws: `Invalid`.
    public init() throws { try self.init(environment: ProcessInfo.processInfo.environment) }

    /// Reads the given environment.
    /// - Throws: `Invalid`.
    public init(environment: [String: String]) throws {
        broker = try Self.endpoint(.amqp, environment)
        mqtt = try Self.endpoint(.mqtt, environment)
        database = try Self.endpoint(.postgresql, environment)
        if try Self.url(.management, environment) != nil { management = try Self.endpoint(.management, environment) }
        if let text = try Self.value("DATABASE_DISK", environment) {
            databaseDisk = DatabaseDisk(text)
            guard databaseDisk != nil else {
                throw Invalid(
                    description: "DATABASE_DISK is neither a folder like /var/lib/postgresql nor a size like 200GB")
            }
        }
    }

    /// The value of a variable, or the content of the file that NAME_FILE names; nil: neither is set.
    /// - Throws: `Invalid` if the file can't be read.
    public static func value(_ name: String, _ environment: [String: String]) throws -> String? {
        if let value = environment[name], !value.isEmpty { return value }
        guard let file = environment["\(name)_FILE"] else { return nil }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw Invalid(description: "\(name)_FILE names \(file), which can't be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The URL of a server, from its variable, from a file, or the default; nil: the server is not used.
    /// - Throws: `Invalid` if the file can't be read.
    public static func url(_ kind: Endpoint.Kind, _ environment: [String: String]) throws -> String? {
        try value(kind.variable, environment) ?? kind.standard
    }

    /// Refuses what no client of this version can use, so that a service ends at once instead of retrying indefinitely.
    private static func endpoint(_ kind: Endpoint.Kind, _ environment: [String: String]) throws -> Endpoint {
        do {
            let endpoint = try Endpoint(url(kind, environment) ?? "", kind)
            if kind == .amqp || kind == .mqtt { try endpoint.requirePlain() }
            return endpoint
        } catch let error as EndpointError { throw Invalid(description: error.description) }
    }
}

/// The options of every service.
public struct ServiceOptions: ParsableArguments {
    /// The default of `--log-level`: the variable `LOG_LEVEL`, otherwise info.
    public static var standardLogLevel: String { ProcessInfo.processInfo.environment["LOG_LEVEL"] ?? "info" }
    /// The default of `--http-port`: the variable `HTTP_PORT`, otherwise 8080.
    public static var standardPort: UInt16 {
        ProcessInfo.processInfo.environment["HTTP_PORT"].flatMap { UInt16($0) } ?? 8080
    }

    /// The lowest level of log lines that are written.
    @Option(help: "trace, debug, info, notice, warning, error or critical [env: LOG_LEVEL].")
    public var logLevel = Self.standardLogLevel

    /// The port of health and metrics.
    @Option(help: "Port of /livez, /readyz and /metrics; 0: any free port [env: HTTP_PORT].")
    public var httpPort = Self.standardPort

    /// The defaults.
    public init() {}

    /// Rejects an unknown log level.
    public func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("unknown log level \(logLevel)") }
    }

    var level: Logger.Level { Logger.Level(rawValue: logLevel) ?? .info }
}
