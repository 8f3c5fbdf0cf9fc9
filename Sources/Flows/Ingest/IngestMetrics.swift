internal import Messaging
internal import Model
internal import Rules
internal import Service
internal import Time

/// The metrics of measurements-ingester.
enum IngestMetrics {
    /// Sets rare counters to 0, so that an alert sees the first increment too.
    static func begin(in metrics: Metrics) {
        noteResets(0, in: metrics)
        noteLost(0, in: metrics)
        noteUndeliverable(0, in: metrics)
        note(RuleEngine.Counts(), since: RuleEngine.Counts(), in: metrics)
        for reason in RejectionReason.allCases where ![.unroutable, .deadLetter, .undeliverable].contains(reason) {
            metrics.noteQuarantined(reason, count: 0)
        }
    }

    static func noteResets(_ count: Int, in metrics: Metrics) {
        metrics.count("iot_ingest_stream_resets_total", "Streams that were recreated.", by: count)
    }

    static func noteLost(_ count: Int, in metrics: Metrics) {
        metrics.count("iot_ingest_messages_lost_total", "Messages lost to retention.", by: count)
    }

    static func noteUndeliverable(_ count: Int, in metrics: Metrics) {
        metrics.count(
            "iot_ingest_messages_undeliverable_total", "Messages skipped because the broker can't deliver them.",
            by: count)
    }

    static func setUnreadable(_ count: Int, stream: String, in metrics: Metrics) {
        metrics.set(
            "iot_ingest_unreadable_sensors",
            "Sensors with a row that cannot be decoded, whose frames go to the quarantine.", to: Double(count),
            labels: labels(stream))
    }

    /// Forgets what is known of a stream that is not held any more.
    static func forget(_ stream: String, in metrics: Metrics) {
        for gauge in [
            "iot_ingest_lag_seconds", "iot_ingest_unreadable_sensors", "iot_ingest_committed_offset",
            "iot_ingest_evaluated_offset", "iot_ingest_evaluation_lag_seconds", "iot_ingest_rule_revision",
            "iot_rule_states", "iot_rule_state_bytes",
        ] { metrics.forget(gauge, labels: labels(stream)) }
    }

    static func setCommitted(_ offset: Int64, stream: String, in metrics: Metrics) {
        metrics.set(
            "iot_ingest_committed_offset", "Offset of the last message that is stored.", to: Double(offset),
            labels: labels(stream))
    }

    static func setEvaluated(_ evaluation: StreamEvaluation, in metrics: Metrics) {
        let labels = labels(evaluation.stream)
        metrics.set(
            "iot_ingest_rule_revision", "Number of the rule revision by which messages are judged.",
            to: Double(evaluation.engine.revision), labels: labels)
        guard let offset = evaluation.offset, let received = evaluation.received else { return }
        metrics.set(
            "iot_ingest_evaluated_offset", "Offset of the last message that rules have judged.", to: Double(offset),
            labels: labels)
        metrics.set(
            "iot_ingest_evaluation_lag_seconds", "Age of the newest judged message when it was judged.",
            to: Timestamp.now.seconds(since: received), labels: labels)
    }

    static func note(_ counts: RuleEngine.Counts, since before: RuleEngine.Counts, in metrics: Metrics) {
        metrics.count("iot_rule_frames_total", "Frames judged by rules.", by: Int(counts.frames - before.frames))
        metrics.count(
            "iot_rule_late_frames_total", "Frames that came too late to be judged.", by: Int(counts.late - before.late))
        metrics.count(
            "iot_rule_clock_steps_total", "Steps of sensors' clocks that rules have followed.",
            by: Int(counts.clockSteps - before.clockSteps))
        metrics.count(
            "iot_rule_failures_total", "Rules that were disabled because they exceeded their budget.",
            by: Int(counts.failures - before.failures))
    }

    static func noteSaved(bytes: Int, states: Int, _ stream: String, in metrics: Metrics) {
        metrics.count("iot_rule_state_saves_total", "Saved states of rules.", labels: labels(stream))
        metrics.set(
            "iot_rule_state_bytes", "Size of the saved state of rules.", to: Double(bytes), labels: labels(stream))
        metrics.set(
            "iot_rule_states", "Rules on sensors and channels that have a state.", to: Double(states),
            labels: labels(stream))
    }

    static func labels(_ stream: String) -> String { "stream=\"\(stream)\"" }

    static func note(_ counts: IngestCounts, lag now: Timestamp, stream: String, in metrics: Metrics) {
        let labels = labels(stream)
        metrics.count("iot_ingest_frames_total", "Frames stored.", by: counts.frames, labels: labels)
        metrics.count("iot_ingest_samples_total", "Samples stored.", by: counts.samples, labels: labels)
        metrics.count("iot_ingest_rows_total", "Rows of measurement stored.", by: counts.rows, labels: labels)
        metrics.count("iot_ingest_batches_total", "Transactions committed.", labels: labels)
        metrics.count("iot_ingest_late_frames_total", "Frames that filled a gap.", by: counts.late, labels: labels)
        metrics.count(
            "iot_ingest_duplicate_frames_total", "Frames that arrived again, not stored.", by: counts.duplicates,
            labels: labels)
        metrics.count(
            "iot_ingest_given_up_frames_total", "Frames not stored because they lie in joined gaps of the ledger.",
            by: counts.givenUp, labels: labels)
        for (reason, count) in counts.rejected { metrics.noteQuarantined(reason, count: count) }
        for (verdict, count) in counts.clocks where verdict != .ok {
            metrics.count(
                "iot_ingest_untrusted_times_total", "Frames whose time was replaced by that of arrival.", by: count,
                labels: "clock=\"\(verdict)\"")
        }
        metrics.observe(
            "iot_ingest_commit_latency_seconds", "From the broker's stamp of a frame to its commit.",
            seconds: counts.received.map { now.seconds(since: $0) })
        metrics.observe(
            "iot_ingest_sample_age_seconds",
            "From the last sample of a frame, by the device's clock, to its commit.",
            seconds: counts.lastSamples.map { now.seconds(since: $0) })
        if let newest = counts.received.last {
            metrics.set(
                "iot_ingest_lag_seconds", "Age of the newest stored message when it was stored.",
                to: now.seconds(since: newest), labels: labels)
        }
    }
}
