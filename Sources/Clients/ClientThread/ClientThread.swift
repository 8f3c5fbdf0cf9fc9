internal import CThread
internal import Glibc
internal import Synchronization
internal import Time

/// A thread for one blocking C client: the executor of the actor that owns the client.
///
/// The thread polls the client's socket *and* its own job queue, so a job (an acknowledgement, a heartbeat, a
/// cancellation) never waits behind a read. All code of the actor runs on this thread. `Actor.assumeIsolated` is valid
/// inside the `ready` closure of `watch`, because the executor can tell whether the caller is its own thread.
///
/// The thread ends at `stop()`. Jobs that are enqueued later run on a short-lived thread, one at a time, so that no
/// caller waits indefinitely.
///
/// When the process has no descriptor left for the thread, the thread works all the same and looks for jobs 50 times a
/// second, until it gets a descriptor. Its client, which needs a descriptor too, reports the error.
public final class ClientThread: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var watch: Watch?
        var stopped = false
        var ended = false
        var identity: pthread_t?
        /// An eventfd that interrupts `poll`; -1: none yet.
        var wake: Int32 = -1
    }

    private struct Watch {
        var descriptor: Int32
        var wantsWrite: Bool
        var every: Duration
        var ready: @Sendable () -> Void
    }

    /// The longest wait in milliseconds of a thread that nothing can interrupt.
    private static let waitMax: Int64 = 20

    private let state = Mutex(State())
    private let makeDescriptor: @Sendable () -> Int32

    /// Starts a thread of that name; `ps -L` shows the first 15 bytes of the name.
    public convenience init(name: String) { self.init(name: name) { cthread_eventfd() } }

    /// - Parameter makeDescriptor: creates an eventfd; -1: the process has no descriptor left.
    init(name: String, makeDescriptor: @escaping @Sendable () -> Int32) {
        self.makeDescriptor = makeDescriptor
        state.withLock { $0.wake = makeDescriptor() }
        spawn(name) { $0.run() }
    }

    deinit {
        let wake = state.withLock { $0.wake }
        if wake >= 0 { close(wake) }
    }

    /// Calls `ready` on this thread whenever `descriptor` is readable (or writable, if `wantsWrite`), and at least once
    /// per `every`. Replaces the previous watch. Must be called on this thread or before any other use.
    public func watch(
        descriptor: Int32, wantsWrite: Bool = false, every: Duration, ready: @escaping @Sendable () -> Void
    ) {
        Self.signal(
            state.withLock {
                $0.watch = Watch(descriptor: descriptor, wantsWrite: wantsWrite, every: every, ready: ready)
                return $0.wake
            })
    }

    /// Ends the watch. If called on the thread, `ready` is not called again afterwards.
    public func unwatch() { state.withLock { $0.watch = nil } }

    /// Ends the thread once the enqueued jobs have run. May be called from any thread, more than once.
    public func stop() {
        Self.signal(
            state.withLock {
                $0.stopped = true
                $0.watch = nil
                return $0.wake
            })
    }

    private static func signal(_ wake: Int32) {
        if wake >= 0 { cthread_eventfd_signal(wake) }
    }

    // MARK: SerialExecutor

    /// Enqueues a job and wakes the thread if it may be waiting.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (wake, mustRevive) = state.withLock { state in
            state.jobs.append(job)
            let revive = state.ended
            if revive { state.ended = false }
            return (state.jobs.count == 1 && !revive ? state.wake : -1, revive)
        }
        Self.signal(wake)
        if mustRevive { spawn("late jobs") { $0.run() } }
    }

    /// Whether the caller runs on this thread.
    public func isIsolatingCurrentContext() -> Bool? {
        state.withLock { state in
            guard let identity = state.identity else { return false }
            return pthread_equal(identity, pthread_self()) != 0
        }
    }

    /// Traps unless the caller runs on this thread (SE-0424).
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
            let (watch, wake, mustEnd) = state.withLock { state in
                if state.wake < 0 {
                    state.wake = makeDescriptor()
                    // A job may have come since `runJobs`, without a signal.
                    Self.signal(state.wake)
                }
                let end = state.stopped && state.jobs.isEmpty
                if end {
                    state.ended = true
                    state.identity = nil
                }
                return (state.watch, state.wake, end)
            }
            if mustEnd { return }
            pause(watch, wake, &lastReady)
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

    /// Waits for a job, for the watched descriptor or for the end of the watch's interval; then calls `ready` if due.
    private func pause(_ watch: Watch?, _ wake: Int32, _ lastReady: inout ContinuousClock.Instant) {
        let events = Int16(POLLIN) | (watch?.wantsWrite == true ? Int16(POLLOUT) : 0)
        var descriptors = [
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            pollfd(fd: watch?.descriptor ?? -1, events: events, revents: 0),
        ]
        var timeout = watch.map { max(0, min(($0.every - lastReady.duration(to: .now)).milliseconds + 1, 60_000)) }
        if wake < 0 { timeout = min(timeout ?? Self.waitMax, Self.waitMax) }
        _ = unsafe poll(&descriptors, 2, timeout.map { Int32($0) } ?? -1)
        if descriptors[0].revents != 0 { cthread_eventfd_drain(wake) }
        guard let watch, descriptors[1].revents != 0 || lastReady.duration(to: .now) >= watch.every else { return }
        guard state.withLock({ $0.watch?.descriptor == watch.descriptor }) else { return }
        lastReady = .now
        watch.ready()
    }
}

/// The argument of a new thread.
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
