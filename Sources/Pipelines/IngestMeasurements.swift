internal import Broker
internal import Foundation
internal import Logging
internal import Sensors
internal import ServiceLifecycle
internal import Store
internal import Synchronization
internal import Telemetry
internal import Wire

/// streams ▶ read ▶ one COPY, ledger and offset in one transaction ▶ hypertable measurement; and alarms on the way.
public enum IngestMeasurements {
    /// How often a replica says that it lives, and looks whether partitions are free.
    static let heartbeat: Duration = .seconds(1)
    /// The same while another replica is about to give a partition back: nobody stores it in between.
    static let heartbeatWhileShort: Duration = .milliseconds(100)

    /// The parts of measurements-ingester.
    /// - Parameter replica: the name of this replica, unlike any other's; by default host name and process id.
    public static func parts(_ context: ServiceContext, replica: String?) -> [Part] {
        let name = replica ?? "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
        return [
            Part {
                let store = context.openStore("leases")
                try await Schema.wait(context, store)
                try await Schema.declareTopology(context, store)
                try await Replica(context, name, store).run()
            }
        ]
    }
}

/// One replica: holds leases, and runs a worker for each partition that it holds.
private struct Replica {
    private let ended = EndedStreams()
    private let context: ServiceContext
    private let name: String
    private let store: StoreConnection
    private let alarms: AlarmPublisher
    private let limits: LimitWatch

    init(_ context: ServiceContext, _ name: String, _ store: StoreConnection) {
        self.context = context
        self.name = name
        self.store = store
        alarms = AlarmPublisher(context)
        limits = LimitWatch(context)
    }

    func run() async throws {
        IngestMetrics.begin(in: context.metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await limits.run() }
            group.addTask { try await holdLeases() }
            try await group.waitForAll()
        }
        await alarms.close()
    }

    /// Takes and gives back partitions as the plan says, until the task is cancelled; then ends the workers, each after
    /// its batch in hand, and gives everything back. Never waits for a worker while it holds other leases.
    private func holdLeases() async throws {
        var held: [String: Holding] = [:]
        var lastTrouble = ""
        while !Task.isCancelled {
            var pause = IngestMeasurements.heartbeat
            do {
                for stream in ended.takeAll() { held[stream] = nil }
                let (replicas, partitions) = try await store.heartbeat(replica: name, mine: held.values.map(\.lease))
                dropLost(held, partitions)
                let plan = LeasePlan(me: name, replicas: replicas, partitions: partitions)
                for stream in plan.giveBack { held[stream]?.worker.cancel() }
                for stream in plan.take where held[stream] == nil {
                    guard let lease = try await store.take(stream, replica: name) else { continue }
                    held[stream] = Holding(lease: lease, worker: start(lease, partitions: partitions.count))
                }
                if plan.isShort { pause = IngestMeasurements.heartbeatWhileShort }
                context.readiness.ready("database")
                lastTrouble = ""
            } catch {
                context.readiness.notReady("database", "\(error)")
                if "\(error)" != lastTrouble { context.logger.warning("leases: \(error); trying again") }
                lastTrouble = "\(error)"
            }
            context.metrics.set(
                "iot_ingest_partitions_held", "Partitions that this replica holds.", to: Double(held.count))
            try? await Task.sleep(for: pause)
        }
        for holding in held.values { holding.worker.cancel() }
        for holding in held.values { await holding.worker.value }
        try? await store.leave(replica: name)
    }

    /// Ends workers whose partition is somebody else's now.
    private func dropLost(_ held: [String: Holding], _ partitions: [LeasePlan.Partition]) {
        for (stream, holding) in held where !holding.worker.isCancelled {
            let owner = partitions.first { $0.stream == stream }?.owner
            guard owner != name else { continue }
            holding.worker.cancel()
            context.logger.notice("\(stream): lease lost to \(owner ?? "nobody")")
        }
    }

    private func start(_ lease: PartitionLease, partitions: Int) -> Task<Void, Never> {
        context.logger.notice("\(lease.stream): taken, epoch \(lease.epoch), stored up to \(lease.committed ?? -1)")
        return Task { [context, alarms, limits, ended] in
            var worker = PartitionWorker(context, lease, partitions: partitions, alarms, limits)
            do { try await worker.run() } catch {
                if !(error is CancellationError) { context.logger.error("\(lease.stream): \(error)") }
            }
            worker.forgetReadiness()
            context.metrics.forget("iot_ingest_lag_seconds", labels: IngestMetrics.labels(lease.stream))
            // Under our epoch or not at all: what somebody else holds meanwhile stays theirs.
            try? await context.openStore("lease").giveBack(lease)
            context.logger.notice("\(lease.stream): given back")
            ended.note(lease.stream)
        }
    }
}

/// A partition that this replica holds.
private struct Holding {
    var lease: PartitionLease
    var worker: Task<Void, Never>
}

/// Streams whose workers have ended since the last look.
private final class EndedStreams: Sendable {
    private let streams = Mutex(Set<String>())

    func note(_ stream: String) { streams.withLock { _ = $0.insert(stream) } }

    func takeAll() -> Set<String> {
        streams.withLock { streams in
            defer { streams = [] }
            return streams
        }
    }
}

/// The limits that people want now, read every two seconds.
final class LimitWatch: Sendable {
    private let context: ServiceContext
    private let book = Mutex<LimitBook?>(nil)

    init(_ context: ServiceContext) { self.context = context }

    /// The limits; read from `store` if they have not been read yet, because a batch that is stored without them is
    /// never looked at again.
    /// - Throws: `StoreError`.
    func current(_ store: StoreConnection) async throws -> LimitBook {
        if let known = book.withLock({ $0 }) { return known }
        return keep(try await store.limitedChannels())
    }

    private func keep(_ limited: [StoreConnection.LimitedChannel]) -> LimitBook {
        let read = LimitBook(limited)
        book.withLock { $0 = read }
        return read
    }

    func run() async throws {
        let store = context.openStore("limits")
        while !Task.isCancelled {
            do {
                _ = keep(try await store.limitedChannels())
                context.readiness.ready("limits")
            } catch {
                context.readiness.notReady("limits", "\(error)")
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }
}

/// Publishes alarms, over a connection that is opened when the first one is raised.
actor AlarmPublisher {
    private let context: ServiceContext
    private var broker: BrokerConnection?

    init(_ context: ServiceContext) { self.context = context }

    /// Publishes and waits for the confirms.
    /// - Throws: `BrokerError`: the batch that raised them must not be committed.
    func publish(_ events: [AlarmEvent]) async throws {
        if events.isEmpty { return }
        let broker = try await connection()
        let messages = events.map { event in
            OutgoingMessage(
                exchange: Routing.exchange, key: Routing.key(event.serial, .alarm(event.edge)),
                body: AlarmCodec.encode(event.alarm))
        }
        do {
            let outcomes = try await broker.publish(messages)
            guard outcomes.allSatisfy({ $0 == .confirmed }) else { throw BrokerError.lost("an alarm was refused") }
        } catch {
            self.broker = nil
            await broker.close()
            throw error
        }
        for event in events {
            context.metrics.count(
                "iot_ingest_alarms_published_total", "Alarms published.", labels: "edge=\"\(event.edge.rawValue)\"")
            context.logger.info("alarm \(event.edge.rawValue): \(event.alarm.text)")
        }
    }

    func close() async { await broker?.close() }

    private func connection() async throws -> BrokerConnection {
        if let broker { return broker }
        let opened = try await context.connectBroker("alarms")
        broker = opened
        return opened
    }
}
