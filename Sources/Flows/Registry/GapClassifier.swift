internal import Logging
internal import Model
internal import Postgres
internal import Service
internal import Store

/// Periodically determines why frames are missing, and records the cause in `sequence_gap`.
///
/// Every registry runs it: the same facts give the same causes, and a gap that has a cause is left unchanged.
struct GapClassifier {
    /// Time between two passes over all gaps without a cause.
    static let interval: Duration = .seconds(30)

    let context: Runtime
    let store: StoreConnection

    /// Runs until the task is cancelled.
    ///
    /// No other part waits for it, so `/readyz` does not depend on it. A failure for some sensors does not affect
    /// others.
    func run() async {
        var last: SensorID = 0
        while !Task.isCancelled {
            guard let sensors = await noting({ try await store.sensorsWithoutCauses(after: last) }),
                let end = sensors.last
            else {
                last = 0
                await showMissing()
                try? await Task.sleep(for: Self.interval)
                continue
            }
            let found = await noting { try await store.findCauses(of: sensors) }
            context.metrics.count(
                "iot_registry_causes_found_total", "Gaps of the loss ledger whose cause was found.", by: found ?? 0)
            last = end
        }
        await store.close()
    }

    /// Sets the figure of every cause, also where it is 0, so that an alert sees it grow.
    private func showMissing() async {
        guard let frames = await noting({ try await store.missingFrames() }) else { return }
        for cause in LossCause.allCases {
            context.metrics.set(
                "iot_missing_frames", "Frames that are missing by their sequence numbers, by cause.",
                to: Double(frames[cause] ?? 0), labels: "cause=\"\(cause.rawValue)\"")
        }
    }

    /// Nil if `work` failed; the failure is logged and counted.
    private func noting<Result>(_ work: () async throws -> Result) async -> Result? {
        do { return try await work() } catch {
            context.logger.warning("finding causes of missing frames: \(error); trying again in \(Self.interval)")
            context.metrics.count(
                "iot_registry_causes_failed_total", "Searches for causes of missing frames that failed.")
            return nil
        }
    }
}
