internal import Logging
internal import Postgres
internal import Rules
internal import Service
internal import Store
internal import Synchronization

/// The rule revisions that a replica needs: the newest one, and those that its streams name.
final class RevisionWatch: Sendable {
    /// How often the number of the newest revision is read.
    static let interval: Duration = .milliseconds(250)
    /// The most revisions that are kept in memory besides the newest.
    private static let keptMax = 4

    private struct State {
        var newest: RuleRevision?
        var kept: [RuleRevision] = []
        var gone: Set<Int64> = []

        mutating func keep(_ revision: RuleRevision) {
            kept.removeAll { $0.number == revision.number }
            kept.append(revision)
            if kept.count > RevisionWatch.keptMax { kept.removeFirst() }
        }
    }

    private let context: Runtime
    private let state = Mutex(State())
    /// The connection, over which evaluators save their states too.
    let store: StoreConnection

    init(_ context: Runtime) {
        self.context = context
        store = context.openStore("rules")
    }

    /// The newest revision that was read; nil: none was read, or there is none.
    var newest: RuleRevision? { state.withLock { $0.newest } }

    /// A revision that is in memory.
    func known(_ number: Int64) -> KnownRevision? {
        state.withLock { state in
            if state.gone.contains(number) { return .gone }
            if let newest = state.newest, newest.number == number { return .revision(newest) }
            return state.kept.first { $0.number == number }.map { .revision($0) }
        }
    }

    /// Reads a revision, unless it is in memory.
    /// - Throws: `StoreError`.
    func load(_ number: Int64) async throws -> KnownRevision {
        if let known = known(number) { return known }
        guard let revision = try await store.ruleRevision(number) else {
            context.logger.error("rule revision \(number) does not exist any more; the next one is taken instead")
            state.withLock { _ = $0.gone.insert(number) }
            return .gone
        }
        keep(revision)
        return .revision(revision)
    }

    /// Reads the newest revision, if it is another than before.
    /// - Throws: `StoreError`.
    @discardableResult
    func refresh() async throws -> RuleRevision? {
        let number = try await store.newestRuleRevision()
        guard let number, newest?.number != number, let revision = try await store.ruleRevision(number) else {
            return newest
        }
        state.withLock { state in
            if let before = state.newest { state.keep(before) }
            state.newest = revision
            state.gone.remove(number)
        }
        return revision
    }

    private func keep(_ revision: RuleRevision) { state.withLock { $0.keep(revision) } }

    /// Reads the newest revision until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            _ = try? await context.retrying("reading rules", part: "rules") { try await refresh() }
            try? await Task.sleep(for: Self.interval)
        }
    }
}
