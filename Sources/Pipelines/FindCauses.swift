internal import Logging
internal import Sensors
internal import Store
internal import Telemetry

/// Looks now and then why frames are missing, so that `sequence_gap` says it to whoever asks in SQL.
///
/// Every registry does it: the same facts give the same causes, and a gap that has one is left alone.
struct FindCauses {
    /// Time between two looks at all gaps without a cause.
    static let interval: Duration = .seconds(30)

    let context: ServiceContext
    let store: StoreConnection

    /// Runs until the task is cancelled.
    func run() async throws {
        var last: Int32 = 0
        while !Task.isCancelled {
            let after = last
            let page = try await context.retrying("finding causes", part: "causes") {
                try await store.findCauses(after: after)
            }
            guard let page else { break }
            context.metrics.count(
                "iot_registry_causes_found_total", "Gaps of the loss ledger that got a cause.", by: page.found)
            last = page.last ?? 0
            if page.last == nil { try? await Task.sleep(for: Self.interval) }
        }
        await store.close()
    }
}
