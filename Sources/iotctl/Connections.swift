internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
internal import Store

/// Something that ends the program: what to say on stderr, and the exit code.
struct Failure: Error {
    /// The exit code.
    var status: ExitCode
    /// One line each.
    var lines: [String]

    /// That code, for that reason.
    init(_ status: ExitCode, _ lines: String...) {
        self.status = status
        self.lines = lines
    }

    /// What an error of the libraries means to the user; nil for errors that are none of theirs.
    init?(explaining error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as BrokerError: self = Self.broker(error)
        case let error as StoreError: self = Self.store(error)
        case let error as Control.NotConfirmed: self.init(ExitStatus.unavailable, error.description)
        case let error as Settings.Invalid: self.init(ExitStatus.usage, error.description)
        default: return nil
        }
    }

    private static func broker(_ error: BrokerError) -> Failure {
        switch error {
        case .unreachable, .refused, .lost: Failure(ExitStatus.unavailable, "broker: \(error)")
        case .rejected(_, 404, _):
            Failure(ExitStatus.failed, "broker: \(error)", "sensor-registry makes what is missing there: does it run?")
        case .rejected, .cancelled: Failure(ExitStatus.failed, "broker: \(error)")
        }
    }

    private static func store(_ error: StoreError) -> Failure {
        switch error {
        case .unreachable, .refused, .lost: Failure(ExitStatus.unavailable, "database: \(error)")
        case .failed(_, "42P01", let message), .failed(_, "42703", let message):
            Failure(
                ExitStatus.unavailable,
                "database: \(Connections.databasePlace): not our tables (\(message.prefix { $0 != ";" })): is it the "
                    + "right database, and has sensor-registry made them?")
        case .failed, .unexpected: Failure(ExitStatus.failed, "database: \(error)")
        }
    }
}

/// The way to the servers: from the environment, else from the chosen context, else the usual places on this machine.
struct Connections {
    /// The context that `--context` names.
    @TaskLocal static var chosenContext: String?

    /// Where the servers are.
    let settings: Settings

    /// Reads the environment and the contexts.
    /// - Throws: `Settings.Invalid`, or `Failure` if there is no such context or its file can't be used.
    init() throws {
        let environment = ProcessInfo.processInfo.environment
        let choice = try ContextChoice(of: Self.chosenContext, environment, try ContextFile.standard.read())
        settings = try Settings(environment: choice.environment)
    }

    /// Which database it is, without the password.
    static var databasePlace: String {
        guard let url = try? Connections().settings.databaseURL, var parts = URLComponents(string: url),
            parts.host != nil
        else { return "DATABASE_URL" }
        parts.password = nil
        parts.query = nil
        return parts.string ?? "DATABASE_URL"
    }

    /// A connection to the broker.
    func broker() async throws -> BrokerConnection {
        try await BrokerConnection.open(settings.broker, name: "iotctl")
    }

    /// A connection to the database, which connects when it is first used.
    func store() -> StoreConnection { StoreConnection(url: settings.databaseURL, applicationName: "iotctl") }
}

extension AsyncParsableCommand {
    /// Does the work of a command; what goes wrong is said on stderr and becomes the exit code.
    func perform(_ work: () async throws -> Void) async throws {
        do { try await work() } catch {
            guard let failure = Failure(explaining: error) else { throw error }
            for line in failure.lines { Talk.say(line) }
            throw failure.status
        }
    }
}

extension StoreConnection {
    /// Makes sure that there are sensors of those serials.
    /// - Returns: the serials, each once, in the order given.
    /// - Throws: `Failure` with `notFound`, naming what may have been meant.
    func require(_ serials: [String]) async throws -> [String] {
        let known = try knownSerials(among: serials)
        let unknown = serials.filter { !known.contains($0) }
        if !unknown.isEmpty { throw try await notFound(unknown) }
        var seen: Set<String> = []
        return serials.filter { seen.insert($0).inserted }
    }

    /// What to say of sensors that there are not.
    func notFound(_ unknown: [String]) async throws -> Failure {
        let names = try serials()
        var failure = Failure(ExitStatus.notFound)
        failure.lines = unknown.map { word in
            let proposals = DidYouMean.proposals(for: word, among: names)
            let hint = proposals.isEmpty ? "" : "; did you mean \(proposals.joined(separator: " or "))?"
            return "no sensor \(word)\(hint)"
        }
        return failure
    }
}
