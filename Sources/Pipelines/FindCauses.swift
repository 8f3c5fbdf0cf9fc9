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
    ///
    /// Nobody waits for it, so `/readyz` does not depend on it, and sensors that it fails for keep it from no others.
    func run() async {
        var last: Int32 = 0
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
                "iot_registry_causes_found_total", "Gaps of the loss ledger that got a cause.", by: found ?? 0)
            last = end
        }
        await store.close()
    }

    /// Each cause has a figure, also that which nothing is missing for: an alert sees it grow.
    private func showMissing() async {
        guard let frames = await noting({ try await store.missingFrames() }) else { return }
        for cause in LossCause.allCases {
            context.metrics.set(
                "iot_missing_frames", "Frames that are missing by their numbers, by cause.",
                to: Double(frames[cause] ?? 0), labels: "cause=\"\(cause.rawValue)\"")
        }
    }

    /// Nil if it failed, which is logged and counted.
    private func noting<Result>(_ work: () async throws -> Result) async -> Result? {
        do { return try await work() } catch {
            context.logger.warning("finding causes of missing frames: \(error); trying again in \(Self.interval)")
            context.metrics.count(
                "iot_registry_causes_failed_total", "Looks for causes of missing frames that failed.")
            return nil
        }
    }
}
