internal import Logging
internal import Management
internal import Model
internal import Postgres
internal import Service
internal import Wire

/// Keeps the broker's disk free for commands and alarms: shortens the streams before the broker blocks all publishers.
///
/// `StreamQuota` decides, from figures that are read again for each check. The cut is an operator policy at the broker, so
/// that several registries do not disturb each other, and a registry that starts finds the cut that is in force.
struct DiskGuard {
    /// The time between two checks, unless the operator sets it.
    static let intervalDefault: Duration = .seconds(10)
    /// The greatest age of the broker's figures: for that time after a cut they do not show its effect.
    static let figuresAge: Duration = .seconds(10)
    /// Higher than an operator would choose, because only the highest of several operator policies counts.
    static let policyPriority = 100

    private let context: Runtime
    private let store: StoreConnection
    private let management: ManagementAPI
    private var isExhausted = false
    /// No decision before this time, so that the last cut shows its effect.
    private var settledAt = ContinuousClock.now

    init(_ context: Runtime, _ store: StoreConnection, _ management: ManagementAPI) {
        self.context = context
        self.store = store
        self.management = management
    }

    /// Checks the disk until the task is cancelled.
    mutating func run(every interval: Duration) async {
        // Created with 0, so that an alert sees the first cut, too.
        noteCuts(0)
        await StreamChecks.repeating(context, every: interval) { try await check() }
    }

    private func noteCuts(_ count: Int) {
        context.metrics.count(
            "iot_stream_cuts_total", "Times that the streams were shortened to free the broker's disk.", by: count)
    }

    private mutating func check() async throws {
        // The node that is nearest to its limit decides: an alarm of one node blocks the whole cluster.
        let disks = try await management.nodes().compactMap { node in
            node.diskFree.flatMap { free in node.diskFreeLimit.map { (free: free, limit: $0) } }
        }
        guard let disk = disks.min(by: { Double($0.free) / Double($0.limit) < Double($1.free) / Double($1.limit) })
        else { return }
        let inForce = try await management.operatorPolicy(StreamQuota.policyName)?.definition["max-length-bytes"]
        let streams = try await MeasurementStream.all(store, management)
        let quota = StreamQuota(
            free: disk.free, limit: disk.limit,
            streams: streams.map { StreamQuota.Stream(bytes: $0.bytes, segmentBytes: $0.segmentBytes) })
        context.metrics.set("iot_broker_disk_free_bytes", "Free bytes on the broker's disk.", to: Double(disk.free))
        context.metrics.set(
            "iot_broker_disk_free_limit_bytes", "Free bytes below which the broker blocks all publishers.",
            to: Double(disk.limit))
        context.metrics.set(
            "iot_stream_cut_bytes", "Limit of a stream's bytes while the broker's disk is nearly full; 0: no limit.",
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
                    priority: Self.policyPriority, applyTo: "streams"), named: StreamQuota.policyName)
            context.logger.error("\(space): \(count) streams are cut to \(bytesMax) bytes each, the oldest goes first")
            noteCuts(1)
            settledAt = .now + Self.figuresAge
        case .release:
            try await management.removeOperatorPolicy(StreamQuota.policyName)
            context.logger.notice("\(space): the streams may grow again")
            isExhausted = false
        case .exhausted:
            if !isExhausted {
                context.logger.critical("\(space), and the streams have given all they can: publishers will be blocked")
            }
            isExhausted = true
        }
    }
}
