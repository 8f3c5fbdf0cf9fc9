internal import Broker
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// Keeps the broker's disk free for commands and alarms, and says when streams are about to drop what is not stored.
///
/// All that it decides by is read anew each time, and the cut is an operator policy at the broker: several registries
/// don't disturb each other, and one that starts anew knows what is in force.
struct GuardStreams {
    /// How often the disk is looked at, unless somebody wants it otherwise.
    static let intervalDefault: Duration = .seconds(10)
    /// How old the broker's figures may be: for so long after a cut they don't show what came of it.
    static let figuresAge: Duration = .seconds(10)
    /// Streams are looked at so many times as rarely.
    static let backlogEvery = 3
    /// The operator policy that cuts the streams.
    static let policyName = "sensor-services-disk-guard"
    /// Above what a person would choose, because only the highest of several operator policies counts.
    static let policyPriority = 100
    /// RabbitMQ's own default, 500 MB, for a stream whose policy says nothing of segments.
    static let segmentBytesDefault: Int64 = 500_000_000
    /// How long a stream that has messages may take to show one.
    static let patience: Duration = .seconds(5)

    private let context: ServiceContext
    private let store: StoreConnection
    private let management: ManagementAPI
    private let interval: Duration
    private var near: Set<String> = []
    private var isExhausted = false
    /// Until then a cut is given the time to show.
    private var settledAt = ContinuousClock.now

    init(
        _ context: ServiceContext, _ store: StoreConnection, _ management: ManagementAPI, every interval: Duration
    ) {
        self.context = context
        self.store = store
        self.management = management
        self.interval = interval
    }

    /// Runs until the task is cancelled. Nothing that goes wrong here ends the service.
    func run() async {
        // What is seldom counted begins at 0: an alert sees the first one, too.
        noteFailures(0)
        noteCuts(0)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var disk = self
                await disk.repeating(every: interval) { try await $0.guardDisk() }
            }
            // Streams that show nothing take their time, and the disk must not wait for them.
            group.addTask {
                var backlogs = self
                await backlogs.repeating(every: interval * Self.backlogEvery) { try await $0.watchBacklogs() }
            }
        }
    }

    private mutating func repeating(
        every pause: Duration, _ look: (inout GuardStreams) async throws -> Void
    ) async {
        var trouble = ""
        while !Task.isCancelled {
            do {
                try await look(&self)
                if !trouble.isEmpty { context.logger.info("guarding the streams: works again") }
                trouble = ""
            } catch {
                noteFailures(1)
                if "\(error)" != trouble, !Task.isCancelled {
                    context.logger.warning("guarding the streams: \(error); trying again")
                }
                trouble = "\(error)"
            }
            try? await Task.sleep(for: pause)
        }
    }

    private func noteFailures(_ count: Int) {
        context.metrics.count(
            "iot_guard_failures_total", "Looks at the broker's disk or streams that failed.", by: count)
    }

    private func noteCuts(_ count: Int) {
        context.metrics.count(
            "iot_stream_cuts_total", "Times that the streams were cut for the disk's sake.", by: count)
    }

    // MARK: the disk

    private mutating func guardDisk() async throws {
        // The node that is nearest to its limit speaks for all: an alarm on one blocks the whole cluster.
        let disks = try await management.nodes().compactMap { node in
            node.diskFree.flatMap { free in node.diskFreeLimit.map { (free: free, limit: $0) } }
        }
        guard let disk = disks.min(by: { Double($0.free) / Double($0.limit) < Double($1.free) / Double($1.limit) })
        else { return }
        let inForce = try await management.operatorPolicy(Self.policyName)?.definition["max-length-bytes"]
        let streams = try await measurementStreams()
        let quota = StreamQuota(
            free: disk.free, limit: disk.limit,
            streams: streams.map { StreamQuota.Stream(bytes: $0.bytes, segmentBytes: $0.segmentBytes) })
        context.metrics.set("iot_broker_disk_free_bytes", "Free at the broker's disk.", to: Double(disk.free))
        context.metrics.set(
            "iot_broker_disk_free_limit_bytes", "Below it the broker blocks all publishers.", to: Double(disk.limit))
        context.metrics.set(
            "iot_stream_cut_bytes", "Most bytes of a stream while the broker's disk is nearly full; 0: not cut.",
            to: Double(inForce ?? 0))
        if .now < settledAt { return }
        try await apply(quota.decide(inForce: inForce), quota, streams.count)
    }

    private mutating func apply(_ decision: StreamQuota.Decision, _ quota: StreamQuota, _ count: Int) async throws {
        let space = "\(quota.free) bytes are free at the broker, its limit is \(quota.limit)"
        switch decision {
        case .keep: isExhausted = false
        case .cut(let bytesMax):
            try await management.set(
                ManagementAPI.OperatorPolicy(
                    pattern: "^measurements\\.[0-9]+$", definition: ["max-length-bytes": bytesMax],
                    priority: Self.policyPriority, applyTo: "streams"), named: Self.policyName)
            context.logger.error("\(space): \(count) streams are cut to \(bytesMax) bytes each, the oldest goes first")
            noteCuts(1)
            settledAt = .now + Self.figuresAge
        case .release:
            try await management.removeOperatorPolicy(Self.policyName)
            context.logger.notice("\(space): the streams may grow again")
            isExhausted = false
        case .exhausted:
            if !isExhausted {
                context.logger.critical("\(space), and the streams have given all they can: publishers will be blocked")
            }
            isExhausted = true
        }
    }

    /// A stream of measurements as the management API shows it.
    private struct Stream {
        var name: String
        var messages: Int64
        var bytes: Int64
        var segmentBytes: Int64
        var secondsMax: Double?
        var bytesMax: Int64?
    }

    private func measurementStreams() async throws -> [Stream] {
        let names = Set((0..<(try await store.partitionCount() ?? 0)).map(Routing.stream))
        return try await management.queues().filter { names.contains($0.name) }.map { queue in
            let definition = queue.effectivePolicyDefinition
            let segmentBytes = definition?.segmentBytes ?? Self.segmentBytesDefault
            // The API gives no bytes: all segments count as full, so the stream takes that or less.
            return Stream(
                name: queue.name, messages: queue.messages ?? 0, bytes: (queue.segments ?? 0) * segmentBytes,
                segmentBytes: segmentBytes, secondsMax: definition?.maxAge.flatMap(StreamBacklog.seconds(maxAge:)),
                bytesMax: definition?.maxLengthBytes)
        }
    }

    // MARK: what is not stored yet

    private mutating func watchBacklogs() async throws {
        let broker = try await context.connectBroker("guard")
        do {
            for stream in try await measurementStreams() { try await watch(stream, broker) }
        } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }

    private mutating func watch(_ stream: Stream, _ broker: BrokerConnection) async throws {
        guard let position = try await store.position(of: stream.name) else { return }
        let first = stream.messages > 0 ? try await probe(stream.name, .first, broker) : nil
        let next = (position.committed ?? -1) + 1
        var oldest = first
        if let offset = first?.streamOffset, offset < next, offset + stream.messages > next {
            oldest = try await probe(stream.name, .offset(next), broker)
        }
        let backlog = StreamBacklog(
            committed: position.committed, first: first?.streamOffset, messages: stream.messages,
            oldestSeconds: oldest.map { Timestamp.now.seconds(since: $0.received) }, bytes: stream.bytes,
            secondsMax: stream.secondsMax, bytesMax: stream.bytesMax)
        let labels = "stream=\"\(stream.name)\""
        context.metrics.set(
            "iot_stream_unread_messages", "Messages of a stream that are not stored.", to: Double(backlog.unread),
            labels: labels)
        context.metrics.set(
            "iot_stream_unread_retention_ratio",
            "How near the oldest message that is not stored is to being dropped: 1 is about to be.",
            to: backlog.nearness, labels: labels)
        note(backlog, of: stream.name)
    }

    private mutating func note(_ backlog: StreamBacklog, of stream: String) {
        guard backlog.isNear else {
            if near.remove(stream) != nil {
                context.logger.notice("\(stream): the backlog is far from retention again")
            }
            return
        }
        guard near.insert(stream).inserted else { return }
        let share = Int((backlog.nearness * 100).rounded())
        context.logger.error(
            """
            \(stream): \(backlog.unread) messages are not stored and at \(share) % of the stream's retention; \
            \(backlog.lost) are gone: does an ingester store it?
            """)
    }

    private func probe(
        _ stream: String, _ offset: StreamOffset, _ broker: BrokerConnection
    ) async throws -> Delivery? {
        let consumer = try await broker.consume(
            ConsumerOptions(queue: stream, prefetch: 1, offset: offset, inboxBytesMax: 1))
        let delivery = try await broker.nextBatch(consumer, upTo: 1, timeout: Self.patience).first
        try await broker.stopConsuming(consumer)
        return delivery
    }
}
