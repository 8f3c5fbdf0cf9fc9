internal import Broker
internal import Messaging
internal import Model
public import Service
internal import Store
internal import Wire

/// queue logs ▶ hypertable sensor_log.
public enum IngestLogs {
    /// The parts of logs-ingester.
    public static func parts(_ context: Runtime) -> [Component] {
        let store = context.openStore("logs")
        let reader = QueueReader(
            context: context, queue: Routing.logsQueue,
            decode: { delivery throws(Rejection) -> Received<LogLine> in
                let (serial, _) = try Routing.parse(key: delivery.key)
                let line = unsafe try LogLineCodec.decode(delivery.body.span.bytes)
                return Received(
                    serial: serial, received: delivery.received, content: line, isRedelivered: delivery.isRedelivered)
            },
            store: { lines in
                try await store.record(logs: lines, clockRule: ClockRule())
                context.metrics.count("iot_log_lines_total", "Log lines stored.", by: lines.count)
            }, quarantine: { try await store.quarantine($0) })
        context.metrics.noteQuarantined(.undeliverable, count: 0)
        return [
            Component {
                try await Schema.wait(context, store)
                try await Schema.declareTopology(context, store)
                try await reader.run()
            }
        ]
    }
}
