internal import Broker
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// table command ▶ exchange: what is due to be sent, to sensors that returned or whose twin drifted; and the end of what
/// nobody answered in time.
///
/// A command is taken for 30 s and given back by nobody: if this process dies between taking and the broker's confirm,
/// another takes it then. So it may be sent twice, and the sensor runs it once.
struct SendCommands {
    /// How often the table is looked at.
    static let interval: Duration = .milliseconds(500)
    /// Commands in one round.
    static let batchMax = 1000

    let context: ServiceContext
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        while !Task.isCancelled {
            _ = try await context.retrying("sending commands", part: "commands") {
                let broker = try await context.openBroker("commands", part: "commands")
                do { try await send(over: broker) } catch {
                    // A broker that takes no publishes does not read a good-bye either.
                    if !(error is Control.NotConfirmed) { await broker.close() }
                    throw error
                }
                await broker.close()
            }
        }
    }

    private func send(over broker: BrokerConnection) async throws {
        while !Task.isCancelled {
            let looked = try await store.queueDeltas(atMost: Self.batchMax)
            let sent = try await sendDue(over: broker)
            let ended = try await store.expireCommands(atMost: Self.batchMax)
            context.metrics.count(
                "iot_registry_commands_sent_total", "Commands sent to sensors that returned or drifted.", by: sent)
            context.metrics.count(
                "iot_registry_commands_expired_total", "Commands that nobody answered in time.", by: ended)
            if max(looked, sent, ended) < Self.batchMax { try? await Task.sleep(for: Self.interval) }
        }
    }

    /// - Returns: how many the broker confirmed.
    private func sendDue(over broker: BrokerConnection) async throws -> Int {
        let due = try await store.takeCommandsToSend(atMost: Self.batchMax)
        if due.isEmpty { return 0 }
        let now = Timestamp.now
        let outcomes = try await Control.publish(
            due.map { Self.message($0, now: now) }, over: broker, within: .seconds(10))
        let confirmed = zip(due, outcomes).filter { $0.1 == .confirmed }.map(\.0.command.id)
        if confirmed.count < due.count {
            context.logger.warning("\(due.count - confirmed.count) commands were not confirmed; they are sent again")
        }
        try await store.sent(confirmed)
        return confirmed.count
    }

    /// The broker drops it when its time has passed.
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
