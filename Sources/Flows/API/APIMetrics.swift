internal import Service
internal import Wire

/// The metrics of machine control.
enum APIMetrics {
    /// Sets those that an alert or a dashboard expects before the first event.
    static func prepare(_ metrics: Metrics) {
        noteWatches(0, in: metrics)
        noteSent(0, in: metrics)
        noteDropped(0, in: metrics)
        noteUnreadable(0, in: metrics)
    }

    /// A call has ended.
    /// - Parameter code: the name of gRPC's status code.
    static func noteCall(_ method: ControlMethod, code: String, in metrics: Metrics) {
        metrics.count(
            "iot_grpc_calls_total", "Calls of machine control that have ended, by gRPC's status code.",
            labels: "method=\"\(method.rawValue)\",code=\"\(code)\"")
    }

    /// The number of clients that watch alarms.
    static func noteWatches(_ count: Int, in metrics: Metrics) {
        metrics.set("iot_grpc_alarm_watches", "Clients that watch alarms.", to: Double(count))
    }

    /// Alarms were handed to a client's connection.
    /// - Parameter delays: the times since the broker had them, in seconds.
    static func noteSent(_ count: Int, delays: [Double] = [], in metrics: Metrics) {
        metrics.count("iot_grpc_alarms_sent_total", "Alarms sent to clients that watch.", by: count)
        metrics.observe(
            "iot_grpc_alarm_delay_seconds", "Time from the broker to the connection of a client that watches.",
            seconds: delays)
    }

    /// A client took nothing for too long.
    static func noteDropped(_ count: Int, in metrics: Metrics) {
        metrics.count(
            "iot_grpc_slow_watches_total", "Watches that were ended because their client read too slowly.", by: count)
    }

    /// Messages of the alarm stream that are no alarms, or that the broker can't deliver.
    static func noteUnreadable(_ count: Int, in metrics: Metrics) {
        metrics.count(
            "iot_grpc_alarms_unreadable_total", "Messages of the alarm stream that were passed over.", by: count)
    }
}
