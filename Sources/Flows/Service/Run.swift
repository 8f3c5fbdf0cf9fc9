public import AMQP
internal import ArgumentParser
internal import Foundation
public import Logging
public import Postgres
public import ServiceLifecycle
internal import Support
internal import UnixSignals

/// Settings, logger, readiness and metrics of a service.
public struct Runtime: Sendable {
    /// The addresses of the servers.
    public var settings: Settings
    /// The service's logger.
    public var logger: Logger
    /// The state that `/readyz` reports.
    public var readiness: Readiness
    /// The metrics that `/metrics` reports.
    public var metrics: Metrics

    /// Opens a connection to the broker, and sets the readiness of a part of the service accordingly.
    /// - Parameter part: a part that works only over this connection; by default one that is ready while any connection
    ///   is.
    public func openBroker(_ purpose: String, part: String = "broker") async throws -> BrokerConnection {
        do {
            let connection = try await connectBroker(purpose)
            readiness.ready(part)
            return connection
        } catch {
            readiness.notReady(part, "\(error)")
            throw error
        }
    }

    /// Opens a connection to the broker that is needed only occasionally: readiness does not depend on it.
    ///
    /// A lookup of the broker's name can't be cancelled, and may take long while the broker is down: a cancelled caller
    /// does not wait for it.
    /// - Throws: `BrokerError`, `TimedOut`, `CancellationError`.
    public func connectBroker(_ purpose: String) async throws -> BrokerConnection {
        try await within(Self.connectMax) { [settings, logger] in
            try await BrokerConnection.open(settings.broker, name: "\(logger.label) \(purpose)")
        }
    }

    /// How long connecting to the broker may take, including the lookup of its name.
    private static let connectMax: Duration = .seconds(60)

    /// Creates a connection to the database, which connects on first use.
    public func openStore(_ purpose: String) -> StoreConnection {
        StoreConnection(settings.database, applicationName: "\(logger.label) \(purpose)")
    }

    /// Repeats `work` until it succeeds or the task is cancelled, with growing pauses.
    ///
    /// An error is logged when its text changes, and once a minute while it persists.
    /// - Returns: nil if the task was cancelled.
    public func retrying<Result>(
        _ what: String, part: String, while isWorthIt: (any Error) -> Bool = { _ in true },
        _ work: () async throws -> Result
    ) async throws -> Result? {
        var backoff = Backoff()
        var lastText = ""
        var lastLogged = ContinuousClock.now
        while !Task.isCancelled {
            let begin = ContinuousClock.now
            do {
                let result = try await work()
                readiness.ready(part)
                if !lastText.isEmpty { logger.info("\(what): works again") }
                return result
            } catch {
                guard isWorthIt(error), !(error is CancellationError) else { throw error }
                let text = "\(error)"
                readiness.notReady(part, text)
                if text != lastText || lastLogged.duration(to: .now) > .seconds(60) {
                    logger.warning("\(what): \(text); trying again")
                    lastLogged = .now
                }
                lastText = text
                if begin.duration(to: .now) > .seconds(10) { backoff.reset() }
                try? await Task.sleep(for: backoff.next())
            }
        }
        return nil
    }
}

/// A part of a service, which works until a graceful shutdown.
public struct Component: Service {
    private let work: @Sendable () async throws -> Void

    /// A part that runs `work`, whose task is cancelled at a graceful shutdown: it finishes its current step, and
    /// returns.
    public init(_ work: @escaping @Sendable () async throws -> Void) { self.work = work }

    /// Runs until a graceful shutdown, or until the work ends by itself.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [work] in try await work() }
                group.addTask { try await gracefulShutdown() }
                do { try await group.next() } catch is CancellationError {}
                group.cancelAll()
                do { try await group.waitForAll() } catch is CancellationError {}
            }
        } onGracefulShutdown: {
        }
    }
}

/// Ends the process if the shutdown takes too long: unfinished work has not been committed, and will be read again.
private struct ShutdownDeadline: Service {
    private static let seconds = 5.0
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        Thread.detachNewThread { [logger] in
            Thread.sleep(forTimeInterval: Self.seconds)
            logger.critical("not ended within \(Self.seconds) s of the signal")
            _exit(1)
        }
    }
}

/// Runs a service from its options to its end.
public enum Run {
    /// Runs `parts` with health and metrics until SIGTERM or SIGINT; then gives them 5 s to finish their current steps.
    ///
    /// - Parameters:
    ///   - waitingFor: the parts that must work before `/readyz` reports ready.
    ///   - endsByItself: whether the service ends when its first part ends.
    public static func service(
        _ name: String, options: ServiceOptions, waitingFor: [String], endsByItself: Bool = false,
        _ parts: (Runtime) throws -> [Component]
    ) async throws {
        Logs.bootstrap(level: options.level)
        let logger = Logger(label: name)
        let settings: Settings
        do { settings = try Settings() } catch {
            logger.critical("\(error)")
            throw ExitStatus.usage
        }
        let context = Runtime(
            settings: settings, logger: logger, readiness: Readiness(waitingFor: waitingFor), metrics: .shared)
        let health = HealthServer(port: options.httpPort, readiness: context.readiness, logger: logger)
        let services =
            try [ServiceGroupConfiguration.ServiceConfiguration(service: health)]
            + parts(context).map {
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: $0, successTerminationBehavior: endsByItself ? .gracefullyShutdownGroup : .cancelGroup)
            }
            // The last service is shut down first; each of the others after those behind it have ended.
            + [ServiceGroupConfiguration.ServiceConfiguration(service: ShutdownDeadline(logger: logger))]
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(6)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let status as ExitCode {
            throw status
        } catch {
            logger.critical("\(error)")
            throw ExitStatus.failed
        }
        logger.info("ended")
    }
}
