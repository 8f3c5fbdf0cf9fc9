internal import ArgumentParser
internal import Diagnosis
internal import Records
internal import Service

/// `iotctl doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks broker, database and services, and says how to fix what it finds.",
        discussion: """
            Examples:
              iotctl doctor
              iotctl doctor -v
              iotctl doctor --timeout 2s
              iotctl doctor -o json | jq -r '.findings[] | select(.result != "ok") | .fix'

            Each cause is shown once, with its fix. The checks that could not be made
            because of it are counted, and -v lists them.

            Exit codes: 0 no problem (there may be warnings); 1 a problem; 69 neither
            broker nor database can be reached.

            It changes nothing. With MANAGEMENT_URL (RabbitMQ's management API) it also
            checks bindings, policies, permissions, retention, listeners and the
            broker's disk.
            """)

    @Option(help: "Timeout of each answer; a missing answer is a finding.")
    var timeout = Duration.seconds(5)

    @Flag(name: .shortAndLong, help: "List every check.")
    var verbose = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard timeout > .zero, timeout <= .seconds(300) else {
            throw ValidationError("--timeout must be more than 0 and at most 5m")
        }
    }

    /// Runs the checks and prints the findings.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            Talk.sayOnTerminal("checking \(connections.settings.broker) and \(connections.settings.database)")
            let diagnosis = await Doctor.examine(connections.settings, unset: connections.unset, within: timeout)
            try output.show(DiagnosisView(diagnosis)) { wide, style in
                DoctorText(diagnosis: diagnosis, style: style).text(all: verbose || wide)
            }
            let summary = DoctorText.summary(diagnosis)
            guard diagnosis.isAnybodyThere else {
                throw Failure(ExitStatus.unavailable, "neither broker nor database can be reached")
            }
            guard diagnosis.isHealthy else { throw Failure(ExitStatus.failed, summary) }
            Talk.sayOnTerminal(summary)
        }
    }
}
