internal import Store
internal import Support

/// What one receiver is sent next, and when. A value without I/O; the caller brings the time.
struct NotifyPlanner {
    /// The next step.
    enum Step: Equatable {
        /// A message about one change, of a webhook or a mail.
        case one(AlarmNotification)
        /// A message about many changes, because the rate allows only one more.
        case summary([AlarmNotification])
        /// Alerts, in one POST.
        case alerts([AlarmNotification])
        /// The active alarms again.
        case keepAlive
        /// Nothing before this time; nil: before there is something new.
        case wait(until: ContinuousClock.Instant?)
    }

    /// The most alerts in one POST to Alertmanager.
    static let alertsMax = 200

    private let rate: NotifyConfiguration.Rate
    /// How often active alarms are sent again; nil: never.
    private let keepAlive: Duration?
    private var backoff: Backoff
    private var blockedUntil: ContinuousClock.Instant?
    private var keptAlive: ContinuousClock.Instant?
    /// When each message of the last window was sent.
    private var sent: [ContinuousClock.Instant] = []

    init(_ receiver: NotifyConfiguration.Receiver) {
        rate = receiver.rate
        backoff = Backoff(first: min(.milliseconds(500), receiver.retryAtMost), longest: receiver.retryAtMost)
        if case .alertmanager(let settings) = receiver.kind { keepAlive = settings.keepAlive } else { keepAlive = nil }
    }

    /// The next step, with these changes waiting, oldest first.
    mutating func next(at now: ContinuousClock.Instant, waiting: [AlarmNotification]) -> Step {
        if let blockedUntil, now < blockedUntil { return .wait(until: blockedUntil) }
        if let keepAlive { return nextOfAlertmanager(at: now, every: keepAlive, waiting) }
        sent.removeAll { [rate] in $0 + rate.window <= now }
        guard let first = waiting.first else { return .wait(until: nil) }
        let left = rate.messages - sent.count
        guard left > 0 else { return .wait(until: sent.first.map { $0 + rate.window }) }
        return left == 1 && waiting.count > 1 ? .summary(waiting) : .one(first)
    }

    private func nextOfAlertmanager(
        at now: ContinuousClock.Instant, every interval: Duration, _ waiting: [AlarmNotification]
    ) -> Step {
        if let keptAlive, now < keptAlive + interval {
            if !waiting.isEmpty { return .alerts(Array(waiting.prefix(Self.alertsMax))) }
            return .wait(until: keptAlive + interval)
        }
        return .keepAlive
    }

    /// The receiver took a message about changes.
    mutating func took(at now: ContinuousClock.Instant) {
        if keepAlive == nil { sent.append(now) }
        backoff.reset()
        blockedUntil = nil
    }

    /// The receiver took all active alarms again.
    mutating func keptAlive(at now: ContinuousClock.Instant) {
        keptAlive = now
        backoff.reset()
        blockedUntil = nil
    }

    /// The receiver did not take anything: it is left alone for a while.
    /// - Returns: for how long.
    mutating func failed(
        at now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator
    ) -> Duration {
        let pause = backoff.next(using: &random)
        blockedUntil = now + pause
        return pause
    }

    /// The receiver refused this message, and may take others.
    /// - Parameter attempts: how often the message was tried before.
    /// - Returns: when this message is tried again; its share of the rate is used.
    mutating func refused(
        at now: ContinuousClock.Instant, attempts: Int, using random: inout some RandomNumberGenerator
    ) -> Duration {
        if keepAlive == nil { sent.append(now) }
        var pauses = Backoff(first: .seconds(1), longest: .seconds(300))
        var pause = pauses.next(using: &random)
        for _ in 0..<min(attempts, 16) { pause = pauses.next(using: &random) }
        return pause
    }
}
