public import AMQP
internal import Broker
internal import Foundation
internal import Messaging
public import Model
public import Postgres
internal import Store
internal import Time
internal import Wire

/// A command before it is addressed to sensors.
public struct CommandRequest: Sendable {
    /// The longest validity: RabbitMQ counts it in milliseconds, in 32 bits.
    public static let validityMax: Duration = .seconds(49 * 86_400)

    /// `sleep`, `awake`, `change_sample_frequency` …
    public var name: String
    /// The arguments by name.
    public var arguments: [String: Command.Value]
    /// The user and host that send the command, at most 128 bytes.
    public var issuer: String

    /// A command with those arguments.
    public init(name: String, arguments: [String: Command.Value] = [:], issuer: String) {
        self.name = name
        self.arguments = arguments
        self.issuer = issuer
    }
}

/// The answer that a client waits for after it has published a command.
public enum AckLevel: String, Sendable, CaseIterable {
    /// The result of the execution.
    case done
    /// The sensor's receipt.
    case delivered
    /// No answer: the broker's confirm is enough.
    case none
}

/// The state of a command when the client stopped waiting. `iotctl` prints the raw value.
public enum CommandOutcome: String, Sendable, CaseIterable {
    /// The broker has the command; the client did not wait for more.
    case queued
    /// The sensor has the command; the client did not wait for more.
    case delivered
    /// The sensor executed the command.
    case succeeded
    /// Not sent: too many others failed, or the rollout was interrupted.
    case skipped
    /// Not executed: the command was too old, or its validity ended without an answer.
    case expired
    /// Unknown: no answer, or no final answer, came in time.
    case timedOut = "timed_out"
    /// Not executed: the sensor refused.
    case rejected
    /// The execution failed, or the broker refused the command.
    case failed

    /// The worst of several outcomes: failed, then rejected, timed out, expired, skipped, and the good ones last.
    public static func worst(_ outcomes: some Sequence<CommandOutcome>) -> CommandOutcome? {
        outcomes.max { $0.severity < $1.severity }
    }

    /// The order of the outcomes; 0 is good.
    public var severity: Int {
        switch self {
        case .queued, .delivered, .succeeded: 0
        case .skipped: 1
        case .expired: 2
        case .timedOut: 3
        case .rejected: 4
        case .failed: 5
        }
    }

    /// Whether the outcome counts as a failure of the sensor.
    public var isFailure: Bool { severity > CommandOutcome.skipped.severity }
}

/// The outcome of a command to several sensors.
public struct RolloutReport: Sendable {
    /// The reason why not all sensors were asked, or not all answers were awaited.
    public enum Halt: Sendable {
        /// Too many failed, or the broker did not confirm; in words.
        case stopped(String)
        /// The task was cancelled.
        case interrupted
        /// The connection broke.
        case broken(any Error)
    }

    /// The result of each sensor, in the order of the sensors.
    public var results: [CommandResult]
    /// The number of sensors that were asked: the first ones.
    public var sent: Int
    /// The reason why not all were asked; nil if all were.
    public var halt: Halt?

    /// A report of these results.
    public init(results: [CommandResult], sent: Int, halt: Halt? = nil) {
        self.results = results
        self.sent = sent
        self.halt = halt
    }
}

/// Publishes commands and waits for their answers.
public enum Control {
    /// The most sensors with a binding of their own; with more sensors, the answers of all sensors are read.
    private static let bindingsMax = 200

    /// The most commands in one publish.
    private static let batchMax = 500
    /// The longest time between two calls of `progress`.
    private static let progressInterval: Duration = .milliseconds(200)
    /// The time between two questions whether sensors are offline.
    private static let presenceInterval: Duration = .seconds(1)

    /// An event during a rollout.
    private enum Event: Sendable {
        case tick
        case confirmed(Range<Int>, [PublishOutcome], at: Duration)
        case answers([(sensor: SerialNumber, ack: Ack)], at: Duration)
        case unrecorded(Range<Int>, any Error, at: Duration)
        case offline(Set<String>, at: Duration)
        case broken(any Error)
    }

    /// Asks the same of each sensor as the rules say, and waits for the answers.
    ///
    /// The queue for the answers is bound before the first command leaves, so none is missed. The commands have ids of
    /// their own (UUIDs); each expires so long after its own sending, which is its message's expiration at the broker
    /// too. When the task is cancelled this returns at once with what is known.
    ///
    /// Each command is recorded in `store` before it is published: the registry's own copy expires with the command, and
    /// is lost if the registry is away for that long.
    /// - Parameter progress: is told how it stands, several times a second.
    /// - Throws: `BrokerError` if the connection broke before the broker took a command, `StoreError` if the database
    ///   did not record one before; `NotConfirmed` if the broker took none within the timeout: then do not close the
    ///   connection politely, the broker may not read it.
    public static func send(
        _ request: CommandRequest, to sensors: [SerialNumber], over broker: BrokerConnection,
        recordedIn store: StoreConnection, rules: RolloutRules, progress: (Rollout) -> Void = { _ in }
    ) async throws -> RolloutReport {
        let (events, mailbox) = AsyncStream<Event>.makeStream()
        let start = ContinuousClock.now
        var reader: Task<Void, Never>?
        if rules.waitFor != .none {
            let answers = try await broker.listen(to: answerKeys(sensors))
            reader = Task { await read(answers, from: broker, since: start, into: mailbox) }
        }
        defer {
            reader?.cancel()
            mailbox.finish()
        }
        var rollout = Rollout(sensors, rules)
        var halt: RolloutReport.Halt?
        var turns = events.makeAsyncIterator()
        var presenceAsked = Duration.zero
        while true {
            let now = start.duration(to: .now)
            rollout.pass(now)
            while case let range = rollout.departing(at: now, countMax: batchMax), !range.isEmpty {
                let commands = commands(request, for: sensors[range], validity: rules.validity)
                rollout.depart(commands.map(\.id), at: now)
                let given = zip(commands, sensors[range]).map {
                    Received(serial: $1, received: $0.issued, content: $0)
                }
                publish(
                    given, range, validity: rules.validity, over: broker, recordedIn: store, since: start, into: mailbox
                )
            }
            progress(rollout)
            if rollout.isSettled { break }
            if !rules.waitsForOffline, now - presenceAsked >= presenceInterval {
                presenceAsked = now
                askPresence(of: rollout.silentSensors, store, since: start, into: mailbox)
            }
            let wait = min(Self.progressInterval, (rollout.nextTurn ?? .seconds(60)) - now)
            let alarmClock = Task {
                try await Task.sleep(for: max(wait, .milliseconds(1)))
                mailbox.yield(.tick)
            }
            let event = await turns.next()
            alarmClock.cancel()
            switch event {
            case .tick: break
            case .confirmed(let range, let outcomes, let at):
                for (position, outcome) in zip(range, outcomes) { rollout.note(outcome, at: position, now: at) }
            case .answers(let answers, let at):
                for answer in answers { rollout.note(answer.ack, from: answer.sensor, now: at) }
            case .unrecorded(let range, let error, let at):
                if rollout.confirmed == 0 { throw error }
                halt = .broken(error)
                for position in range { rollout.noteUnrecorded(position, now: at) }
                rollout.breakOff("the database does not record commands", at: start.duration(to: .now))
            case .offline(let serials, let at): rollout.noteOffline(serials, now: at)
            case .broken(let error):
                if rollout.confirmed == 0 { throw error }
                halt = .broken(error)
                rollout.breakOff("the connection to the broker broke", at: start.duration(to: .now))
            case nil:
                halt = .interrupted
                rollout.breakOff("interrupted", at: start.duration(to: .now))
            }
        }
        if halt == nil, rollout.confirmed == 0, rollout.sent > 0 {
            throw NotConfirmed(within: rules.timeout, blocked: await broker.blockedReason)
        }
        return RolloutReport(
            results: rollout.results, sent: rollout.sent, halt: halt ?? rollout.halt.map { .stopped($0) })
    }

    private static func read(
        _ answers: BrokerConnection.Consumer, from broker: BrokerConnection, since start: ContinuousClock.Instant,
        into mailbox: AsyncStream<Event>.Continuation
    ) async {
        do {
            while !Task.isCancelled {
                let deliveries = try await broker.nextBatch(answers, upTo: 1000)
                let at = start.duration(to: .now)
                let acks = deliveries.compactMap { delivery -> (sensor: SerialNumber, ack: Ack)? in
                    // The registry quarantines messages that are not answers.
                    guard let (sensor, _) = try? Routing.parse(key: delivery.key),
                        let ack = unsafe try? AckCodec.decode(delivery.body.span.bytes)
                    else { return nil }
                    return (sensor, ack)
                }
                mailbox.yield(.answers(acks, at: at))
            }
        } catch { mailbox.yield(.broken(error)) }
    }

    /// Records commands, and then publishes them.
    ///
    /// A broker that blocks publishers sends no answer, and a publish can't be cancelled: it continues without a caller.
    private static func publish(
        _ given: [Received<Command>], _ range: Range<Int>, validity: Duration, over broker: BrokerConnection,
        recordedIn store: StoreConnection, since start: ContinuousClock.Instant,
        into mailbox: AsyncStream<Event>.Continuation
    ) {
        Task {
            do { try await store.record(given.map { .command($0) }) } catch {
                mailbox.yield(.unrecorded(range, error, at: start.duration(to: .now)))
                return
            }
            do {
                let outcomes = try await broker.publish(
                    given.map { message($0.content, for: $0.serial, validity: validity) })
                mailbox.yield(.confirmed(range, outcomes, at: start.duration(to: .now)))
                let refused = zip(given, outcomes).filter { $0.1 != .confirmed }.map(\.0.content.id)
                // Without the database they stay open until they expire.
                if !refused.isEmpty { _ = try? await store.cancelCommands(refused, reason: notTaken) }
            } catch { mailbox.yield(.broken(error)) }
        }
    }

    /// Asks which sensors are offline. Without the database their answers are waited for until the timeout.
    private static func askPresence(
        of sensors: [SerialNumber], _ store: StoreConnection, since start: ContinuousClock.Instant,
        into mailbox: AsyncStream<Event>.Continuation
    ) {
        if sensors.isEmpty { return }
        Task {
            guard let absent = try? await store.absentSensors(among: sensors.map(\.text)) else { return }
            let offline = Set(absent.filter { $0.presence == .offline }.map(\.serial))
            mailbox.yield(.offline(offline, at: start.duration(to: .now)))
        }
    }

    /// The reason in the record of a command that the broker did not accept.
    private static let notTaken = "not sent: the broker did not take it"

    private static func answerKeys(_ sensors: [SerialNumber]) -> [String] {
        sensors.count > bindingsMax ? ["*.acks"] : sensors.map { Routing.key($0, .acks) }
    }

    private static func commands(
        _ request: CommandRequest, for sensors: ArraySlice<SerialNumber>, validity: Duration
    ) -> [Command] {
        let issued = Timestamp.now
        let expires = issued.advanced(byNanoseconds: validity.nanoseconds)
        return sensors.map { _ in
            Command(
                id: UUID().uuidString.lowercased(), name: request.name, arguments: request.arguments, issued: issued,
                expires: expires, issuer: request.issuer)
        }
    }

    private static func message(_ command: Command, for sensor: SerialNumber, validity: Duration) -> OutgoingMessage {
        OutgoingMessage(
            exchange: Routing.exchange, key: Routing.key(sensor, .command(command.name)),
            body: CommandCodec.encode(command), expirationMilliseconds: validity.nanoseconds / 1_000_000)
    }
}
