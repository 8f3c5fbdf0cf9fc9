internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Sensors
internal import Wire

/// `iotctl watch alarms`
struct WatchAlarms: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "alarms",
        abstract: "Shows alarms as they begin (trigger) and end (clear), one line each. Times are UTC.",
        discussion: """
            Examples:
              iotctl watch alarms
              iotctl watch alarms -C 1 -W 30s
              iotctl watch alarms -o json | jq 'select(.event == "trigger").text'

            Ctrl-C ends with 0, or with 1 if -C was not reached.
            """,
        aliases: ["alarm"])

    /// How many, how long, how.
    @OptionGroup var live: LiveOptions

    /// Shows them.
    func run() async throws {
        try await perform {
            try await live.follow(["*.alarms.#"], over: try Connections(), lengthMax: 10_000, state: ()) {
                delivery, _ in
                let (sensor, subject) = try Routing.parse(key: delivery.key)
                guard case .alarm(let edge) = subject else { return [] }
                return [Self.line(unsafe try AlarmCodec.decode(delivery.body.span.bytes), sensor, edge)]
            }
        }
    }

    private static func line(_ alarm: Alarm, _ sensor: SerialNumber, _ edge: Alarm.Edge) -> LiveLine {
        let word = edge.rawValue + String(repeating: " ", count: 7 - edge.rawValue.count)
        return LiveLine(
            value: value(alarm, sensor, edge), cells: [Cell(alarm.at.short), Cell(word, Tone(word: edge.rawValue))],
            text: "\(sensor)  \(alarm.rule)  \(alarm.value.short) (limit \(alarm.limit.short))")
    }

    /// docs/iotctl-json.md, "alarm event".
    private static func value(_ alarm: Alarm, _ sensor: SerialNumber, _ edge: Alarm.Edge) -> Value {
        .record([
            "event": .text(edge.rawValue), "id": .text(alarm.id), "sensor": .text(sensor.text),
            "channel": .integer(Int64(alarm.channel)), "rule": .text(alarm.rule), "value": .number(alarm.value),
            "limit_value": .number(alarm.limit), "at": .time(alarm.at), "boot_id": .integer(alarm.position?.boot),
            "sequence": .integer(alarm.position?.sequence), "text": .text(alarm.text),
        ])
    }
}
