internal import AMQP
internal import Broker
internal import Foundation
internal import Model
internal import Postgres
public import Service
internal import Store
internal import Support
internal import Time
internal import Wire

/// Measures a running system: publishes frames of its own sensors, and observes their commits.
///
/// Everything that it creates has the plan's name; `cleanUp` removes it.
public actor Benchmark {
    /// The benchmark could not be run.
    public struct BenchmarkError: Error, Sendable, CustomStringConvertible {
        /// The reason, in one sentence.
        public let description: String
    }

    /// Time between two queries of the committed counts: latencies are too high by up to this time.
    public static let look: Duration = .milliseconds(5)
    /// Messages in one call of the client; with a rate, those that are due.
    private static let batchMessages = 256
    /// The number of calls whose confirms may be outstanding.
    private static let batchesAhead = 8
    /// How long no message may be committed before the benchmark gives up.
    private static let timeout: Duration = .seconds(30)
    /// Messages in one COPY of the reference.
    private static let copyMessages = 2000
    private static let prefetch = 5000

    private let plan: BenchPlan
    private let settings: Settings
    private let broker: BrokerConnection
    private let store: StoreConnection
    private let begun = Timestamp.now
    private let clock = ContinuousClock.now
    private var log: CommitLog
    private var boots: [(boot: Int64, messages: Int)] = []

    /// Opens the connections to broker and database.
    /// - Throws: `BrokerError`.
    public init(_ plan: BenchPlan, _ settings: Settings) async throws {
        self.plan = plan
        self.settings = settings
        broker = try await BrokerConnection.open(settings.broker, name: "iotctl bench")
        store = StoreConnection(settings.database, applicationName: "iotctl bench")
        log = CommitLog(sensors: plan.sensors)
    }

    /// Makes sure that an ingester is alive, and creates the reference's table.
    /// - Throws: `BenchmarkError`, `StoreError`.
    public func prepare() async throws {
        if try await store.livingReplicas().isEmpty {
            throw BenchmarkError(description: "no measurements-ingester is alive, so nothing would be stored")
        }
        try await store.makeBenchTable(plan.table)
    }

    private var seconds: Double { clock.duration(to: .now) / .seconds(1) }

    /// Publishes, waits for the commits, and measures both references with the same messages.
    /// - Parameter tell: receives a description of the current phase.
    /// - Throws: `BenchmarkError`, `BrokerError`, `StoreError`, `CancellationError`.
    public func run(_ tell: @escaping @Sendable (String) -> Void) async throws -> BenchRun {
        log = CommitLog(sensors: plan.sensors)
        // Without a rate frames run ahead of the clock, at most by the ten minutes that the ingester accepts.
        let lead = plan.samplesPerSecond == nil ? -3_600_000_000_000 : 0
        let now = Timestamp.now
        let signals = Signals(
            plan.format, length: plan.length, hertz: plan.hertz, serials: plan.serials,
            boot: now.unixNanoseconds / 1_000_000, start: now.advanced(byNanoseconds: Int64(lead)))
        var run = BenchRun()
        run.length = plan.length
        if plan.isBacklog {
            try await storeBacklog(signals, &run, tell)
        } else {
            try await storeLive(signals, &run, tell)
        }
        target = nil
        let count = plan.referenceMessages(of: run.messages)
        tell("bare drain of \(count) messages")
        run.drain = try await drain(signals, count)
        try Task.checkCancellation()
        tell("bare COPY of \(count) messages")
        (run.copy, run.bytesPerSample) = try await copy(signals, count)
        try Task.checkCancellation()
        return run
    }

    /// Publishes while the ingesters store.
    private func storeLive(
        _ signals: Signals, _ run: inout BenchRun, _ tell: @escaping @Sendable (String) -> Void
    ) async throws {
        let start = seconds
        tell("publishing")
        async let publishing = publish(signals, from: start)
        let watching = Task { try await watch(signals, tell) }
        do {
            run.publishSeconds = try await publishing
        } catch {
            watching.cancel()
            throw error
        }
        run.messages = log.publishedCount
        target = run.messages
        let last = try await withTaskCancellationHandler {
            try await watching.value
        } onCancel: {
            watching.cancel()
        }
        run.commitSeconds = last - start
        run.latencies = log.latencies.sorted()
    }

    /// Publishes while no ingester stores, then lets the ingesters catch up.
    private func storeBacklog(
        _ signals: Signals, _ run: inout BenchRun, _ tell: @escaping @Sendable (String) -> Void
    ) async throws {
        tell("holding the ingesters back and publishing")
        try await store.holdPartitions(plan.holder)
        let holding = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(1))
                try await store.holdPartitions(plan.holder)
            }
        }
        defer { holding.cancel() }
        run.publishSeconds = try await publish(signals, from: seconds)
        holding.cancel()
        _ = await holding.result
        run.messages = log.publishedCount
        target = run.messages
        try await store.releasePartitions(plan.holder)
        let end = ContinuousClock.now + Self.timeout
        while try await store.partitions().allSatisfy({ $0.holder == nil }) {
            if ContinuousClock.now > end { throw BenchmarkError(description: "no ingester took its streams back") }
            try await Task.sleep(for: Self.look)
        }
        let start = seconds
        run.commitSeconds = try await watch(signals, tell) - start
    }

    // MARK: publishing

    /// The number of messages to be committed, once all are published.
    private var target: Int?

    /// - Returns: seconds from `start` to the last confirm.
    private func publish(_ signals: Signals, from start: Double) async throws -> Double {
        let limit = plan.duration / .seconds(1)
        var receipts: [BrokerConnection.Receipt] = []
        var index = 0
        boots.append((signals.boot, 0))
        while true {
            try Task.checkCancellation()
            let elapsed = seconds - start
            if elapsed >= limit, index > 0 { break }
            let due = plan.due(after: min(elapsed, limit)).map { max(1, $0) } ?? (index + Self.batchMessages)
            let end = min(due, index + Self.batchMessages)
            if index < end {
                let time = seconds
                for message in index..<end { log.publish(message, at: time) }
                let batch = (index..<end).map { message(signals, $0) }
                boots[boots.count - 1].messages = end
                receipts.append(try await broker.send(batch))
                index = end
                if receipts.count > Self.batchesAhead { try await confirm(receipts.removeFirst()) }
            } else {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        for receipt in receipts { try await confirm(receipt) }
        return seconds - start
    }

    private func message(_ signals: Signals, _ index: Int, to stream: String? = nil) -> OutgoingMessage {
        let (serial, frame) = signals.frame(index)
        return OutgoingMessage(
            exchange: stream == nil ? Routing.exchange : "", key: stream ?? Routing.key(serial, .data),
            body: FrameCodec.encode(frame))
    }

    private func confirm(_ receipt: BrokerConnection.Receipt) async throws {
        guard try await broker.outcomes(of: receipt).allSatisfy({ $0 == .confirmed }) else {
            throw BenchmarkError(description: "the broker did not confirm all messages")
        }
    }

    // MARK: watching

    /// Waits until all messages are committed.
    /// - Returns: the time of the last commit.
    private func watch(_ signals: Signals, _ tell: @escaping @Sendable (String) -> Void) async throws -> Double {
        let serials = signals.serials.map(\.text)
        let positions = Dictionary(serials.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        var last = (stored: 0, at: seconds)
        while true {
            try Task.checkCancellation()
            let frames = try await store.storedFrames(boot: signals.boot, of: serials)
            let now = seconds
            for (serial, count) in frames {
                if let sensor = positions[serial] { log.see(sensor: sensor, committed: count, at: now) }
            }
            let stored = frames.values.reduce(0, +)
            if stored > last.stored { last = (stored, now) }
            if let target, stored >= target { return last.at }
            tell("\(stored) committed\(target.map { " of \($0)" } ?? "")")
            if now - last.at > Self.timeout / .seconds(1), target != nil {
                throw BenchmarkError(
                    description: "\(stored) of \(target ?? 0) messages are committed, and nothing more for "
                        + "\(Self.timeout / .seconds(1)) s: iotctl doctor")
            }
            try await Task.sleep(for: Self.look)
        }
    }

    // MARK: references

    /// Fills its own streams with the same messages, as many streams as the system has, and reads them with librabbitmq
    /// alone.
    private func drain(_ signals: Signals, _ count: Int) async throws -> (messages: Int, seconds: Double) {
        let streams = (0..<max(1, try await store.partitionCount() ?? 1)).map(plan.stream)
        for stream in streams { _ = try await broker.declare(Topology.Queue(name: stream, kind: .stream)) }
        for first in stride(from: 0, to: count, by: Self.batchMessages * 8) {
            try Task.checkCancellation()
            let batch = (first..<min(count, first + Self.batchMessages * 8)).map { index in
                message(signals, index, to: streams[index % plan.sensors % streams.count])
            }
            guard try await broker.publish(batch).allSatisfy({ $0 == .confirmed }) else {
                throw BenchmarkError(description: "the broker did not confirm all messages of the reference")
            }
        }
        let gate = DrainCount(target: count)
        let endpoint = settings.broker
        for stream in streams {
            Thread.detachNewThread {
                guard let drain = BareDrain(endpoint, stream: stream, prefetch: Self.prefetch) else {
                    return gate.stop()
                }
                drain.run(gate)
                gate.stop()
            }
        }
        let seconds = try await within(.seconds(120)) { await gate.finished() }
        gate.stop()
        for stream in streams { try await broker.delete(queue: stream) }
        guard let seconds else { throw BenchmarkError(description: "the bare drain ended early") }
        return (count, seconds)
    }

    /// Copies the same rows, encoded in advance, into its own table over one connection.
    private func copy(
        _ signals: Signals, _ count: Int
    ) async throws -> (copy: (samples: Int, seconds: Double), bytesPerSample: Double) {
        let cutter = RowCutter(clockRule: ClockRule())
        let numbers = Dictionary(
            signals.serials.enumerated().map { ($1, SensorID(rawValue: Int32($0 + 1))) },
            uniquingKeysWith: { first, _ in first })
        var batches: [CopyBuffer] = []
        for first in stride(from: 0, to: count, by: Self.copyMessages) {
            try Task.checkCancellation()
            var buffer = CopyBuffer()
            for index in first..<min(count, first + Self.copyMessages) {
                let (serial, frame) = signals.frame(index)
                cutter.cut(
                    frame, sensor: numbers[serial] ?? 0, received: .now, channelNumber: { _ in 0 },
                    into: { buffer.append($0) })
            }
            buffer.finish()
            batches.append(buffer)
        }
        try await store.emptyBenchTable(plan.table)
        let columns = MeasurementRow.copyTarget.drop { $0 != "(" }
        let target = "\"\(plan.table)\" \(columns)"
        let endpoint = settings.database
        let seconds = await Self.onThread { [batches] in BareCopy.run(endpoint, into: target, batches) }
        guard let seconds else { throw BenchmarkError(description: "the server refused the bare COPY") }
        let samples = count * plan.length
        let bytes = try await store.bytes(ofBenchTable: plan.table)
        return ((samples, seconds), Double(bytes) / Double(samples))
    }

    /// Runs `work` on a thread that may block.
    private static func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }

    // MARK: afterwards

    /// Removes everything that the benchmark created, after its messages are committed: later commits would leave data
    /// behind.
    /// - Throws: `BenchmarkError` with the names if something may be left; `BrokerError`, `StoreError`.
    public func cleanUp() async throws {
        let serials = plan.serials.map(\.text)
        try await store.releasePartitions(plan.holder)
        var isComplete = true
        for (boot, messages) in boots {
            var last = (stored: 0, at: ContinuousClock.now)
            while true {
                let stored = try await store.storedFrames(boot: boot, of: serials).values.reduce(0, +)
                if stored >= messages { break }
                if stored > last.stored { last = (stored, .now) }
                if ContinuousClock.now > last.at + Self.timeout {
                    isComplete = false
                    break
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        try await store.dropBenchTable(plan.table)
        for index in 0..<64 { try await broker.delete(queue: plan.stream(index)) }
        try await store.removeBenchSensors(serials, since: begun.advanced(byNanoseconds: -2 * 3_600_000_000_000))
        await broker.close()
        await store.close()
        if !isComplete {
            throw BenchmarkError(
                description: "not all messages were committed: sensors bench-\(plan.name)-… may reappear when they are")
        }
    }
}
