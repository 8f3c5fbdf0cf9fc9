import ArgumentParser
import Ingest
import Service

/// Stores the frames of sensors, and raises alarms for values outside their limits.
@main
struct MeasurementsIngester: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measurements-ingester",
        abstract: "Stores the frames of sensors in the hypertable measurement, exactly once, and raises alarms.",
        discussion: """
            Up to one replica for each partition can run; they share the partitions. \
            Environment: AMQP_URL, DATABASE_URL (or AMQP_URL_FILE, DATABASE_URL_FILE).
            """)

    static func main() async { await Launch.run(Self.self) }

    @OptionGroup var options: ServiceOptions

    @Option(help: "Unique name of this replica [default: host name and process id].")
    var replica: String?

    func run() async throws {
        try await Run.service("measurements-ingester", options: options, waitingFor: ["broker", "database"]) {
            IngestMeasurements.parts($0, replica: replica)
        }
    }
}
