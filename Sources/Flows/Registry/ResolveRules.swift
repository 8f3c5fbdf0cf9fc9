internal import Logging
internal import Postgres
internal import Rules
internal import Service
internal import Store

/// alarm_rule, limits, sensors, channels ▶ rule_revision: makes a new revision within half a second of a change.
///
/// Several registries may run it: the database serializes each step.
struct ResolveRules {
    /// How often the database is asked for changes.
    static let interval: Duration = .milliseconds(500)

    let context: Runtime
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        var reported: Set<String> = []
        while !Task.isCancelled {
            let resolved = try await context.retrying("resolving rules", part: "rules") {
                try await store.resolveRules()
            }
            if let resolved = resolved ?? nil { note(resolved, &reported) }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func note(_ resolved: ResolvedRules, _ reported: inout Set<String>) {
        let revision = resolved.revision
        if resolved.isNew {
            context.logger.info(
                "rule revision \(revision.number): \(revision.rules.count) rules, \(revision.sensors.count) sensors")
        }
        for line in resolved.unreadable where !reported.contains(line) {
            context.logger.error("not evaluated: \(line)")
        }
        reported = Set(resolved.unreadable)
        context.metrics.set("iot_rule_revision", "The newest rule revision.", to: Double(revision.number))
        context.metrics.set(
            "iot_rules_unreadable", "Rules and limits that are not evaluated, because they cannot be read.",
            to: Double(reported.count))
        guard let line = resolved.unreadable.first else { return context.readiness.ready("unreadable rules") }
        context.readiness.notReady("unreadable rules", "\(reported.count) are not evaluated, such as \(line)")
    }
}
