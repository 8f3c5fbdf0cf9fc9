internal import Foundation
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
public import Service
internal import ServiceLifecycle
internal import Store
internal import Synchronization

/// streams ▶ decode ▶ rules ▶ alarms; one COPY, ledger and offset in one transaction ▶ hypertable measurement.
public enum IngestMeasurements {
    /// How often a replica renews its heartbeat and looks for free partitions.
    static let heartbeat: Duration = .seconds(1)
    /// The same while another replica is about to release a partition, which no replica stores until one takes it.
    static let heartbeatWhileShort: Duration = .milliseconds(100)

    /// The parts of measurements-ingester.
    /// - Parameter replica: the unique name of this replica; by default host name and process id.
    public static func parts(_ context: Runtime, replica: String?) -> [Component] {
        let name = replica ?? "\(ProcessInfo.processInfo.hostName)-\(ProcessInfo.processInfo.processIdentifier)"
        return [
            Component {
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
    private let context: Runtime
    private let name: String
    private let store: StoreConnection
    private let alarms: AlarmPublisher
    private let revisions: RevisionWatch
    private let clock: StreamClock

    init(_ context: Runtime, _ name: String, _ store: StoreConnection) {
        self.context = context
        self.name = name
        self.store = store
        alarms = AlarmPublisher(context)
        revisions = RevisionWatch(context)
        clock = StreamClock(context, alarms, revisions)
    }

    func run() async throws {
        IngestMetrics.begin(in: context.metrics)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await revisions.run() }
            group.addTask { await clock.run() }
            group.addTask { try await holdLeases() }
            try await group.waitForAll()
        }
        await alarms.close()
        await revisions.store.close()
    }

    /// Takes and releases partitions according to the plan until the task is cancelled; then ends the workers, each
    /// after its current batch, and releases everything. Never waits for a worker while it holds other leases.
    private func holdLeases() async throws {
        var held: [String: Holding] = [:]
        var lastError = ""
        while !Task.isCancelled {
            var pause = IngestMeasurements.heartbeat
            do {
                for stream in ended.takeAll() { held[stream] = nil }
                let (replicas, partitions, allKnowTicks) = try await store.heartbeat(
                    replica: name, mine: held.values.map(\.lease))
                dropLost(held, partitions)
                clock.mayTick(allKnowTicks)
                let plan = LeasePlan(me: name, replicas: replicas, partitions: partitions)
                for stream in plan.giveBack { held[stream]?.worker.cancel() }
                for stream in plan.take where held[stream] == nil {
                    guard let lease = try await store.take(stream, replica: name) else { continue }
                    held[stream] = Holding(lease: lease, worker: start(lease, partitions: partitions.count))
                }
                if plan.isShort { pause = IngestMeasurements.heartbeatWhileShort }
                context.readiness.ready("database")
                lastError = ""
            } catch {
                context.readiness.notReady("database", "\(error)")
                if "\(error)" != lastError { context.logger.warning("leases: \(error); trying again") }
                lastError = "\(error)"
            }
            context.metrics.set(
                "iot_ingest_partitions_held", "Partitions that this replica holds.", to: Double(held.count))
            try? await Task.sleep(for: pause)
        }
        for holding in held.values { holding.worker.cancel() }
        for holding in held.values { await holding.worker.value }
        try? await store.leave(replica: name)
    }

    /// Ends workers whose partition another replica now owns.
    private func dropLost(_ held: [String: Holding], _ partitions: [LeasePlan.Partition]) {
        for (stream, holding) in held where !holding.worker.isCancelled {
            let owner = partitions.first { $0.stream == stream }?.owner
            guard owner != name else { continue }
            holding.worker.cancel()
            context.logger.notice("\(stream): lease lost to \(owner ?? "no replica")")
        }
    }

    private func start(_ lease: PartitionLease, partitions: Int) -> Task<Void, Never> {
        context.logger.notice("\(lease.stream): taken, epoch \(lease.epoch), stored up to \(lease.committed ?? -1)")
        return Task { [context, alarms, revisions, clock, ended] in
            let evaluator = Evaluator(context, lease, alarms, revisions)
            let worker = PartitionWorker(context, lease, partitions: partitions, evaluator)
            let evaluation = Task { await evaluator.run() }
            clock.begin(evaluator)
            do { try await worker.run() } catch {
                if !(error is CancellationError) { context.logger.error("\(lease.stream): \(error)") }
            }
            clock.end(evaluator)
            evaluation.cancel()
            await evaluation.value
            await evaluator.finish()
            worker.forgetReadiness()
            IngestMetrics.forget(lease.stream, in: context.metrics)
            // Has no effect if the epoch changed: a lease of another replica stays.
            try? await context.openStore("lease").giveBack(lease)
            context.logger.notice("\(lease.stream): released")
            ended.note(lease.stream)
        }
    }
}

/// A partition that this replica holds.
private struct Holding {
    var lease: PartitionLease
    var worker: Task<Void, Never>
}

/// Streams whose workers have ended since the last check.
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
