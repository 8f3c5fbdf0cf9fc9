internal import Broker
internal import Sensors
internal import Store
internal import Telemetry
internal import Wire

/// queue logs ▶ hypertable sensor_log.
public enum IngestLogs {
    /// The parts of logs-ingester.
    public static func parts(_ context: ServiceContext) -> [Part] {
        let store = context.openStore("logs")
        let reader = QueueReader(
            context: context, queue: Routing.logsQueue,
            decode: { delivery throws(Rejection) -> Heard<LogLine> in
                let (serial, _) = try Routing.parse(key: delivery.key)
                let line = unsafe try LogLineCodec.decode(delivery.body.span.bytes)
                return Heard(serial: serial, received: delivery.received, content: line)
            },
            store: { lines in
                try await store.record(logs: lines, clockRule: ClockRule())
                context.metrics.count("iot_log_lines_total", "Log lines stored.", by: lines.count)
            })
        return [
            Part {
                try await Schema.wait(context, store)
                try await Schema.declareTopology(context, store)
                try await reader.run()
            }
        ]
    }
}
