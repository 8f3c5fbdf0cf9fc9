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
    /// Streams whose workers have ended by themselves.
    private final class EndedStreams: Sendable {
        let streams = Mutex(Set<String>())
    }

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
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await limits.run() }
            group.addTask { try await holdLeases() }
            try await group.waitForAll()
        }
        await alarms.close()
    }

    /// Takes and gives back partitions as the plan says, until the task is cancelled; then ends the workers, each after
    /// its batch in hand, and gives everything back.
    private func holdLeases() async throws {
        var held: [String: PartitionLease] = [:]
        var workers: [String: Task<Void, any Error>] = [:]
        var lastTrouble = ""
        while !Task.isCancelled {
            var pause = IngestMeasurements.heartbeat
            do {
                let (replicas, partitions) = try await store.heartbeat(replica: name, mine: Array(held.values))
                try await dropLost(&held, &workers, partitions)
                let plan = LeasePlan(me: name, replicas: replicas, partitions: partitions)
                for stream in plan.giveBack { try await giveBack(stream, &held, &workers) }
                for stream in plan.take where workers[stream] == nil {
                    guard let lease = try await store.take(stream, replica: name) else { continue }
                    held[stream] = lease
                    workers[stream] = start(lease)
                }
                if plan.isShort { pause = IngestMeasurements.heartbeatWhileShort }
                context.readiness.ready("database")
                lastTrouble = ""
            } catch {
                context.readiness.notReady("database", "\(error)")
                if "\(error)" != lastTrouble { context.logger.warning("leases: \(error); trying again") }
                lastTrouble = "\(error)"
            }
            context.metrics.set("iot_ingest_partitions_held", "Partitions that this replica holds.", to: Double(held.count))
            try? await Task.sleep(for: pause)
        }
        for worker in workers.values { worker.cancel() }
        for worker in workers.values { _ = await worker.result }
        for lease in held.values { try? await store.giveBack(lease) }
        try? await store.leave(replica: name)
    }

    /// Ends workers whose partition is somebody else's now, and those that have noticed that themselves.
    private func dropLost(
        _ held: inout [String: PartitionLease], _ workers: inout [String: Task<Void, any Error>],
        _ partitions: [LeasePlan.Partition]
    ) async throws {
        for stream in held.keys.sorted() {
            let owner = partitions.first { $0.stream == stream }?.owner
            guard owner != name || ended.streams.withLock({ $0.contains(stream) }) else { continue }
            workers[stream]?.cancel()
            _ = await workers[stream]?.result
            workers[stream] = nil
            held[stream] = nil
            ended.streams.withLock { _ = $0.remove(stream) }
            context.logger.notice("\(stream): lease lost")
        }
    }

    private func giveBack(
        _ stream: String, _ held: inout [String: PartitionLease], _ workers: inout [String: Task<Void, any Error>]
    ) async throws {
        workers[stream]?.cancel()
        _ = await workers[stream]?.result
        workers[stream] = nil
        if let lease = held.removeValue(forKey: stream) { try await store.giveBack(lease) }
        context.logger.notice("\(stream): given back")
    }

    private func start(_ lease: PartitionLease) -> Task<Void, any Error> {
        context.logger.notice("\(lease.stream): taken, epoch \(lease.epoch), stored up to \(lease.committed ?? -1)")
        return Task { [context, alarms, limits, ended] in
            var worker = PartitionWorker(context, lease, alarms, limits)
            do { try await worker.run() } catch {
                if !(error is CancellationError) { context.logger.error("\(lease.stream): \(error)") }
                ended.streams.withLock { _ = $0.insert(lease.stream) }
            }
        }
    }
}

/// The limits that people want now, read every two seconds.
final class LimitWatch: Sendable {
    private let context: ServiceContext
    private let book = Mutex(LimitBook())

    init(_ context: ServiceContext) { self.context = context }

    var current: LimitBook { book.withLock { $0 } }

    func run() async throws {
        let store = context.openStore("limits")
        while !Task.isCancelled {
            // A database that does not answer is reported by those who can't do without it.
            if let limited = try? await store.limitedChannels() { book.withLock { $0 = LimitBook(limited) } }
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
        let opened = try await context.openBroker("alarms")
        broker = opened
        return opened
    }
}
