internal import AMQP
internal import ArgumentParser
internal import Broker
internal import Endpoint
internal import Foundation
internal import Messaging
internal import Postgres
internal import Service
internal import Store

/// An error that ends the program: its lines on stderr, and the exit code.
struct Failure: Error {
    var status: ExitCode
    /// Lines for standard error.
    var lines: [String]

    /// A failure with that exit code and those lines.
    init(_ status: ExitCode, _ lines: String...) {
        self.status = status
        self.lines = lines
    }

    /// The meaning of a library's error to the user; nil for any other error.
    init?(explaining error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as BrokerError: self = Self.broker(error)
        case let error as StoreError: self = Self.store(error)
        case let error as NotConfirmed:
            self.init(error.isBlocked ? ExitStatus.unavailable : ExitStatus.timedOut, error.description)
        case let error as Settings.Invalid: self.init(ExitStatus.usage, error.description)
        case let error as StandardOutput.Unwritable: self.init(ExitStatus.failed, error.description)
        default: return nil
        }
    }

    private static func broker(_ error: BrokerError) -> Failure {
        switch error {
        case .unreachable, .lost, .undeliverable: Failure(ExitStatus.unavailable, "broker: \(error)")
        case .refused, .rejected(_, 403, _): Failure(ExitStatus.refused, "broker: \(error)")
        case .rejected(_, 404, _):
            Failure(
                ExitStatus.failed, "broker: \(error)",
                "sensor-registry declares the exchanges and queues; is it running?")
        case .rejected, .cancelled: Failure(ExitStatus.failed, "broker: \(error)")
        }
    }

    private static func store(_ error: StoreError) -> Failure {
        switch error {
        case .unreachable, .lost: Failure(ExitStatus.unavailable, "database: \(error)")
        case .refused, .failed(_, "42501", _): Failure(ExitStatus.refused, "database: \(error)")
        case .failed(_, "42P01", let message), .failed(_, "42703", let message):
            Failure(
                ExitStatus.unavailable,
                "database: \(database): the tables are missing or have another schema "
                    + "(\(message.prefix { $0 != ";" })); check DATABASE_URL, and that sensor-registry has started once"
            )
        case .failed, .unexpected, .missingColumn, .undecodable: Failure(ExitStatus.failed, "database: \(error)")
        }
    }

    /// The database that the command used, without its password.
    private static var database: String {
        (try? Connections(isQuiet: true)).map { "\($0.settings.database)" } ?? "DATABASE_URL"
    }
}

/// The servers that `ContextChoice` selects.
struct Connections {
    /// The context that `--context` names.
    @TaskLocal static var chosenContext: String?

    /// The addresses of the servers.
    let settings: Settings
    private let choice: ContextChoice

    /// Reads the environment and the contexts.
    /// - Parameter isQuiet: whether notices about overridden URLs are not printed.
    /// - Throws: `Settings.Invalid`, or `Failure` if there is no such context or its file can't be used.
    init(isQuiet: Bool = false) throws {
        let environment = ProcessInfo.processInfo.environment
        choice = try ContextChoice(of: Self.chosenContext, environment, try ContextFile.standard.read())
        if !isQuiet { for notice in choice.notices { Talk.say(notice) } }
        settings = try Settings(environment: choice.environment)
    }

    /// The same, for a command that changes something: names the installation on stderr, unless it is the default one of
    /// this machine.
    /// - Parameter isDry: whether nothing is changed; then nothing is printed.
    func acting(unless isDry: Bool = false) -> Connections {
        if !isDry, let notice = choice.notice(broker: settings.broker.place, database: settings.database.place) {
            Talk.say(notice)
        }
        return self
    }

    /// The variables with addresses that are set neither in the environment nor by a context.
    var unset: Set<String> { Set(choice.sources.filter { $0.value == .standard }.keys) }

    /// A connection to the broker.
    func broker() async throws -> BrokerConnection {
        try await BrokerConnection.open(settings.broker, name: "iotctl")
    }

    /// A connection to the database, which connects when it is first used.
    func store() -> StoreConnection { StoreConnection(settings.database, applicationName: "iotctl") }
}

extension AsyncParsableCommand {
    /// Does the work of a command. An error is printed on stderr and becomes the exit code.
    func perform(_ work: () async throws -> Void) async throws {
        do { try await work() } catch {
            guard let failure = Failure(explaining: error) else { throw error }
            for line in failure.lines { Talk.say(line) }
            throw failure.status
        }
    }
}
