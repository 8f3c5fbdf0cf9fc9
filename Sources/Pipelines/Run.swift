internal import ArgumentParser
public import Broker
internal import Foundation
public import Logging
internal import Sensors
public import ServiceLifecycle
public import Store
public import Telemetry
internal import UnixSignals

/// What every service is made of.
public struct ServiceContext: Sendable {
    /// Where the servers are.
    public var settings: Settings
    /// The service's own log.
    public var logger: Logger
    /// What `/readyz` answers.
    public var readiness: Readiness
    /// What `/metrics` answers.
    public var metrics: Metrics

    /// Opens a connection to the broker, and says of a part of the service whether that works.
    /// - Parameter part: one that works on and on by this connection; by default what is ready while any of them is.
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

    /// Opens a connection to the broker that is needed only now and then: readiness does not hang on it.
    ///
    /// A lookup of the broker's name can't be called back, and may take long while the broker is away: whoever is
    /// cancelled doesn't wait for it.
    /// - Throws: `BrokerError`, `TimedOut`, `CancellationError`.
    func connectBroker(_ purpose: String) async throws -> BrokerConnection {
        try await within(Self.connectMax) { [settings, logger] in
            try await BrokerConnection.open(settings.broker, name: "\(logger.label) \(purpose)")
        }
    }

    /// How long connecting to the broker may take, its name's lookup included.
    private static let connectMax: Duration = .seconds(60)

    /// A connection to the database, which connects when it is first used.
    public func openStore(_ purpose: String) -> StoreConnection {
        StoreConnection(url: settings.databaseURL, applicationName: "\(logger.label) \(purpose)")
    }

    /// Does `work` again and again until it succeeds or the task is cancelled, with growing waits in between.
    ///
    /// What went wrong is logged when it changes, and once a minute while it stays.
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

/// A part of a service: a name and what it does until it is told to stop.
public struct Part: Service {
    private let work: @Sendable () async throws -> Void

    /// Runs `work`, whose task is cancelled at a graceful shutdown: it ends what it has begun, and returns.
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

/// Ends the process if it has not ended by itself in time: whatever hangs then has not been committed, and will be
/// read again.
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
    /// Runs `parts` with health and metrics until SIGTERM or SIGINT; then gives them 5 s to end what they have begun.
    ///
    /// - Parameters:
    ///   - waitingFor: what must work before `/readyz` says so.
    ///   - endsByItself: whether the service ends when the first part does.
    public static func service(
        _ name: String, options: ServiceOptions, waitingFor: [String], endsByItself: Bool = false,
        _ parts: (ServiceContext) throws -> [Part]
    ) async throws {
        Logs.bootstrap(level: options.level)
        let logger = Logger(label: name)
        let settings: Settings
        do { settings = try Settings() } catch {
            logger.critical("\(error)")
            throw ExitStatus.usage
        }
        let context = ServiceContext(
            settings: settings, logger: logger, readiness: Readiness(waitingFor: waitingFor), metrics: .shared)
        let health = HealthServer(port: options.httpPort, readiness: context.readiness, logger: logger)
        let services =
            try [ServiceGroupConfiguration.ServiceConfiguration(service: health)]
            + parts(context).map {
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: $0, successTerminationBehavior: endsByItself ? .gracefullyShutdownGroup : .cancelGroup)
            }
            // The last is told of the signal first, and the others one by one when those behind them have ended.
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
