import ArgumentParser
import Ingest
import Service

/// Stores the log lines of sensors.
@main
struct LogsIngester: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs-ingester", abstract: "Stores the log lines of sensors in the hypertable sensor_log.",
        discussion: "Environment: AMQP_URL, DATABASE_URL (or AMQP_URL_FILE, DATABASE_URL_FILE).")

    static func main() async { await Launch.run(Self.self) }

    @OptionGroup var options: ServiceOptions

    func run() async throws {
        try await Run.service("logs-ingester", options: options, waitingFor: ["broker", "database"]) {
            IngestLogs.parts($0)
        }
    }
}
