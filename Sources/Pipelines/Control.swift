public import Broker
internal import Foundation
public import Sensors
internal import Wire

/// What sensors are asked to do.
public struct CommandRequest: Sendable {
    /// The longest validity: what fits RabbitMQ's 32 bits of milliseconds.
    public static let validityMax: Duration = .seconds(49 * 86_400)

    /// `sleep`, `awake`, `change_sample_frequency` …
    public var name: String
    /// By name.
    public var arguments: [String: Command.Value]
    /// Who asks, at most 128 bytes.
    public var issuer: String

    /// That command.
    public init(name: String, arguments: [String: Command.Value] = [:], issuer: String) {
        self.name = name
        self.arguments = arguments
        self.issuer = issuer
    }
}

/// What to wait for after a command was published.
public enum AckPatience: String, Sendable, CaseIterable {
    /// That it was run, or why not.
    case done
    /// That the sensor has it.
    case delivered
    /// Nothing: the broker has it.
    case none
}

/// How far a command came while somebody waited. The raw value is what `iotctl` prints.
public enum CommandOutcome: String, Sendable, CaseIterable {
    /// The broker has it; nobody waited for more.
    case queued
    /// The sensor has it; nobody waited for more.
    case delivered
    /// Run.
    case succeeded
    /// Not sent: too many others failed, or somebody interrupted.
    case skipped
    /// Not run: it was too old, or its time passed without any answer.
    case expired
    /// Not known: no answer, or no final one, came in time.
    case timedOut = "timed_out"
    /// Not run: the sensor refused.
    case rejected
    /// Tried in vain, or refused by the broker.
    case failed

    /// The worst of several, which speaks for all: failed, then rejected, timed out, expired, skipped, and the good ones
    /// last.
    public static func worst(_ outcomes: some Sequence<CommandOutcome>) -> CommandOutcome? {
        outcomes.max { $0.gravity < $1.gravity }
    }

    /// How bad it is: 0 is good.
    public var gravity: Int {
        switch self {
        case .queued, .delivered, .succeeded: 0
        case .skipped: 1
        case .expired: 2
        case .timedOut: 3
        case .rejected: 4
        case .failed: 5
        }
    }

    /// Whether it counts as a failure of the sensor that was asked.
    public var isFailure: Bool { gravity > CommandOutcome.skipped.gravity }
}

/// What became of a command to several sensors.
public struct RolloutReport: Sendable {
    /// Why not all were asked, or not all answers waited for.
    public enum Halt: Sendable {
        /// Too many failed, or the broker did not confirm; in words.
        case stopped(String)
        /// The task was cancelled.
        case interrupted
        /// The connection broke.
        case broken(any Error)
    }

    /// One for each sensor, in their order.
    public var results: [CommandResult]
    /// How many were asked: the first ones.
    public var sent: Int
    /// Why not all; nil if all were.
    public var halt: Halt?
}

/// Publishes commands and waits for their answers (design §5).
public enum Control {
    /// The broker did not confirm in time.
    public struct NotConfirmed: Error, CustomStringConvertible {
        /// Why, if the broker said so.
        public let description: String
    }

    /// Most sensors whose answers are asked for one by one; above it all answers are, and others' are passed over.
    private static let bindingsMax = 200

    /// Most commands in one publish.
    private static let batchMax = 500
    /// How often at least `progress` is told.
    private static let progressInterval: Duration = .milliseconds(200)

    /// What happens while a command is on its way to many.
    private enum Event: Sendable {
        case tick
        case confirmed(Range<Int>, [PublishOutcome], at: Duration)
        case answers([(sensor: SerialNumber, ack: Ack)], at: Duration)
        case broken(any Error)
    }

    /// Asks the same of each sensor as the rules say, and waits for the answers.
    ///
    /// The queue for the answers is bound before the first command leaves, so none is missed. The commands have ids of
    /// their own (UUIDs); each expires so long after its own sending, which is its message's expiration at the broker
    /// too. When the task is cancelled this returns at once with what is known.
    /// - Parameter progress: is told how it stands, several times a second.
    /// - Throws: `BrokerError` if the connection broke before the broker took a command; `NotConfirmed` if it took none
    ///   within the timeout: then do not close the connection politely, the broker may not read it.
    public static func send(
        _ request: CommandRequest, to sensors: [SerialNumber], over broker: BrokerConnection, rules: RolloutRules,
        progress: (Rollout) -> Void = { _ in }
    ) async throws -> RolloutReport {
        let (events, mailbox) = AsyncStream<Event>.makeStream()
        let start = ContinuousClock.now
        var reader: Task<Void, Never>?
        if rules.patience != .none {
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
        while true {
            let now = start.duration(to: .now)
            rollout.pass(now)
            while case let range = rollout.departing(at: now, countMax: batchMax), !range.isEmpty {
                let commands = commands(request, for: sensors[range], validity: rules.validity)
                rollout.depart(commands.map(\.id), at: now)
                let messages = zip(commands, sensors[range]).map { message($0, for: $1, validity: rules.validity) }
                publish(messages, range, over: broker, since: start, into: mailbox)
            }
            progress(rollout)
            if rollout.isSettled { break }
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
            let reason = await broker.blockedReason.map { "it takes no publishes now (\($0))" } ?? "no answer"
            throw NotConfirmed(description: "the broker confirmed nothing within \(rules.timeout): \(reason)")
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
                    // What is no answer is the registry's business.
                    guard let (sensor, _) = try? Routing.parse(key: delivery.key),
                        let ack = unsafe try? AckCodec.decode(delivery.body.span.bytes)
                    else { return nil }
                    return (sensor, ack)
                }
                mailbox.yield(.answers(acks, at: at))
            }
        } catch { mailbox.yield(.broken(error)) }
    }

    /// A broker that blocks publishers answers nothing, and a publish can't be called back: it is left to itself.
    private static func publish(
        _ messages: [OutgoingMessage], _ range: Range<Int>, over broker: BrokerConnection,
        since start: ContinuousClock.Instant, into mailbox: AsyncStream<Event>.Continuation
    ) {
        Task {
            do {
                let outcomes = try await broker.publish(messages)
                mailbox.yield(.confirmed(range, outcomes, at: start.duration(to: .now)))
            } catch { mailbox.yield(.broken(error)) }
        }
    }

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

    /// Publishes, and waits at most `timeout` for the confirms.
    ///
    /// A broker that blocks publishers answers nothing, and a publish can't be called back: it is left to itself.
    /// - Throws: `BrokerError`, or `NotConfirmed`.
    static func publish(
        _ messages: [OutgoingMessage], over broker: BrokerConnection, within timeout: Duration
    ) async throws -> [PublishOutcome] {
        do {
            return try await Pipelines.within(timeout) { try await broker.publish(messages) }
        } catch let error where error is TimedOut || error is CancellationError {}
        let reason = await broker.blockedReason.map { "it takes no publishes now (\($0))" } ?? "no answer"
        throw NotConfirmed(description: "the broker confirmed nothing within \(timeout): \(reason)")
    }
}

extension BrokerConnection {
    /// Reads what is published from now on, through a queue of our own that goes with the connection.
    /// - Parameters:
    ///   - keys: patterns of routing keys on the exchange `sensor_streaming`.
    ///   - lengthMax: most messages that wait at the broker; above it the oldest are dropped.
    /// - Throws: `BrokerError`; `rejected` with 404 if there is no such exchange.
    public func listen(to keys: [String], lengthMax: Int64 = 100_000) throws -> Consumer {
        let queue = try declare(Topology.Queue(name: "", kind: .classic, exclusive: true, lengthMax: lengthMax))
        let bindings = keys.map {
            Topology.Binding(source: Routing.exchange, destination: .queue(queue), key: $0)
        }
        try declare(Topology(exchanges: [], queues: [], bindings: bindings))
        return try consume(ConsumerOptions(queue: queue, prefetch: 1000, noAck: true))
    }
}

extension Duration {
    /// Whole nanoseconds, stopping at the ends of `Int64`.
    fileprivate var nanoseconds: Int64 {
        let (product, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowToo) = product.addingReportingOverflow(components.attoseconds / 1_000_000_000)
        return overflow || overflowToo ? (components.seconds < 0 ? .min : .max) : sum
    }
}
