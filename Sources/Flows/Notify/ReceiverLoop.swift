internal import Curl
internal import Logging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Support
internal import Time

/// Tells one receiver, as long as this registry holds it. Each receiver has one of its own, with its own connection to the
/// database: one that hangs delays no other.
struct ReceiverLoop {
    /// How often the outbox is queried.
    static let interval: Duration = .milliseconds(500)
    /// The most changes that are read, and that a summary tells.
    static let readMax = 2000
    /// The most active alarms that are in memory at a time.
    static let pageMax = NotifyPlanner.alertsMax

    let receiver: NotifyConfiguration.Receiver
    let context: Runtime
    let holding: Holding
    private let store: StoreConnection
    private let delivery: Delivery
    private let labels: String

    init(_ receiver: NotifyConfiguration.Receiver, context: Runtime, holding: Holding) {
        self.receiver = receiver
        self.context = context
        self.holding = holding
        store = context.openStore("notify \(receiver.name)")
        delivery = Delivery(receiver: receiver, client: CurlClient(agent: "sensor-services"))
        labels = "receiver=\"\(receiver.name)\""
    }

    /// Runs until the task is cancelled.
    func run() async {
        var planner = NotifyPlanner(receiver)
        var backoff = Backoff()
        var lastText = ""
        prepareMetrics()
        while !Task.isCancelled {
            guard holding.has(receiver.name) else {
                forgetGauges()
                planner = NotifyPlanner(receiver)
                try? await Task.sleep(for: Self.interval)
                continue
            }
            do {
                let pause = try await round(&planner)
                if !lastText.isEmpty { context.logger.info("notifying \(receiver.name): the database works again") }
                lastText = ""
                backoff.reset()
                try? await Task.sleep(for: pause)
            } catch is CancellationError {
                break
            } catch {
                // Of the database; those of the receiver are recorded there.
                if "\(error)" != lastText {
                    context.logger.warning("notifying \(receiver.name): \(error); trying again")
                }
                lastText = "\(error)"
                try? await Task.sleep(for: backoff.next())
            }
        }
        forgetGauges()
        await store.close()
    }

    /// - Returns: how long nothing is to be done.
    private func round(_ planner: inout NotifyPlanner) async throws -> Duration {
        let givenUp = try await store.giveUp(receiver.name, olderThan: receiver.giveUpAfter)
        count("iot_notify_given_up_total", "Notifications that were given up, by receiver.", by: givenUp)
        if givenUp > 0 {
            context.logger.error(
                "gave up \(givenUp) notifications: \(receiver.name) did not take them within \(receiver.giveUpAfter.commandLineText)"
            )
        }
        var waiting = try await store.waitingNotifications(of: receiver.name, atMost: Self.readMax)
        setGauges(waiting)
        while !Task.isCancelled, holding.has(receiver.name) {
            let now = ContinuousClock.now
            let step = planner.next(at: now, waiting: waiting.due)
            switch step {
            case .wait(let until): return min(until.map { now.duration(to: $0) } ?? Self.interval, Self.interval)
            case .keepAlive: try await keepAlive(&planner)
            case .one(let change): try await tell([change], &planner)
            case .summary(let changes): try await tell(changes, &planner)
            case .alerts(let changes): try await tell(changes, &planner)
            }
            waiting = try await store.waitingNotifications(of: receiver.name, atMost: Self.readMax)
            setGauges(waiting)
        }
        return Self.interval
    }

    /// Sends all active alarms again, page by page, so that they do not end at Alertmanager.
    private func keepAlive(_ planner: inout NotifyPlanner) async throws {
        guard case .alertmanager(let settings) = receiver.kind else { return }
        var last = ""
        while true {
            let page = try await store.activeNotifications(of: receiver.name, after: last, atMost: Self.pageMax)
            if page.isEmpty { break }
            do { note(try await delivery.send(alerts: page, settings)) } catch let failure as Delivery.Failure {
                // One alert that is refused does not end the others.
                guard failure.isOfMessage else {
                    return try await failed([], failure, &planner)
                }
                for one in page { _ = try? await delivery.send(alerts: [one], settings) }
            }
            if page.count < Self.pageMax { break }
            last = page[page.count - 1].alarm
        }
        planner.keptAlive(at: .now)
    }

    private func tell(_ changes: [AlarmNotification], _ planner: inout NotifyPlanner) async throws {
        do {
            switch receiver.kind {
            case .alertmanager(let settings): note(try await delivery.send(alerts: changes, settings))
            case .webhook(let settings): try await delivery.send(changes, settings)
            case .mail(let settings): try await delivery.send(changes, settings)
            }
        } catch let failure as Delivery.Failure {
            if failure.isOfMessage, changes.count > 1, case .alertmanager = receiver.kind {
                // Which of them? Changes of one alarm go together.
                for (_, ofOne) in Dictionary(grouping: changes, by: \.alarm) { try await tellAlone(ofOne, &planner) }
                return
            }
            return try await failed(changes, failure, &planner)
        }
        try await took(changes, &planner)
    }

    private func tellAlone(_ changes: [AlarmNotification], _ planner: inout NotifyPlanner) async throws {
        guard case .alertmanager(let settings) = receiver.kind else { return }
        do { note(try await delivery.send(alerts: changes, settings)) } catch let failure as Delivery.Failure {
            return try await failed(changes, failure, &planner)
        }
        try await took(changes, &planner)
    }

    private func took(_ changes: [AlarmNotification], _ planner: inout NotifyPlanner) async throws {
        planner.took(at: .now)
        count("iot_notify_sent_total", "Notifications that a receiver took.", by: changes.count)
        let isSummary = changes.count > 1 && receiver.kind.word != "alertmanager"
        // A registry that is killed here sends them again, with the same ids.
        try await store.delivered(changes.map(\.number), to: receiver.name, summarised: isSummary)
    }

    private func failed(
        _ changes: [AlarmNotification], _ failure: Delivery.Failure, _ planner: inout NotifyPlanner
    ) async throws {
        var random = SystemRandomNumberGenerator()
        let now = ContinuousClock.now
        let pause =
            failure.isOfMessage
            ? planner.refused(at: now, attempts: changes.map(\.attempts).max() ?? 0, using: &random)
            : planner.failed(at: now, using: &random)
        count("iot_notify_failed_total", "Attempts to notify a receiver that failed.", by: 1)
        context.logger.warning(
            "\(receiver.name) was not notified: \(failure); trying again", metadata: ["changes": "\(changes.count)"])
        try await store.failed(
            changes.map(\.number), to: receiver.name, because: failure.description,
            pause: failure.isOfMessage ? pause : .zero, isReceivers: !failure.isOfMessage)
    }

    /// Members of a cluster that did not take what another one took.
    private func note(_ failures: [Delivery.Failure]) {
        count("iot_notify_failed_total", "Attempts to notify a receiver that failed.", by: failures.count)
        for failure in failures { context.logger.warning("\(receiver.name): \(failure)") }
    }

    // MARK: metrics

    private func prepareMetrics() {
        count("iot_notify_sent_total", "Notifications that a receiver took.", by: 0)
        count("iot_notify_failed_total", "Attempts to notify a receiver that failed.", by: 0)
        count("iot_notify_given_up_total", "Notifications that were given up, by receiver.", by: 0)
    }

    private func count(_ name: String, _ help: String, by amount: Int) {
        context.metrics.count(name, help, by: amount, labels: labels)
    }

    private func setGauges(_ waiting: WaitingNotifications) {
        context.metrics.set(
            "iot_notify_waiting", "Notifications that a receiver has not taken yet.", to: Double(waiting.count),
            labels: labels)
        context.metrics.set(
            "iot_notify_oldest_seconds", "Age of the oldest notification that a receiver has not taken yet.",
            to: waiting.oldest?.seconds ?? 0, labels: labels)
    }

    /// Another registry reports them.
    private func forgetGauges() {
        for name in ["iot_notify_waiting", "iot_notify_oldest_seconds"] { context.metrics.forget(name, labels: labels) }
    }
}
