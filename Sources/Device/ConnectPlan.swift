/// When each client of a fleet may connect: a bounded number at a time, and after a failure only after a wait that
/// doubles, with jitter, so that thousands of clients of a restarted broker don't come back in step.
///
/// Pure: the moment comes in as an argument.
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
    /// Clients that wait for their turn.
    private(set) var waiting = 0
    /// Clients that are connecting.
    private(set) var connecting = 0

    /// No clients yet; `random` gives the jitter.
    init(limits: FleetLimits, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.limits = limits
        self.random = random
    }

    /// One more client, which may connect at once.
    mutating func add(at now: Moment) {
        slots.append(Slot(phase: .waiting(until: now)))
        waiting += 1
    }

    /// The clients whose turn it is: they are connecting from now on. Clients take turns in a ring.
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

    /// The client is connected.
    mutating func succeeded(_ client: Int, at now: Moment) {
        guard case .connecting = slots[client].phase else { return }
        slots[client].phase = .online(since: now)
        connecting -= 1
    }

    /// The client's connection, or its try to get one, has ended: it waits.
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

    /// The clients that have been connecting for too long.
    func overdue(at now: Moment) -> [Int] {
        guard connecting > 0 else { return [] }
        return slots.indices.filter { client in
            guard case .connecting(let since) = slots[client].phase else { return false }
            return now - since > limits.connectTimeout
        }
    }
}
