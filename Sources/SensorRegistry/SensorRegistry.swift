import ArgumentParser
import Foundation
import Pipelines
import Sensors

/// Keeps what is known of sensors, their commands and alarms, and the schema of the database.
@main
struct SensorRegistry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor-registry",
        abstract: "Applies the schema, keeps sensors, channels, commands and alarms, and what no queue wanted.",
        discussion: """
            Environment: AMQP_URL, DATABASE_URL (or AMQP_URL_FILE, DATABASE_URL_FILE), and optionally MANAGEMENT_URL
            (or MANAGEMENT_URL_FILE), http://user:password@host:15672 of a user with the tag administrator: then the
            streams give way, the oldest data first, before a full disk makes the broker block commands and alarms.
            DATABASE_DISK is a folder on the database's volume, or the volume's size, 200GB: then it is known when the
            disk will be full. POLICIES is measurement=30d,sensor_log=7d,measurement.columnstore=1d, as --policy.
            """)

    @OptionGroup var options: ServiceOptions

    @Option(help: "How many streams share the measurements, 1…64; fixed at the first start [default there: 4].")
    var partitions: Int?

    @Option(help: "How often the broker's free disk is looked at, 1s…1h; every third time the streams' backlogs too.")
    var guardInterval = Register.guardIntervalDefault

    @Option(
        name: .customLong("policy"),
        help: """
            How long what is kept, like measurement=30d or measurement_1d=forever, or at which age it is compressed, \
            like measurement.columnstore=2d (community edition); may be repeated. What is not said here stays as \
            iotctl set policies made it [env: POLICIES, with commas].
            """)
    var policies: [String] =
        ProcessInfo.processInfo.environment["POLICIES"]?.split(separator: ",").map(String.init) ?? []

    @Flag(help: "Apply the schema as soon as the database answers, and end: the first step of an upgrade.")
    var migrateOnly = false

    func validate() throws {
        _ = try policyChanges()
        guard (.seconds(1) ... .seconds(3600)).contains(guardInterval) else {
            throw ValidationError("--guard-interval is 1s…1h")
        }
        guard partitions.map((1...64).contains) != false else { throw ValidationError("--partitions is 1…64") }
    }

    func run() async throws {
        if migrateOnly {
            return try await Run.service(
                "sensor-registry", options: options, waitingFor: ["database"], endsByItself: true
            ) { Register.migration($0, partitions: partitions) }
        }
        try await Run.service("sensor-registry", options: options, waitingFor: ["broker", "database"]) {
            Register.parts(
                $0, partitions: partitions, guardInterval: guardInterval, policies: try policyChanges())
        }
    }

    private func policyChanges() throws -> [PolicyChange] {
        do {
            return try policies.map { try PolicyChange($0, duration: Duration.init(commandLine:)) }
        } catch { throw ValidationError("\(error)") }
    }
}
