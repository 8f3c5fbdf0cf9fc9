import Synchronization
import Testing

@testable import ClientThread

@Suite struct ClientThreadTests {
    private actor Client {
        let thread: ClientThread
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

        init(_ thread: ClientThread) { self.thread = thread }

        func isOnItsThread() -> Bool { thread.isIsolatingCurrentContext() == true }
    }

    private final class Counter: Sendable {
        private let value = Mutex(0)

        func add() { value.withLock { $0 += 1 } }
        var count: Int { value.withLock { $0 } }
    }

    @Test func jobsRunOnTheThread() async {
        let thread = ClientThread(name: "test")
        let client = Client(thread)
        #expect(await client.isOnItsThread())
        thread.stop()
        // After its end, too: no caller waits indefinitely.
        for _ in 0..<3 { #expect(await client.isOnItsThread()) }
    }

    /// Without a descriptor the thread works all the same, and asks again until it gets one.
    @Test func withoutADescriptorJobsRunToo() async {
        let asked = Counter()
        let thread = ClientThread(name: "test") {
            asked.add()
            return -1
        }
        let client = Client(thread)
        for _ in 0..<3 { #expect(await client.isOnItsThread()) }
        #expect(asked.count > 1)
        thread.stop()
        #expect(await client.isOnItsThread())
    }
}
