internal import Broker
internal import Logging
public import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// queue registry ▶ sensor, channel, command; queue alarms ▶ alarm; queues unrouted and dead_letters ▶ quarantine; and
/// what follows from the tables: commands that are sent (again), presence, causes of gaps, streams that give way.
public enum Register {
    /// Streams, unless the database says otherwise.
    public static let partitionsDefault = 4
    /// How often the broker's disk is looked at.
    public static let guardIntervalDefault: Duration = GuardStreams.intervalDefault

    /// The parts of sensor-registry.
    /// - Parameters:
    ///   - partitions: how many streams, when the database does not say yet; otherwise it must agree with it.
    ///   - guardInterval: how often the broker's disk is looked at, and every third time the streams.
    ///   - policies: how long what is kept, as the configuration says.
    public static func parts(
        _ context: ServiceContext, partitions: Int?, guardInterval: Duration = guardIntervalDefault,
        policies: [PolicyChange] = []
    ) -> [Part] {
        [
            Part {
                let store = context.openStore("registry")
                guard try await prepare(context, store, partitions, default: partitionsDefault) else { return }
                try await Schema.declareTopology(context, store)
                for reason in [RejectionReason.unroutable, .deadLetter] {
                    context.metrics.noteQuarantined(reason, count: 0)
                }
                let time = AnswerTime(context)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await registryReader(context, store, time).run() }
                    group.addTask { await FindCauses(context: context, store: context.openStore("causes")).run() }
                    group.addTask { try await alarmReader(context, context.openStore("alarms")).run() }
                    for queue in [Routing.unroutedQueue, Routing.deadQueue] {
                        group.addTask { try await quarantineReader(context, queue, context.openStore(queue)).run() }
                    }
                    group.addTask { await guardStreams(context, every: guardInterval) }
                    group.addTask {
                        try await SendCommands(context: context, store: context.openStore("commands")).run()
                    }
                    group.addTask {
                        try await WatchPresence(context: context, store: context.openStore("presence")).run()
                    }
                    group.addTask { try await TendStore(context: context, policies: policies).run() }
                    try await group.waitForAll()
                }
                await time.close()
            }
        ]
    }

    /// The one part of sensor-registry that only applies the schema.
    /// - Parameter partitions: as of `parts`; nil leaves the number to the service if the database does not say it yet.
    public static func migration(_ context: ServiceContext, partitions: Int?) -> [Part] {
        [
            Part {
                let store = context.openStore("migration")
                let isDone = try await prepare(context, store, partitions, default: nil)
                await store.close()
                guard isDone else { throw Interrupted() }
                context.logger.info("the schema is up to date")
            }
        ]
    }

    private struct Interrupted: Error, CustomStringConvertible {
        let description = "ended before the schema was up to date"
    }

    /// Keeps the broker's disk free, if the management API is known.
    private static func guardStreams(_ context: ServiceContext, every interval: Duration) async {
        guard let url = context.settings.managementURL,
            let management = ManagementAPI(url: url, virtualHost: context.settings.broker.virtualHost)
        else {
            context.logger.notice(
                "MANAGEMENT_URL is not set: the broker's disk and the streams' backlogs are not guarded")
            return
        }
        await GuardStreams(context, context.openStore("guard"), management, every: interval).run()
    }

    private struct OtherPartitions: Error, CustomStringConvertible {
        let description: String
    }

    /// Brings the schema up to date and fixes the number of partitions.
    /// - Returns: whether that is done; false if the task was cancelled before.
    private static func prepare(
        _ context: ServiceContext, _ store: StoreConnection, _ partitions: Int?, default fallback: Int?
    ) async throws -> Bool {
        let done: Void? = try await context.retrying(
            "preparing the database", part: "database",
            while: { !($0 is OtherPartitions) && ($0 as? StoreError)?.advice != .giveUp }
        ) {
            let applied = try await Migrations.apply(to: store)
            if !applied.isEmpty { context.logger.info("schema: applied \(applied)") }
            let known = try await store.partitionCount()
            guard let wanted = partitions ?? known ?? fallback else { return }
            let fixed = try await store.fixPartitions((0..<wanted).map(Routing.stream))
            guard fixed == wanted else {
                throw OtherPartitions(
                    description:
                        "--partitions \(wanted), but the database has \(fixed); docs/operations.md says how to raise it"
                )
            }
        }
        return done != nil
    }

    private static func registryReader(
        _ context: ServiceContext, _ store: StoreConnection, _ time: AnswerTime
    ) -> QueueReader<RegistryMessage> {
        QueueReader(
            context: context, queue: Routing.registryQueue,
            decode: { delivery throws(Rejection) in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                let body = unsafe delivery.body.span.bytes
                switch subject {
                case .registry:
                    return .announcement(
                        Heard(
                            serial: serial, received: delivery.received, content: try AnnouncementCodec.decode(body)))
                case .acks:
                    return .ack(Heard(serial: serial, received: delivery.received, content: try AckCodec.decode(body)))
                case .command:
                    return .command(
                        Heard(serial: serial, received: delivery.received, content: try CommandCodec.decode(body)))
                case .data, .logs, .alarm: throw Rejection(.badSerial, "not for the registry: \(delivery.key)")
                }
            },
            store: { messages in
                try await store.record(messages)
                await time.answer(messages)
                context.metrics.count("iot_registry_messages_total", "Messages recorded.", by: messages.count)
            })
    }

    private static func alarmReader(
        _ context: ServiceContext, _ store: StoreConnection
    ) -> QueueReader<(edge: Alarm.Edge, heard: Heard<Alarm>)> {
        QueueReader(
            context: context, queue: Routing.alarmsQueue,
            decode: { delivery throws(Rejection) in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                guard case .alarm(let edge) = subject else {
                    throw Rejection(.badSerial, "not an alarm: \(delivery.key)")
                }
                let alarm = unsafe try AlarmCodec.decode(delivery.body.span.bytes)
                return (edge, Heard(serial: serial, received: delivery.received, content: alarm))
            },
            store: { alarms in
                try await store.record(alarms: alarms)
                for (edge, _) in alarms {
                    context.metrics.count(
                        "iot_alarms_total", "Alarms recorded.", labels: "edge=\"\(edge.rawValue)\"")
                }
            })
    }

    private static func quarantineReader(
        _ context: ServiceContext, _ queue: String, _ store: StoreConnection
    ) -> QueueReader<QuarantinedPayload> {
        QueueReader(
            context: context, queue: queue, prefetch: 50,
            decode: { delivery throws(Rejection) in
                let rejection =
                    queue == Routing.deadQueue
                    ? Rejection(.deadLetter, delivery.deathReason ?? "no reason given")
                    : Rejection(.unroutable, "no queue is bound for this key")
                return QuarantinedPayload(delivery, rejection, source: queue)
            },
            store: { payloads in
                try await store.quarantine(payloads)
                for payload in payloads { context.metrics.noteQuarantined(payload.rejection.reason, count: 1) }
            })
    }
}
