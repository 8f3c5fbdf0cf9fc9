internal import Broker
internal import Endpoint
internal import Logging
internal import Management
internal import Messaging
public import Model
public import Notify
internal import Postgres
public import Service
internal import Store
internal import Wire

/// queue registry ▶ sensor, channel, command; queue alarms ▶ alarm; queues unrouted and dead_letters ▶ quarantine; and
/// the work that follows from the tables: sending commands, presence, causes of gaps, the broker's disk.
public enum Register {
    /// The number of streams of a new installation.
    public static let partitionsDefault = 4
    /// The time between two checks of the broker's disk.
    public static let guardIntervalDefault: Duration = DiskGuard.intervalDefault

    /// The parts of sensor-registry.
    /// - Parameters:
    ///   - partitions: the number of streams; must agree with the database if that has a number already.
    ///   - guardInterval: the time between two checks of the broker's disk; every third time the streams are checked.
    ///   - policies: the retention policies of the configuration.
    ///   - notify: the receivers of alarms; nil: none.
    /// - Throws: `EndpointError` if this version cannot use `MANAGEMENT_URL`.
    public static func parts(
        _ context: Runtime, partitions: Int?, guardInterval: Duration = guardIntervalDefault,
        policies: [PolicyChange] = [], notify: Notify? = nil
    ) throws -> [Component] {
        let management = try context.settings.management.map { endpoint in
            try ManagementAPI(endpoint, virtualHost: context.settings.broker.path)
        }
        return [
            Component {
                let store = context.openStore("registry")
                guard try await prepare(context, store, partitions, default: partitionsDefault) else { return }
                try await Schema.declareTopology(context, store)
                for reason in [RejectionReason.unroutable, .deadLetter, .undeliverable] {
                    context.metrics.noteQuarantined(reason, count: 0)
                }
                let time = TimeResponder(context)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await registryReader(context, store, time).run() }
                    group.addTask { await GapClassifier(context: context, store: context.openStore("causes")).run() }
                    group.addTask { try await alarmReader(context, context.openStore("alarms"), notify).run() }
                    group.addTask {
                        try await unroutedReader(context, context.openStore(Routing.unroutedQueue)).run()
                    }
                    group.addTask {
                        try await deadLetterReader(context, context.openStore(Routing.deadQueue)).run()
                    }
                    group.addTask { await guardStreams(context, management, every: guardInterval) }
                    group.addTask {
                        try await SendCommands(context: context, store: context.openStore("commands")).run()
                    }
                    group.addTask {
                        try await WatchPresence(context: context, store: context.openStore("presence")).run()
                    }
                    group.addTask {
                        try await ResolveRules(context: context, store: context.openStore("rules")).run()
                    }
                    if let notify { group.addTask { await notify.run(context) } }
                    group.addTask { try await StoreMaintenance(context: context, policies: policies).run() }
                    try await group.waitForAll()
                }
                await time.close()
            }
        ]
    }

    /// The one part of sensor-registry that only applies the schema.
    /// - Parameter partitions: as of `parts`; nil leaves the number to the service if the database does not say it yet.
    public static func migration(_ context: Runtime, partitions: Int?) -> [Component] {
        [
            Component {
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

    /// Guards the broker's disk and reports backlogs, if the management API is known.
    private static func guardStreams(
        _ context: Runtime, _ management: ManagementAPI?, every interval: Duration
    ) async {
        guard let management else {
            context.logger.notice(
                "MANAGEMENT_URL is not set: the broker's disk and the streams' backlogs are not guarded")
            return
        }
        StreamChecks.prepare(context.metrics)
        let store = context.openStore("guard")
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var disk = DiskGuard(context, store, management)
                await disk.run(every: interval)
            }
            // In a task of its own: streams that deliver nothing take their time, and the disk must not wait for them.
            group.addTask {
                var backlogs = BacklogMonitor(context, store, management)
                await backlogs.run(every: interval * BacklogMonitor.intervalFactor)
            }
        }
    }

    private struct OtherPartitions: Error, CustomStringConvertible {
        let description: String
    }

    /// Brings the schema up to date and fixes the number of partitions.
    /// - Returns: whether that is done; false if the task was cancelled before.
    private static func prepare(
        _ context: Runtime, _ store: StoreConnection, _ partitions: Int?, default fallback: Int?
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
        _ context: Runtime, _ store: StoreConnection, _ time: TimeResponder
    ) -> QueueReader<RegistryMessage> {
        QueueReader(
            context: context, queue: Routing.registryQueue,
            decode: { delivery throws(Rejection) in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                let body = unsafe delivery.body.span.bytes
                switch subject {
                case .registry:
                    return .announcement(
                        Received(
                            serial: serial, received: delivery.received, content: try AnnouncementCodec.decode(body)))
                case .acks:
                    return .ack(
                        Received(serial: serial, received: delivery.received, content: try AckCodec.decode(body)))
                case .command:
                    return .command(
                        Received(serial: serial, received: delivery.received, content: try CommandCodec.decode(body)))
                case .data, .logs, .alarm: throw Rejection(.badSerial, "not for the registry: \(delivery.key)")
                }
            },
            store: { messages in
                try await store.record(messages)
                await time.answer(messages)
                context.metrics.count("iot_registry_messages_total", "Messages recorded.", by: messages.count)
            }, quarantine: { _ = try await store.quarantine($0) })
    }

    private static func alarmReader(
        _ context: Runtime, _ store: StoreConnection, _ notify: Notify?
    ) -> QueueReader<(edge: Alarm.Edge, heard: Received<Alarm>)> {
        QueueReader(
            context: context, queue: Routing.alarmsQueue,
            decode: { delivery throws(Rejection) in
                let (serial, subject) = try Routing.parse(key: delivery.key)
                guard case .alarm(let edge) = subject else {
                    throw Rejection(.badSerial, "not an alarm: \(delivery.key)")
                }
                let alarm = unsafe try AlarmCodec.decode(delivery.body.span.bytes)
                return (edge, Received(serial: serial, received: delivery.received, content: alarm))
            },
            store: { alarms in
                try await store.record(alarms: alarms, notifying: notify?.subscriptions ?? [])
                for (edge, _) in alarms {
                    context.metrics.count(
                        "iot_alarms_total", "Alarms recorded.", labels: "edge=\"\(edge.rawValue)\"")
                }
            }, quarantine: { _ = try await store.quarantine($0) })
    }

    private static func unroutedReader(
        _ context: Runtime, _ store: StoreConnection
    ) -> QueueReader<QuarantinedPayload> {
        QueueReader(
            context: context, queue: Routing.unroutedQueue, prefetch: 50,
            decode: { delivery throws(Rejection) in
                QuarantinedPayload(
                    delivery, Rejection(.unroutable, "no queue is bound for this key"), source: Routing.unroutedQueue)
            },
            store: { payloads in try await quarantine(payloads, context, store) },
            quarantine: { _ = try await store.quarantine($0) })
    }

    private static func deadLetterReader(
        _ context: Runtime, _ store: StoreConnection
    ) -> QueueReader<DeadLetter> {
        QueueReader(
            context: context, queue: Routing.deadQueue, prefetch: 50,
            decode: { delivery throws(Rejection) in DeadLetter(delivery) },
            store: { letters in
                var payloads = letters.filter { $0.command == nil }.map(\.payload)
                do {
                    try await store.record(letters.compactMap(\.command).map { .command($0) })
                } catch let error as StoreError where error.advice != .retry && letters.count == 1 {
                    // Rejected once more it would be gone.
                    payloads = letters.map(\.payload)
                }
                try await quarantine(payloads, context, store)
            }, quarantine: { _ = try await store.quarantine($0) })
    }

    /// Writes payloads to `quarantine`, and counts those that were not there yet.
    private static func quarantine(
        _ payloads: [QuarantinedPayload], _ context: Runtime, _ store: StoreConnection
    ) async throws {
        for payload in try await store.quarantine(payloads) {
            context.metrics.noteQuarantined(payload.rejection.reason, count: 1)
        }
    }
}
