internal import Logging
internal import Postgres
internal import Service
internal import Store
internal import Synchronization

/// The configured alarm limits, read every two seconds. Limits whose row cannot be decoded are not evaluated; the others are.
final class LimitWatch: Sendable {
    private let context: Runtime
    private let book = Mutex<ActiveLimits?>(nil)
    private let reported = Mutex<[StoreConnection.UnreadableLimits]>([])

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

    private func keep(
        _ limited: (channels: [StoreConnection.LimitedChannel], unreadable: [StoreConnection.UnreadableLimits])
    ) -> ActiveLimits {
        let read = ActiveLimits(limited.channels)
        book.withLock { $0 = read }
        report(limited.unreadable)
        return read
    }

    /// Logs each row that cannot be decoded, once for as long as it stays so, and counts them. `/readyz` names one of them.
    private func report(_ unreadable: [StoreConnection.UnreadableLimits]) {
        let known = reported.withLock { reported in
            defer { reported = unreadable }
            return reported
        }
        for limits in unreadable where !known.contains(limits) {
            context.logger.error("limits of \(limits.serial) are not evaluated: \(limits.error)")
        }
        IngestMetrics.setUnreadableLimits(unreadable.count, in: context.metrics)
        guard let first = unreadable.first else { return context.readiness.ready("limits") }
        context.readiness.notReady(
            "limits", "\(unreadable.count) limits are not evaluated, such as one of \(first.serial): \(first.error)")
    }

    func run() async throws {
        let store = context.openStore("limits")
        while !Task.isCancelled {
            do {
                _ = keep(try await store.limitedChannels())
            } catch {
                context.readiness.notReady("limits", "\(error)")
            }
            try? await Task.sleep(for: .seconds(2))
        }
    }
}
