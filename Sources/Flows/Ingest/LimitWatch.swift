internal import Postgres
internal import Service
internal import Store
internal import Synchronization

/// The configured alarm limits, read every two seconds.
final class LimitWatch: Sendable {
    private let context: Runtime
    private let book = Mutex<ActiveLimits?>(nil)

    init(_ context: Runtime) { self.context = context }

    /// The limits. They are read from `store` if they have not been read yet, because a batch that is stored without them
    /// is never evaluated again.
    /// - Throws: `StoreError`.
    func current(_ store: StoreConnection) async throws -> ActiveLimits {
        if let known = book.withLock({ $0 }) { return known }
        return keep(try await store.limitedChannels())
    }

    /// Makes `current` read the limits again, after sensors were deleted.
    func forget() { book.withLock { $0 = nil } }

    private func keep(_ limited: [StoreConnection.LimitedChannel]) -> ActiveLimits {
        let read = ActiveLimits(limited)
        book.withLock { $0 = read }
        return read
    }

    func run() async throws {
        let store = context.openStore("limits")
        while !Task.isCancelled {
            do {
                _ = keep(try await store.limitedChannels())
                context.readiness.ready("limits")
            } catch {
                context.readiness.notReady("limits", "\(error)")
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }
}
