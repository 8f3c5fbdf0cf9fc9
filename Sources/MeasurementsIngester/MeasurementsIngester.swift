import ArgumentParser
import Pipelines

/// Stores what sensors measure, and says when a value leaves its limits.
@main
struct MeasurementsIngester: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measurements-ingester",
        abstract: "Stores the frames of sensors in the hypertable measurement, exactly once, and raises alarms.",
        discussion: """
            Start as many as there are partitions: they share them. \
            Environment: AMQP_URL, DATABASE_URL (or AMQP_URL_FILE, DATABASE_URL_FILE).
            """)

    @OptionGroup var options: ServiceOptions

    @Option(help: "Name of this replica, unlike any other's [default: host name and process id].")
    var replica: String?

    func run() async throws {
        try await Run.service("measurements-ingester", options: options, waitingFor: ["broker", "database"]) {
            IngestMeasurements.parts($0, replica: replica)
        }
    }
}
