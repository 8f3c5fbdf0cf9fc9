internal import Foundation
internal import Logging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Time

/// Maintains the store: computes rollups, drops old data, completes deletions of histories, records sizes, and checks that all of this works.
///
/// Several registries may run it: the database serializes each step.
struct StoreMaintenance {
    /// How often minutes are closed and rolled up.
    static let rollupInterval: Duration = .seconds(5)
    /// How often the ingesters' progress is recorded.
    static let recordInterval: Duration = .seconds(10)
    /// How often policies are applied and checked.
    static let policyInterval: Duration = .seconds(60)
    /// How often deletions of histories that were interrupted are continued.
    static let deletionInterval: Duration = .seconds(10)
    /// How often a persistent fault is logged.
    static let reminderInterval: Duration = .seconds(3600)

    let context: Runtime
    /// The policies that the configuration sets.
    let policies: [PolicyChange]

    /// Runs until the task is cancelled.
    func run() async throws {
        let store = context.openStore("policies")
        _ = try await context.retrying("setting policies", part: "policies") {
            try await store.configure(policies: policies)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await rollUp(context.openStore("rollups")) }
            group.addTask {
                try await every(Self.recordInterval, "recording ingest", part: "history", context.openStore("history"))
                {
                    try await $0.recordIngest()
                }
            }
            group.addTask {
                try await every(
                    Self.deletionInterval, "deleting histories", part: "deletions", context.openStore("deletions"),
                    deleteHistories)
            }
            group.addTask {
                var reminders = Reminders()
                try await every(Self.policyInterval, "applying policies", part: "policies", store) {
                    try await applyPolicies($0, &reminders)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Repeats one task at an interval.
    private func every(
        _ interval: Duration, _ what: String, part: String, _ store: StoreConnection,
        _ work: (StoreConnection) async throws -> Void
    ) async throws {
        while !Task.isCancelled {
            _ = try await context.retrying(what, part: part) {
                do { try await work(store) } catch let error as StoreError where error.isLockTimeout {
                    // Another registry is at it; the next round suffices.
                    context.logger.debug("\(what): \(error)")
                }
            }
            try? await Task.sleep(for: interval)
        }
    }

    private func rollUp(_ store: StoreConnection) async throws {
        try await every(Self.rollupInterval, "rolling up", part: "rollups", store) { store in
            do { while try await store.rollUp(), !Task.isCancelled {} } catch {
                // The lag matters most when a step fails.
                try? await noteLag(store)
                throw error
            }
            try await noteLag(store)
        }
    }

    /// Continues the deletions of histories that iotctl began and did not complete.
    private func deleteHistories(_ store: StoreConnection) async throws {
        do {
            try await store.completeDeletions { action in
                context.logger.info("the history of \(action.serial), which \(action.issuer) deleted, is gone")
            }
        } catch is CancellationError { return }
    }

    private func noteLag(_ store: StoreConnection) async throws {
        let lag = try await store.rollupLag()
        context.metrics.set(
            "iot_rollup_lag_seconds",
            "Seconds since the end of the newest minute that is rolled up; two minutes are normal.",
            to: lag.seconds ?? 0)
        context.metrics.set(
            "iot_rollup_late_rows", "Rows that arrived late and are not in the rollups yet.", to: Double(lag.lateRows))
    }

    private func applyPolicies(_ store: StoreConnection, _ reminders: inout Reminders) async throws {
        for (tier, count) in try await store.applyPolicies().sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            context.logger.info("retention: dropped \(count) \(tier.isChunked ? "chunks" : "rows") of \(tier.rawValue)")
            context.metrics.count(
                "iot_retention_dropped_total", "Chunks or rows dropped by a retention policy.", by: Int(count),
                labels: "tier=\"\(tier.rawValue)\"")
        }
        // Checked first: recording may fail, and operators rely on the check.
        try await check(store, &reminders)
        let disk = context.settings.databaseDisk?.space
        try await store.recordHistory(diskBytes: disk?.bytes, diskFreeBytes: disk?.freeBytes)
    }

    /// Compares the data with the policies, and does not rely on the success of any job.
    private func check(_ store: StoreConnection, _ reminders: inout Reminders) async throws {
        for policy in try await store.policies(readingOldest: false) {
            context.metrics.set(
                "iot_retention_overdue_seconds", "Seconds for which the oldest data has been overdue for dropping.",
                to: policy.overdue / .seconds(1), labels: "tier=\"\(policy.tier.rawValue)\"")
            if policy.isOverdue, reminders.isDue(policy.tier.rawValue) {
                context.logger.error(
                    "retention of \(policy.tier.rawValue) does not work: the oldest data has been overdue for \(Int(policy.overdue / .seconds(3600))) h"
                )
            }
        }
        if let backup = try await store.newestBackup() {
            context.metrics.set(
                "iot_backup_timestamp_seconds", "Unix time at which the newest backup was completed.",
                to: Double(backup.finished.unixMicroseconds) / 1e6)
        }
        let past = try await store.storagePast()
        let forecast = StorageForecast(past)
        if let newest = past.last {
            context.metrics.set("iot_store_bytes", "Bytes of the database, hourly.", to: Double(newest.bytes))
            if let free = newest.freeBytes {
                context.metrics.set("iot_store_disk_free_bytes", "Free bytes of its volume, hourly.", to: Double(free))
            }
        }
        if let growth = forecast.bytesPerDay {
            context.metrics.set("iot_store_growth_bytes_per_day", "Growth over up to seven past days.", to: growth)
        }
        if let days = forecast.daysLeft {
            context.metrics.set("iot_store_days_left", "Days until the volume is full at that growth.", to: days)
            if days < StorageForecast.daysLeftMin, reminders.isDue("disk") {
                context.logger.error(
                    "the database's disk will be full in \(days.formatted(.number.precision(.fractionLength(1)))) days")
            }
        }
    }

    /// When each message was last logged.
    private struct Reminders {
        private var last: [String: ContinuousClock.Instant] = [:]

        mutating func isDue(_ what: String) -> Bool {
            if let time = last[what], time.duration(to: .now) < StoreMaintenance.reminderInterval { return false }
            last[what] = .now
            return true
        }
    }
}
