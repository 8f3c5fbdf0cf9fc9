internal import Foundation
internal import Logging
internal import Sensors
internal import Store
internal import Telemetry

/// Rolls up, drops what is old, writes down how large everything is, and checks that all of that works.
///
/// Several registries may run it: the database lets one at a time do each step.
struct TendStore {
    /// How often minutes are closed and rolled up.
    static let rollupInterval: Duration = .seconds(5)
    /// How often the ingesters' progress is written down.
    static let recordInterval: Duration = .seconds(10)
    /// How often policies are applied and checked.
    static let policyInterval: Duration = .seconds(60)
    /// How often a fault that stays is logged.
    static let reminderInterval: Duration = .seconds(3600)
    /// Fewer days until the disk is full are a fault.
    static let daysLeftMin: Double = 7

    let context: ServiceContext
    /// What the configuration says of policies.
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
                var reminders = Reminders()
                try await every(Self.policyInterval, "applying policies", part: "policies", store) {
                    try await applyPolicies($0, &reminders)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Does one thing again and again.
    private func every(
        _ interval: Duration, _ what: String, part: String, _ store: StoreConnection,
        _ work: (StoreConnection) async throws -> Void
    ) async throws {
        while !Task.isCancelled {
            _ = try await context.retrying(what, part: part) {
                do { try await work(store) } catch let error as StoreError where error.isLockTimeout {
                    // Somebody writes right there; the next time will do.
                    context.logger.debug("\(what): \(error)")
                }
            }
            try? await Task.sleep(for: interval)
        }
    }

    private func rollUp(_ store: StoreConnection) async throws {
        try await every(Self.rollupInterval, "rolling up", part: "rollups", store) { store in
            do { while try await store.rollUp(), !Task.isCancelled {} } catch {
                // The lag is said above all where something is wrong.
                try? await noteLag(store)
                throw error
            }
            try await noteLag(store)
        }
    }

    private func noteLag(_ store: StoreConnection) async throws {
        let lag = try await store.rollupLag()
        context.metrics.set(
            "iot_rollup_lag_seconds",
            "Since the end of the newest minute that is rolled up; two minutes are normal.",
            to: lag.seconds ?? 0)
        context.metrics.set(
            "iot_rollup_late_rows", "Rows that came late and are not in the rollups yet.", to: Double(lag.lateRows))
    }

    private func applyPolicies(_ store: StoreConnection, _ reminders: inout Reminders) async throws {
        for (tier, count) in try await store.applyPolicies().sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            context.logger.info("retention: dropped \(count) \(tier.isChunked ? "chunks" : "rows") of \(tier.rawValue)")
            context.metrics.count(
                "iot_retention_dropped_total", "Chunks or rows that were dropped by policy.", by: Int(count),
                labels: "tier=\"\(tier.rawValue)\"")
        }
        // Checked first: what is written down may fail, and the check is what people rely on.
        try await check(store, &reminders)
        let disk = context.settings.databaseDisk?.space
        try await store.recordHistory(diskBytes: disk?.bytes, diskFreeBytes: disk?.freeBytes)
    }

    /// Trusts no job: what is there is compared with what should be.
    private func check(_ store: StoreConnection, _ reminders: inout Reminders) async throws {
        for policy in try await store.policies() {
            context.metrics.set(
                "iot_retention_overdue_seconds", "For how long the oldest should have been gone.",
                to: policy.overdue / .seconds(1), labels: "tier=\"\(policy.tier.rawValue)\"")
            if policy.isOverdue, reminders.isDue(policy.tier.rawValue) {
                context.logger.error(
                    "retention of \(policy.tier.rawValue) does not work: the oldest should have been gone for \(Int(policy.overdue / .seconds(3600))) h"
                )
            }
        }
        if let backup = try await store.newestBackup() {
            context.metrics.set(
                "iot_backup_timestamp_seconds", "Unix time at which the newest backup was complete.",
                to: Double(backup.finished.unixMicroseconds) / 1e6)
        }
        let past = try await store.storagePast()
        let forecast = StorageForecast(past)
        if let newest = past.last {
            context.metrics.set("iot_store_bytes", "Size of the database, hourly.", to: Double(newest.bytes))
            if let free = newest.freeBytes {
                context.metrics.set("iot_store_disk_free_bytes", "Free on its volume, hourly.", to: Double(free))
            }
        }
        if let growth = forecast.bytesPerDay {
            context.metrics.set("iot_store_growth_bytes_per_day", "Of the past days, seven at most.", to: growth)
        }
        if let days = forecast.daysLeft {
            context.metrics.set("iot_store_days_left", "Until the volume is full, at that growth.", to: days)
            if days < Self.daysLeftMin, reminders.isDue("disk") {
                context.logger.error(
                    "the database's disk will be full in \(days.formatted(.number.precision(.fractionLength(1)))) days")
            }
        }
    }

    /// When what was logged last.
    private struct Reminders {
        private var last: [String: ContinuousClock.Instant] = [:]

        mutating func isDue(_ what: String) -> Bool {
            if let time = last[what], time.duration(to: .now) < TendStore.reminderInterval { return false }
            last[what] = .now
            return true
        }
    }
}

/// Where the database's files are, for the free space there.
public enum DatabaseDisk: Sendable, Equatable {
    /// A folder on the same volume, seen from here.
    case folder(String)
    /// A volume of so many bytes that nothing else is on.
    case size(Int64)

    /// Reads `/var/lib/postgresql`, `200GB`, `64GiB`.
    public init?(_ text: String) {
        if text.hasPrefix("/") {
            self = .folder(text)
            return
        }
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let units: [Substring: Double] = [
            "MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 0x1p20, "GiB": 0x1p30, "TiB": 0x1p40,
        ]
        guard let number = Double(digits), number > 0, let unit = units[text.dropFirst(digits.count)],
            number * unit < 1e18
        else { return nil }
        self = .size(Int64(number * unit))
    }

    /// How much there is, and how much is free as far as is known from here; nil: a folder that can't be seen.
    var space: (bytes: Int64, freeBytes: Int64?)? {
        switch self {
        case .size(let bytes): return (bytes, nil)
        case .folder(let path):
            guard let facts = try? FileManager.default.attributesOfFileSystem(forPath: path),
                let bytes = (facts[.systemSize] as? NSNumber)?.int64Value,
                let free = (facts[.systemFreeSize] as? NSNumber)?.int64Value
            else { return nil }
            return (bytes, free)
        }
    }
}
