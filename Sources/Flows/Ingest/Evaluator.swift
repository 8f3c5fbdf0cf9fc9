internal import AMQP
internal import Broker
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Rules
internal import Service
internal import Store
internal import Support
internal import Time
internal import Wire

/// Evaluates the rules over one stream for as long as the replica holds its lease, and publishes the alarms.
///
/// The worker that stores the stream tells it of messages before it stores them. While the worker waits for the database, or
/// has read messages that the evaluator has not, the evaluator reads the stream by itself (`EvaluatorReader`). No alarm waits
/// for the database. The state is saved every few seconds, when the broker has confirmed all alarms up to it. The next
/// owner of the partition evaluates the stream from there on, and comes to the same alarms.
actor Evaluator {
    /// How old a saved state becomes while sensors send.
    static let saveAfter: Duration = .seconds(4)
    /// The same while only ticks come.
    static let saveTicksAfter: Duration = .seconds(10)
    /// How long the worker may wait for the database before the evaluator reads by itself.
    static let stuckAfter: Duration = .milliseconds(500)
    /// So near to the end of what is evaluated a worker that does not wait any more takes over again, in messages.
    static let nearBy: Int64 = 1000
    /// The most alarms that wait for the broker. Beyond, nothing is evaluated.
    static let waitingMax = 10_000
    /// The most alarms in one publish.
    private static let publishMax = 500

    /// The stream's name.
    nonisolated let stream: String
    private var lease: PartitionLease
    private let context: Runtime
    private let alarms: AlarmPublisher
    private let revisions: RevisionWatch
    /// Nil: not loaded yet.
    private var evaluation: StreamEvaluation?
    /// Grows when the stream was recreated: who reads the old one is to stop.
    private var generation = 0

    /// Alarms that the broker has not confirmed, in order.
    private var waiting: [AlarmEvent] = []
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// The offset up to which the worker has read.
    private var workerOffset: Int64?
    /// Since when the worker has not been listening; nil: it is.
    private var busySince: ContinuousClock.Instant? = .now
    /// Whether the evaluator reads by itself.
    private var isReading = false
    /// Offsets that the broker cannot deliver.
    private(set) var undeliverable: [ClosedRange<Int64>] = []

    private var savedOffset: Int64?
    private var savedWork = 0
    private var savedAt = ContinuousClock.now
    /// Whether there is a saved state: then a successor evaluates from there on.
    private var isSaved = false
    private var isLost = false
    private var counts = RuleEngine.Counts()

    init(_ context: Runtime, _ lease: PartitionLease, _ alarms: AlarmPublisher, _ revisions: RevisionWatch) {
        self.context = context
        stream = lease.stream
        self.lease = lease
        self.alarms = alarms
        self.revisions = revisions
        workerOffset = lease.committed
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    private nonisolated var part: String { "rules of \(stream)" }
    private nonisolated var alarmsPart: String { "alarms of \(stream)" }

    /// The parts of the service that readiness names while the stream is evaluated.
    nonisolated var parts: [String] { [part, alarmsPart] }

    /// Runs until the task is cancelled or the lease is lost.
    func run() async {
        let loaded: Void? = try? await context.retrying("evaluating \(stream)", part: part) { try await load() }
        guard loaded != nil else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.publishWaiting() }
            group.addTask { await self.keepSaved() }
            group.addTask { await EvaluatorReader(self.context, self).run() }
            await group.waitForAll()
        }
    }

    /// Publishes and saves what is left, before the lease is given back.
    func finish() async {
        wake.finish()
        guard evaluation != nil, !isLost else { return }
        // Not more than this: a successor does it otherwise.
        try? await within(.seconds(2)) {
            try await self.publishOnce()
            try await self.save()
        }
    }

    // MARK: loading

    private func load() async throws {
        let stored = try await revisions.store.evaluation(of: lease)
        let newest = try await revisions.refresh() ?? RuleRevision(number: 0)
        undeliverable = stored.undeliverable
        if let state = stored.state, let evaluation = try await resume(state, older: stored.older, newest) {
            isSaved = true
            savedOffset = evaluation.offset
            self.evaluation = evaluation
            let age = (workerOffset ?? -1) - (evaluation.offset ?? -1)
            context.logger.info(
                "\(stream): \(evaluation.engine.stateCount) states of rules, \(max(0, age)) messages to evaluate again")
            return
        }
        try await begin(with: newest)
    }

    /// Goes on from a saved state.
    /// - Returns: nil if it is of no use.
    private func resume(
        _ state: RuleStateRecord, older: StreamPosition?, _ newest: RuleRevision
    ) async throws -> StreamEvaluation? {
        let engine: RuleEngine
        do {
            let number = try RuleEngine.revision(ofEncoded: state.body)
            let revision: RuleRevision
            switch number == 0 ? .revision(RuleRevision(number: 0)) : try await revisions.load(number) {
            case .revision(let found): revision = found
            case .gone: throw RuleStateError.otherRevision(number)
            }
            engine = try RuleEngine(decoding: state.body, revision)
        } catch let error as RuleStateError {
            context.logger.error(
                "\(stream): the saved state of rules cannot be used, evaluation starts without it: \(error)")
            return nil
        }
        if engine.isEmpty, newest.sensors.isEmpty { return nil }
        let isOfThisStream = state.incarnation == lease.incarnation
        var offset = isOfThisStream ? state.offset : nil
        var fingerprint = isOfThisStream ? state.fingerprint : nil
        let olderOffset = older.flatMap { $0.incarnation == lease.incarnation ? $0.offset : nil }
        let isOverhauled = olderOffset.map { $0 > offset ?? -1 } ?? false
        if isOverhauled { (offset, fingerprint) = (olderOffset, nil) }
        var evaluation = StreamEvaluation(engine, of: lease, behind: offset, fingerprint: fingerprint)
        let others = try await revisions.store.limitAlarms(isOn: !isOverhauled)
        if isOverhauled { evaluation.takeOver(others) } else { evaluation.inherit(others) }
        return evaluation
    }

    /// Begins behind what is stored, with the newest rules.
    private func begin(with newest: RuleRevision) async throws {
        let isEmpty = newest.sensors.isEmpty
        let others = try await revisions.store.limitAlarms(isOn: true)
        // Without rules there is nothing to evaluate again.
        let offset = isEmpty && others.isEmpty ? workerOffset : lease.committed
        let isStored = offset == lease.committed
        var evaluation = StreamEvaluation(
            RuleEngine(newest), of: lease, behind: offset, fingerprint: isStored ? lease.fingerprint : nil)
        evaluation.inherit(others)
        if !isEmpty {
            // A successor must begin with the same rules at the same message.
            try await revisions.store.save(evaluation.record, of: lease)
            isSaved = true
        }
        savedOffset = offset
        self.evaluation = evaluation
    }

    // MARK: messages

    /// Evaluates messages that the worker has read, unless they were or the evaluator is behind them.
    /// - Parameter before: the offset up to which the worker has read before them.
    /// - Returns: whether there are rules, so that the next messages should come at once.
    func judge(_ batch: FrameBatch, after before: Int64?) -> Bool {
        if let last = batch.deliveries.last?.streamOffset { workerOffset = max(workerOffset ?? last, last) }
        if waiting.count < Self.waitingMax { _ = judge(batch, behind: before) }
        return evaluation?.isIdle == false
    }

    /// Evaluates messages that the evaluator has read by itself.
    /// - Parameter generation: that of the stream that they are of.
    func judge(read batch: FrameBatch, after before: Int64?, _ generation: Int) -> StreamEvaluation.Outcome {
        guard generation == self.generation else { return .ahead }
        context.metrics.count(
            "iot_ingest_read_ahead_messages_total", "Messages that the evaluator read by itself.",
            by: batch.deliveries.count, labels: IngestMetrics.labels(stream))
        return judge(batch, behind: before)
    }

    private func judge(_ batch: FrameBatch, behind before: Int64?) -> StreamEvaluation.Outcome {
        var events: [AlarmEvent] = []
        let outcome = evaluation?.judge(batch, after: before, revision: { revisions.known($0) }, into: &events)
        if !events.isEmpty {
            waiting += events
            wake.yield()
        }
        note()
        return outcome ?? .ahead
    }

    private func note() {
        guard let evaluation else { return }
        IngestMetrics.setEvaluated(evaluation, in: context.metrics)
        let now = evaluation.engine.counts
        guard now != counts else { return }
        IngestMetrics.note(now, since: counts, in: context.metrics)
        if now.failures != counts.failures, let failure = evaluation.engine.failures.last {
            context.logger.error(
                "\(stream): rule \(failure.rule) is disabled, with a message of \(failure.serial): \(failure.reason)")
        }
        counts = now
    }

    /// The worker waits for messages.
    func workerListens() { busySince = nil }

    /// The worker has messages in hand, or has lost its connection.
    func workerWorks() { if busySince == nil { busySince = .now } }

    /// The broker cannot deliver these messages.
    func note(undeliverable offsets: ClosedRange<Int64>) { undeliverable.append(offsets) }

    /// The stream was recreated, and is read from its first message.
    func reset(_ lease: PartitionLease) {
        self.lease = lease
        generation += 1
        undeliverable = []
        workerOffset = nil
        savedOffset = nil
        evaluation?.reset(to: lease.incarnation)
    }

    /// Whether the evaluator should read by itself.
    var mustRead: Bool {
        guard let isIdle = evaluation?.isIdle, !isLost, waiting.count < Self.waitingMax else { return false }
        let (mine, workers) = (evaluation?.offset ?? -1, workerOffset ?? -1)
        if mine < workers { return true }
        if !isIdle, let busySince, busySince.duration(to: .now) >= Self.stuckAfter { return true }
        return isReading && mine > workers + Self.nearBy
    }

    /// How far the stream is evaluated.
    struct Place {
        /// The last message that was evaluated; nil: none.
        var offset: Int64?
        /// Its fingerprint; nil: unknown.
        var fingerprint: Int64?
        /// Says whether the stream was recreated since.
        var generation: Int
    }

    /// The evaluator begins to read by itself.
    /// - Returns: where it is; nil: it is not loaded yet.
    func beginReading() -> Place? {
        passUndeliverable()
        guard evaluation != nil else { return nil }
        isReading = true
        return Place(offset: evaluation?.offset, fingerprint: evaluation?.fingerprint, generation: generation)
    }

    /// The evaluator ends reading by itself.
    func endReading() { isReading = false }

    /// Another message stands where the last one that was evaluated stood. If the worker reads on, the stream is the same up to
    /// where it is, and only what is behind was replaced; otherwise the worker will find out that the stream was recreated.
    func noteReplaced() {
        guard busySince == nil else { return }
        context.logger.error("\(stream): messages behind \(workerOffset ?? -1) were replaced after they were evaluated")
        evaluation?.rewind(to: workerOffset)
    }

    /// Steps over what the broker cannot deliver, if that comes next.
    private func passUndeliverable() {
        let next = (evaluation?.offset ?? -1) + 1
        // A single offset between two messages may be none.
        for hole in undeliverable where hole.lowerBound <= next + 1 && hole.upperBound >= next {
            evaluation?.pass(hole.upperBound)
        }
    }

    /// Reads a rule revision that the stream names.
    /// - Throws: `StoreError`.
    func load(revision number: Int64) async throws { _ = try await revisions.load(number) }

    // MARK: publishing

    private func publishWaiting() async {
        for await _ in wakes {
            _ = try? await context.retrying(alarmsPart, part: alarmsPart) {
                try await publishOnce()
            }
            if isLost { return }
        }
    }

    private func publishOnce() async throws {
        while !waiting.isEmpty, !isLost {
            let events = Array(waiting.prefix(Self.publishMax))
            try await within(.seconds(20)) { [alarms] in try await alarms.publish(events) }
            // A second call may have published the same ones.
            if waiting.first == events.first { waiting.removeFirst(events.count) }
        }
    }

    // MARK: ticks

    /// What the owner says in its stream now.
    /// - Parameter isDue: whether a tick is due; otherwise only new rules are worth one.
    /// - Returns: nil if there is nothing to say.
    func tick(isDue: Bool) async -> OutgoingMessage? {
        guard let rules, !isLost, let newest = revisions.newest else { return nil }
        let hasRules = !rules.isEmpty || !newest.sensors.isEmpty
        guard hasRules, isDue || newest.number > rules.revision else { return nil }
        if !isSaved {
            // If this replica dies now, its successor must find what this tick begins.
            do { try await save(isForced: true) } catch { return nil }
        }
        let tick = StreamTick(revision: newest.number, epoch: lease.epoch, sent: .now)
        return OutgoingMessage(exchange: "", key: lease.stream, body: TickCodec.encode(tick))
    }

    // MARK: saving

    private func keepSaved() async {
        var lastText = ""
        while !Task.isCancelled, !isLost {
            try? await Task.sleep(for: .milliseconds(250))
            guard !Task.isCancelled, isSaveDue else { continue }
            do {
                try await save()
                lastText = ""
                context.readiness.ready(part)
            } catch IngestConflict.leaseLost {
                return
            } catch {
                if "\(error)" != lastText {
                    context.logger.warning("\(stream): the state of rules is not saved: \(error)")
                }
                lastText = "\(error)"
                context.readiness.notReady(part, lastText)
            }
        }
    }

    private var isSaveDue: Bool {
        guard let rules, evaluation?.offset != savedOffset, isSaved || !rules.isEmpty else { return false }
        let age = savedAt.duration(to: .now)
        return age >= (evaluation?.work == savedWork ? Self.saveTicksAfter : Self.saveAfter)
    }

    /// Saves the state as of now, when all alarms up to it are confirmed.
    /// - Throws: `IngestConflict.leaseLost`, `StoreError` or `CancellationError`.
    private func save(isForced: Bool = false) async throws {
        // A copy of the evaluation that lives on would be copied as a whole by the next message.
        guard let rules, isForced || isSaved || !rules.isEmpty else { return }
        let begin = ContinuousClock.now
        let hasRules = !rules.isEmpty || revisions.newest?.sensors.isEmpty == false
        let record = hasRules ? evaluation?.record : nil
        let (lease, generation, offset, work) = (lease, generation, evaluation?.offset, evaluation?.work ?? 0)
        let (limits, states) = (evaluation?.takeLimits() ?? [], evaluation?.engine.stateCount ?? 0)
        do {
            while let first = waiting.first, first.offset <= offset ?? -1 {
                try await Task.sleep(for: .milliseconds(10))
            }
            guard generation == self.generation else { throw CancellationError() }
            try await revisions.store.save(record, of: lease, limits: limits)
        } catch {
            evaluation?.putBack(limits)
            if case IngestConflict.leaseLost = error { lose() }
            throw error
        }
        guard generation == self.generation else { return }
        (savedOffset, savedWork, savedAt, isSaved) = (offset, work, begin, record != nil)
        IngestMetrics.noteSaved(bytes: record?.body.count ?? 0, states: states, stream, in: context.metrics)
    }

    /// The rules that are evaluated: the number of their revision, and whether there are none; nil: not loaded yet.
    private var rules: (revision: Int64, isEmpty: Bool)? {
        evaluation.map { ($0.engine.revision, $0.engine.isEmpty) }
    }

    private func lose() {
        isLost = true
        wake.finish()
        context.logger.notice("\(stream): another replica evaluates it")
    }
}
