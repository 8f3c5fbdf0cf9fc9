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
    /// For how long it may be run, and how long the broker keeps it for a sensor that is away.
    public var validity: Duration
    /// Who asks, at most 128 bytes.
    public var issuer: String

    /// That command, valid for so long.
    public init(name: String, arguments: [String: Command.Value] = [:], validity: Duration, issuer: String) {
        self.name = name
        self.arguments = arguments
        self.validity = validity
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
    /// Not run: it was too old, or its time passed without any answer.
    case expired
    /// Not known: no answer, or no final one, came in time.
    case timedOut = "timed_out"
    /// Not run: the sensor refused.
    case rejected
    /// Tried in vain, or refused by the broker.
    case failed

    /// The worst of several, which speaks for all: failed, then rejected, timed out, expired, and the good ones last.
    public static func worst(_ outcomes: some Sequence<CommandOutcome>) -> CommandOutcome? {
        outcomes.max { $0.gravity < $1.gravity }
    }

    private var gravity: Int {
        switch self {
        case .queued, .delivered, .succeeded: 0
        case .expired: 1
        case .timedOut: 2
        case .rejected: 3
        case .failed: 4
        }
    }
}

/// What became of one command.
public struct CommandResult: Sendable, Equatable {
    /// The command's id.
    public var id: String
    /// The sensor it was for.
    public var sensor: SerialNumber
    /// The command's name.
    public var name: String
    /// How far it came.
    public var outcome: CommandOutcome
    /// Why it went no further; empty otherwise.
    public var reason: String
    /// From publishing to this outcome.
    public var after: Duration
}

/// Which commands are answered, and how. Pure: times are given to it, as durations since the commands were issued.
public struct AckLedger: Sendable {
    /// How long after its expiry an answer to a command may still be on its way.
    public static let grace: Duration = .milliseconds(500)

    private struct Entry: Sendable {
        var sensor: SerialNumber
        var command: Command
        var validity: Duration?
        var isDelivered = false
        var end: (outcome: CommandOutcome, reason: String, after: Duration)?
    }

    private let patience: AckPatience
    private var entries: [Entry]
    private let positions: [String: Int]
    private var open: Int

    /// These commands, none of them published yet.
    public init(_ commands: [(sensor: SerialNumber, command: Command)], patience: AckPatience) {
        self.patience = patience
        entries = commands.map { sensor, command in
            let validity = command.expires.map { Duration.nanoseconds($0.nanoseconds(since: command.issued)) }
            return Entry(sensor: sensor, command: command, validity: validity)
        }
        let ids = commands.enumerated().map { ($0.element.command.id, $0.offset) }
        positions = Dictionary(ids, uniquingKeysWith: { first, _ in first })
        open = commands.count
    }

    /// Whether nothing is waited for any more.
    public var isSettled: Bool { open == 0 }

    /// When the next command without any answer is given up, if there is one.
    public var nextExpiry: Duration? {
        let silent = entries.lazy.filter { $0.end == nil && !$0.isDelivered }
        return silent.compactMap { $0.validity }.min().map { $0 + Self.grace }
    }

    /// Notes what the broker said of the command at `position`.
    public mutating func note(_ outcome: PublishOutcome, at position: Int, after: Duration) {
        switch outcome {
        case .confirmed: if patience == .none { end(position, .queued, "", after) }
        case .refused: end(position, .failed, "the broker refused the command", after)
        case .unroutable: end(position, .failed, "the broker has no queue for the command", after)
        case .tooLarge: end(position, .failed, "the command is too large", after)
        }
    }

    /// Notes an answer. What answers no command of ours, or comes from another sensor, changes nothing.
    public mutating func note(_ ack: Ack, from sensor: SerialNumber, after: Duration) {
        guard let position = positions[ack.id], entries[position].sensor == sensor else { return }
        switch ack.outcome {
        case .received:
            entries[position].isDelivered = true
            if patience == .delivered { end(position, .delivered, "", after) }
        case .succeeded: end(position, .succeeded, "", after)
        case .failed: end(position, .failed, ack.reason, after)
        case .rejected: end(position, ack.reason == Ack.expired ? .expired : .rejected, ack.reason, after)
        }
    }

    /// Gives up the commands whose time passed without any answer.
    public mutating func expire(after: Duration) {
        for (position, entry) in entries.enumerated() where entry.end == nil && !entry.isDelivered {
            guard let validity = entry.validity, after >= validity + Self.grace else { continue }
            end(position, .expired, "no answer before it expired", after)
        }
    }

    /// Gives up everything that is not answered.
    public mutating func giveUp(after: Duration) {
        for (position, entry) in entries.enumerated() where entry.end == nil {
            if entry.isDelivered {
                end(position, .timedOut, "delivered, no result yet", after)
            } else if let validity = entry.validity, after >= validity {
                end(position, .expired, "no answer before it expired", after)
            } else {
                end(position, .timedOut, "no answer", after)
            }
        }
    }

    private mutating func end(_ position: Int, _ outcome: CommandOutcome, _ reason: String, _ after: Duration) {
        guard entries[position].end == nil else { return }
        entries[position].end = (outcome, reason, after)
        open -= 1
    }

    /// What became of each command, in their order; those that are still waited for are left out.
    public var results: [CommandResult] {
        entries.compactMap { entry in
            entry.end.map {
                CommandResult(
                    id: entry.command.id, sensor: entry.sensor, name: entry.command.name, outcome: $0.outcome,
                    reason: $0.reason, after: $0.after)
            }
        }
    }
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

    /// Asks the same of each sensor, and waits for answers at most `timeout` in all.
    ///
    /// The queue for the answers is bound before the first command leaves, so none is missed. The commands have ids of
    /// their own (UUIDs) and one expiry, which is the messages' expiration at the broker too.
    /// - Returns: what became of each command, in the order of the sensors.
    /// - Throws: `BrokerError`, or `NotConfirmed` if the broker took no command within `timeout`: then do not close the
    ///   connection politely, the broker may not read it.
    public static func send(
        _ request: CommandRequest, to sensors: [SerialNumber], over broker: BrokerConnection,
        patience: AckPatience, timeout: Duration
    ) async throws -> [CommandResult] {
        var answers: BrokerConnection.Consumer?
        if patience != .none { answers = try await broker.listen(to: answerKeys(sensors)) }
        let commands = commands(request, for: sensors, issued: .now)
        let start = ContinuousClock.now
        var ledger = AckLedger(commands, patience: patience)
        let messages = commands.map { message($0.command, for: $0.sensor, validity: request.validity) }
        let outcomes = try await publish(messages, over: broker, within: timeout)
        for (position, outcome) in outcomes.enumerated() {
            ledger.note(outcome, at: position, after: start.duration(to: .now))
        }
        if let answers {
            try await collect(answers, from: broker, into: &ledger, since: start, within: timeout)
        }
        ledger.giveUp(after: start.duration(to: .now))
        return ledger.results
    }

    private static func answerKeys(_ sensors: [SerialNumber]) -> [String] {
        sensors.count > bindingsMax ? ["*.acks"] : sensors.map { Routing.key($0, .acks) }
    }

    private static func commands(
        _ request: CommandRequest, for sensors: [SerialNumber], issued: Timestamp
    ) -> [(sensor: SerialNumber, command: Command)] {
        let expires = issued.advanced(byNanoseconds: request.validity.nanoseconds)
        return sensors.map { sensor in
            let command = Command(
                id: UUID().uuidString.lowercased(), name: request.name, arguments: request.arguments, issued: issued,
                expires: expires, issuer: request.issuer)
            return (sensor, command)
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
        let (answer, continuation) = AsyncThrowingStream.makeStream(
            of: [PublishOutcome].self, bufferingPolicy: .bufferingNewest(1))
        Task {
            do { continuation.yield(try await broker.publish(messages)) } catch { continuation.finish(throwing: error) }
        }
        let timer = Task {
            try await Task.sleep(for: timeout)
            continuation.finish()
        }
        defer { timer.cancel() }
        for try await outcomes in answer { return outcomes }
        let reason = await broker.blockedReason.map { "it takes no publishes now (\($0))" } ?? "no answer"
        throw NotConfirmed(description: "the broker confirmed nothing within \(timeout): \(reason)")
    }

    private static func collect(
        _ answers: BrokerConnection.Consumer, from broker: BrokerConnection, into ledger: inout AckLedger,
        since start: ContinuousClock.Instant, within timeout: Duration
    ) async throws {
        while !ledger.isSettled {
            let elapsed = start.duration(to: .now)
            guard elapsed < timeout else { return }
            let wait = min(timeout, ledger.nextExpiry ?? timeout) - elapsed
            let deliveries = try await broker.nextBatch(answers, upTo: 1000, timeout: max(wait, .milliseconds(1)))
            let after = start.duration(to: .now)
            for delivery in deliveries {
                // What is no answer is the registry's business.
                guard let (sensor, _) = try? Routing.parse(key: delivery.key),
                    let ack = unsafe try? AckCodec.decode(delivery.body.span.bytes)
                else { continue }
                ledger.note(ack, from: sensor, after: after)
            }
            ledger.expire(after: after)
        }
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
