internal import AMQP
internal import Broker
internal import Control
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time
internal import Wire

/// table command ▶ exchange: sends due commands to sensors that reconnected or whose twin drifted, and ends commands
/// that no sensor answered in time.
///
/// A command that the broker did not confirm is due again at once, whatever the error; a command that a registry took
/// before it died is due again after 5 s. So a command may be sent twice, and the sensor runs it once. A command whose row
/// cannot be decoded, or whose message is too large for the broker, fails; the others are sent.
struct SendCommands {
    /// How often the table is queried.
    static let interval: Duration = .milliseconds(500)
    /// The maximum number of commands in one round.
    static let batchMax = 1000

    let context: Runtime
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        while !Task.isCancelled {
            _ = try await context.retrying("sending commands", part: "commands") {
                try await context.withBroker("commands", part: "commands") { try await send(over: $0) }
            }
        }
    }

    private func send(over broker: BrokerConnection) async throws {
        while !Task.isCancelled {
            let looked = try await store.queueDeltas(atMost: Self.batchMax)
            let sent = try await sendDue(over: broker)
            let ended = try await store.expireCommands(atMost: Self.batchMax)
            context.metrics.count(
                "iot_registry_commands_sent_total", "Commands sent to sensors that reconnected or drifted.", by: sent)
            context.metrics.count(
                "iot_registry_commands_expired_total", "Commands that no sensor answered in time.", by: ended)
            if max(looked, sent, ended) < Self.batchMax { try? await Task.sleep(for: Self.interval) }
        }
    }

    /// - Returns: the number of commands that the broker confirmed.
    private func sendDue(over broker: BrokerConnection) async throws -> Int {
        let all = try await store.takeCommandsToSend(atMost: Self.batchMax)
        note(all.failed)
        let due = all.commands
        guard let taken = due.first?.taken else { return 0 }
        let outcomes: [PublishOutcome]
        do {
            let now = Timestamp.now
            outcomes = try await broker.publish(
                due.map { Self.message($0, now: now) }, within: .seconds(10))
        } catch {
            // If the database does not answer either, the commands are due again when their reservation ends.
            try? await store.giveBack(due.map(\.command.id))
            throw error
        }
        let ids = Dictionary(grouping: zip(due, outcomes), by: \.1).mapValues { $0.map(\.0.command.id) }
        let confirmed = ids[.confirmed] ?? []
        try await store.sent(confirmed, taken: taken)
        let tooLarge = (ids[.tooLarge] ?? []).map {
            FailedCommand(id: $0, reason: "its message is too large for the broker")
        }
        try await store.fail(tooLarge)
        note(tooLarge)
        let refused = (ids[.refused] ?? []) + (ids[.unroutable] ?? [])
        if !refused.isEmpty {
            context.logger.warning("\(refused.count) commands were not confirmed; they are sent again")
            try await store.giveBack(refused)
        }
        return confirmed.count
    }

    /// Reports commands that can never be sent.
    private func note(_ failed: [FailedCommand]) {
        for command in failed { context.logger.error("command \(command.id) failed: \(command.reason)") }
        context.metrics.count(
            "iot_registry_commands_unsendable_total",
            "Commands that failed because their row cannot be decoded or their message is too large.", by: failed.count)
    }

    /// The message for a command; the broker drops it when the command has expired.
    private static func message(_ due: CommandToSend, now: Timestamp) -> OutgoingMessage {
        let longest = CommandRequest.validityMax.components.seconds * 1000
        return OutgoingMessage(
            exchange: Routing.exchange, key: Routing.key(due.serial, .command(due.command.name)),
            body: CommandCodec.encode(due.command),
            expirationMilliseconds: due.command.expires.map {
                min(max($0.nanoseconds(since: now) / 1_000_000, 1), longest)
            })
    }
}
