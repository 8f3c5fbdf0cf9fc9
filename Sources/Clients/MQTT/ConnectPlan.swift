/// Decides when each client of a fleet may connect: a bounded number at a time, and after a failure only after a
/// backoff that doubles, with jitter, so that thousands of clients of a restarted broker do not reconnect in step.
///
/// A pure value: the caller passes the time.
struct ConnectPlan {
    /// A moment on the monotonic clock.
    typealias Moment = ContinuousClock.Instant

    private enum Phase {
        case waiting(until: Moment)
        case connecting(since: Moment)
        case online(since: Moment)
    }

    private struct Slot {
        var phase: Phase
        var failures = 0
    }

    private let limits: FleetLimits
    private var random: any RandomNumberGenerator & Sendable
    private var slots: [Slot] = []
    private var cursor = 0
    /// The number of clients that wait to connect.
    private(set) var waiting = 0
    /// The number of clients that are connecting.
    private(set) var connecting = 0

    /// A plan without clients; `random` supplies the jitter.
    init(limits: FleetLimits, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.limits = limits
        self.random = random
    }

    /// Adds a client, which may connect at once.
    mutating func add(at now: Moment) {
        slots.append(Slot(phase: .waiting(until: now)))
        waiting += 1
    }

    /// Returns the clients that connect now and marks them as connecting. Clients take turns in round-robin order.
    mutating func start(at now: Moment) -> [Int] {
        var started: [Int] = []
        var looked = 0
        while looked < slots.count, waiting > 0, connecting < limits.connectingMax {
            if case .waiting(let due) = slots[cursor].phase, due <= now {
                slots[cursor].phase = .connecting(since: now)
                waiting -= 1
                connecting += 1
                started.append(cursor)
            }
            cursor = (cursor + 1) % slots.count
            looked += 1
        }
        return started
    }

    /// Records that the client is connected.
    mutating func succeeded(_ client: Int, at now: Moment) {
        guard case .connecting = slots[client].phase else { return }
        slots[client].phase = .online(since: now)
        connecting -= 1
    }

    /// Records that the client's connection or connection attempt has ended; the client waits for the next attempt.
    mutating func failed(_ client: Int, at now: Moment) {
        switch slots[client].phase {
        case .waiting: return
        case .connecting: connecting -= 1
        case .online(let since):
            if now - since >= limits.stableAfter { slots[client].failures = 0 }
        }
        let full = min(limits.backoffFirst * (1 << min(slots[client].failures, 16)), limits.backoffLongest)
        slots[client].failures += 1
        slots[client].phase = .waiting(until: now + full * Double.random(in: 0.5...1, using: &random))
        waiting += 1
    }

    /// The clients that have been connecting for longer than `connectTimeout`.
    func overdue(at now: Moment) -> [Int] {
        guard connecting > 0 else { return [] }
        return slots.indices.filter { client in
            guard case .connecting(let since) = slots[client].phase else { return false }
            return now - since > limits.connectTimeout
        }
    }
}
