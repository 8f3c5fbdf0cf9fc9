import API
import ArgumentParser
import Foundation
import Model
import Notify
import Registry
import Service
import Time

/// Stores sensors, their commands and alarms, and maintains the schema of the database.
@main
struct SensorRegistry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor-registry",
        abstract: "Applies the schema, and stores sensors, channels, commands, alarms and unroutable messages.",
        discussion: """
            Environment: AMQP_URL, DATABASE_URL (or AMQP_URL_FILE, DATABASE_URL_FILE), and
            optionally MANAGEMENT_URL (or MANAGEMENT_URL_FILE),
            http://user:password@host:15672 of a user with the tag administrator: the
            registry then trims the streams, oldest data first, before a full disk makes the
            broker block commands and alarms. DATABASE_DISK is a folder on the database's
            volume, or the volume's size, such as 200GB: the registry then predicts when the
            disk is full. POLICIES takes values of --policy with commas between them, such
            as measurement=30d,sensor_log=14d,measurement.columnstore=1d. NOTIFY_CONFIG names a
            file with the receivers of alarms: docs/notify.md.
            """)

    static func main() async { await Launch.run(Self.self) }

    @OptionGroup var options: ServiceOptions

    @Option(help: "Number of streams for measurements, 1…64; fixed at the first start [default then: 4].")
    var partitions: Int?

    @Option(help: "Interval of checking the broker's free disk, 1s…1h; every third time also the streams' backlogs.")
    var guardInterval = Register.guardIntervalDefault

    @Option(
        name: .customLong("policy"),
        help: """
            How long a kind of data is kept, like measurement=30d or measurement_1d=forever, or at which age it is \
            compressed, like measurement.columnstore=2d (community edition); may be repeated. Other policies stay as \
            iotctl set policies made them [env: POLICIES, with commas].
            """)
    var policies: [String] =
        ProcessInfo.processInfo.environment["POLICIES"]?.split(separator: ",").map(String.init) ?? []

    @Option(
        help: """
            Port of machine control over gRPC; 0: any free port; not given: none. Only in builds with the trait GRPC, as \
            the image is [env: GRPC_PORT].
            """)
    var grpcPort: UInt16?

    @Option(
        help: """
            Address that gRPC listens at. Callers are not authenticated: an address other than 127.0.0.1 belongs behind a \
            network policy or a proxy that does [env: GRPC_HOST].
            """)
    var grpcHost = ProcessInfo.processInfo.environment["GRPC_HOST"] ?? "127.0.0.1"

    @Option(
        help: """
            A YAML file with the receivers of alarms: Alertmanager, webhooks, mail; read again when it changes \
            [env: NOTIFY_CONFIG].
            """)
    var notifyConfig: String?

    @Flag(help: "Apply the schema as soon as the database answers, then exit: the first step of an upgrade.")
    var migrateOnly = false

    func validate() throws {
        _ = try policyChanges()
        guard (.seconds(1) ... .seconds(3600)).contains(guardInterval) else {
            throw ValidationError("--guard-interval must be 1s…1h")
        }
        guard partitions.map((1...64).contains) != false else { throw ValidationError("--partitions must be 1…64") }
        if try controlPort() != nil, !ControlAPI.isBuilt {
            throw ValidationError(
                "--grpc-port, GRPC_PORT: this build has no gRPC; build it with swift build --traits GRPC")
        }
    }

    /// The port of machine control; nil: it is not served.
    private func controlPort() throws -> UInt16? {
        if let grpcPort { return grpcPort }
        guard let text = ProcessInfo.processInfo.environment["GRPC_PORT"], !text.isEmpty else { return nil }
        guard let port = UInt16(text) else { throw ValidationError("GRPC_PORT must be 0…65535") }
        return port
    }

    func run() async throws {
        if migrateOnly {
            return try await Run.service(
                "sensor-registry", options: options, waitingFor: ["database"], endsByItself: true
            ) { Register.migration($0, partitions: partitions) }
        }
        let notify: Notify?
        let file = notifyConfig ?? ProcessInfo.processInfo.environment["NOTIFY_CONFIG"]
        do { notify = try file.flatMap { $0.isEmpty ? nil : try Notify(file: $0) } } catch {
            throw ValidationError("\(error)")
        }
        try await Run.service("sensor-registry", options: options, waitingFor: ["broker", "database"]) {
            var parts = try Register.parts(
                $0, partitions: partitions, guardInterval: guardInterval, policies: try policyChanges(),
                notify: notify)
            if let port = try controlPort() { parts.append(ControlAPI.part($0, host: grpcHost, port: port)) }
            return parts
        }
    }

    private func policyChanges() throws -> [PolicyChange] {
        do {
            return try policies.map { try PolicyChange($0, duration: Duration.init(commandLine:)) }
        } catch { throw ValidationError("\(error)") }
    }
}
