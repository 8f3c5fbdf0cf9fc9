internal import Logging
internal import Service

/// Repeats a check of the broker's streams, and reports checks that fail. A failed check does not end the service.
enum StreamChecks {
    /// Creates the metric of failed checks, so that an alert sees the first failure, too.
    static func prepare(_ metrics: Metrics) { noteFailures(0, in: metrics) }

    /// Repeats `check` until the task is cancelled.
    static func repeating(
        _ context: Runtime, every pause: Duration, _ check: () async throws -> Void
    ) async {
        var failure = ""
        while !Task.isCancelled {
            do {
                try await check()
                if !failure.isEmpty { context.logger.info("guarding the streams: works again") }
                failure = ""
            } catch {
                noteFailures(1, in: context.metrics)
                if "\(error)" != failure, !Task.isCancelled {
                    context.logger.warning("guarding the streams: \(error); trying again")
                }
                failure = "\(error)"
            }
            try? await Task.sleep(for: pause)
        }
    }

    private static func noteFailures(_ count: Int, in metrics: Metrics) {
        metrics.count("iot_guard_failures_total", "Checks of the broker's disk or streams that failed.", by: count)
    }
}
