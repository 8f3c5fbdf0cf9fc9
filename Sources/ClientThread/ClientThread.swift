internal import CThread
internal import Glibc
internal import Synchronization

/// One thread for one blocking C client: the executor of the actor that owns the client.
///
/// The thread polls the client's socket *and* its own job queue, so a job (an acknowledgement, a heartbeat, a
/// cancellation) never waits behind a read. Whatever the actor does runs here and nowhere else, and
/// `Actor.assumeIsolated` inside the `ready` closure of `watch` holds, because the thread can tell that it is itself.
///
/// The thread ends at `stop()`. Jobs that are enqueued later run on a short-lived thread of their own, one at a time,
/// so that no caller waits for ever.
public final class ClientThread: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var watch: Watch?
        var stopped = false
        var ended = false
        var identity: pthread_t?
    }

    private struct Watch {
        var descriptor: Int32
        var wantsWrite: Bool
        var every: Duration
        var ready: @Sendable () -> Void
    }

    private let state = Mutex(State())
    private let wake: Int32

    /// Starts a thread of that name (its first 15 bytes show in `ps -L`).
    public init(name: String) {
        wake = cthread_eventfd()
        precondition(wake >= 0, "no file descriptor left for a client thread")
        spawn(name) { $0.run() }
    }

    deinit { close(wake) }

    /// From now on calls `ready` on this thread when `descriptor` can be read (or written, if `wantsWrite`), and at
    /// least once in every `every`. Replaces the watch before. To be called on this thread or before any other use.
    public func watch(
        descriptor: Int32, wantsWrite: Bool = false, every: Duration, ready: @escaping @Sendable () -> Void
    ) {
        state.withLock {
            $0.watch = Watch(descriptor: descriptor, wantsWrite: wantsWrite, every: every, ready: ready)
        }
        cthread_eventfd_signal(wake)
    }

    /// Stops watching: `ready` is not called again once this has run on the thread.
    public func unwatch() { state.withLock { $0.watch = nil } }

    /// Ends the thread once the jobs that are there have run. May be called from any thread, more than once.
    public func stop() {
        state.withLock {
            $0.stopped = true
            $0.watch = nil
        }
        cthread_eventfd_signal(wake)
    }

    // MARK: SerialExecutor

    /// Adds a job and wakes the thread if it may be asleep.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (mustWake, mustRevive) = state.withLock { state in
            state.jobs.append(job)
            let revive = state.ended
            if revive { state.ended = false }
            return (state.jobs.count == 1 && !revive, revive)
        }
        if mustWake { cthread_eventfd_signal(wake) }
        if mustRevive { spawn("late jobs") { $0.run() } }
    }

    /// Whether the caller is this thread.
    public func isIsolatingCurrentContext() -> Bool? {
        state.withLock { state in
            guard let identity = state.identity else { return false }
            return pthread_equal(identity, pthread_self()) != 0
        }
    }

    /// Traps unless the caller is this thread (SE-0424).
    public func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "not on the client's thread")
    }

    // MARK: the thread

    private func spawn(_ name: String, _ body: @escaping @Sendable (ClientThread) -> Void) {
        let start = unsafe Unmanaged.passRetained(ThreadStart(owner: self, name: name, body: body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                let start = unsafe Unmanaged<ThreadStart>.fromOpaque(pointer).takeRetainedValue()
                unsafe cthread_set_name(start.name)
                start.body(start.owner)
                return nil
            }, start.toOpaque())
        precondition(status == 0, "no thread left for a client: errno \(status)")
        pthread_detach(thread)
    }

    private func run() {
        state.withLock { $0.identity = pthread_self() }
        var lastReady = ContinuousClock.now
        while true {
            runJobs()
            let (watch, mustEnd) = state.withLock { state in
                let end = state.stopped && state.jobs.isEmpty
                if end {
                    state.ended = true
                    state.identity = nil
                }
                return (state.watch, end)
            }
            if mustEnd { return }
            pause(watch, &lastReady)
        }
    }

    private func runJobs() {
        while true {
            let jobs = state.withLock { state in
                let jobs = state.jobs
                state.jobs.removeAll(keepingCapacity: true)
                return jobs
            }
            if jobs.isEmpty { return }
            for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
    }

    /// Sleeps until there is a job, the watched descriptor is ready or its time is up; then calls `ready` if due.
    private func pause(_ watch: Watch?, _ lastReady: inout ContinuousClock.Instant) {
        let events = Int16(POLLIN) | (watch?.wantsWrite == true ? Int16(POLLOUT) : 0)
        var descriptors = [
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            pollfd(fd: watch?.descriptor ?? -1, events: events, revents: 0),
        ]
        let timeout = watch.map { ($0.every - lastReady.duration(to: .now)).milliseconds }
        _ = unsafe poll(&descriptors, 2, timeout.map { Int32(max(0, min($0 + 1, 60_000))) } ?? -1)
        if descriptors[0].revents != 0 { cthread_eventfd_drain(wake) }
        guard let watch, descriptors[1].revents != 0 || lastReady.duration(to: .now) >= watch.every else { return }
        guard state.withLock({ $0.watch?.descriptor == watch.descriptor }) else { return }
        lastReady = .now
        watch.ready()
    }
}

/// What the new thread is given.
private final class ThreadStart: Sendable {
    let owner: ClientThread
    let name: String
    let body: @Sendable (ClientThread) -> Void

    init(owner: ClientThread, name: String, body: @escaping @Sendable (ClientThread) -> Void) {
        self.owner = owner
        self.name = name
        self.body = body
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    public var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
