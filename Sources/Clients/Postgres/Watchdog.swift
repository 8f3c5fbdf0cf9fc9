internal import Glibc
internal import Synchronization

/// Closes a connection whose call takes too long, because libpq's blocking calls have no deadline. A server or network
/// that does not answer then blocks nothing else.
final class Watchdog: Sendable {
    private let descriptor: Mutex<Int32?>

    private init(_ descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    /// Runs `body`, whose call uses the socket `descriptor`; shuts the socket down if `body` takes longer than `limit`.
    static func guarding<Result>(
        _ descriptor: Int32, for limit: Duration, _ body: () throws -> Result
    ) rethrows -> Result {
        let watchdog = Watchdog(descriptor)
        // Not on the caller's executor: its thread is the one that blocks.
        let alarm = Task.detached {
            try await Task.sleep(for: limit)
            watchdog.bite()
        }
        defer {
            alarm.cancel()
            // From here on the descriptor's number may belong to another file.
            watchdog.descriptor.withLock { $0 = nil }
        }
        return try body()
    }

    private func bite() {
        descriptor.withLock { descriptor in
            if let descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }
}
