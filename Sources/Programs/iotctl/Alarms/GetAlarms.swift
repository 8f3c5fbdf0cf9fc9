internal import ArgumentParser
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl get alarms [SENSOR…|-l SELECTOR]`
struct GetAlarms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alarms",
        abstract: "Lists alarms, the newest first. Times are UTC.",
        discussion: """
            Examples:
              iotctl get alarms --active
              iotctl get alarms lab-1 'press-*' --since 1h -o wide
              iotctl get alarms -l hall=3 --cleared
              iotctl get alarms -o json | jq '.[].text'
            """,
        aliases: ["alarm"])

    @OptionGroup var filter: SensorFilter

    @Flag(help: "List active alarms only.")
    var active = false

    @Flag(help: "List cleared alarms only.")
    var cleared = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Only alarms raised or cleared since then: 1h, or a date.", valueName: "time"))
    var since: Timestamp?

    @Option(help: ArgumentHelp("List at most this many alarms.", valueName: "count"))
    var limit = 1000

    @OptionGroup var watch: WatchOption

    @OptionGroup var output: ListOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
        try watch.check(output, ["--active": active, "--cleared": cleared, "--since": since != nil])
        guard !active || !cleared else { throw ValidationError("give --active or --cleared, not both") }
    }

    func run() async throws {
        if watch.isOn { return try await showChanges(WatchAlarms.self, filter, output) }
        try await perform {
            let store = try Connections().store()
            let alarms = try await store.alarms(
                AlarmFilter(
                    activeOnly: active, clearedOnly: cleared, within: since?.age,
                    serials: try await filter.serials(in: store), countMax: limit))
            try output.show(alarms, name: \.id, view: { AlarmView($0) }) { _ in Self.table(alarms) }
            if alarms.isEmpty { Talk.sayOnTerminal("no alarms") }
            if alarms.count == limit { Talk.say("only the newest \(limit) are listed; --limit shows more") }
        }
    }

    static func table(_ alarms: [AlarmRecord]) -> Table {
        Table(
            columns: [
                .text("RAISED"), .text("LASTED"), .long("SENSOR"), .long("CHANNEL"), .number("VALUE"),
                .number("LIMIT"), .wide("CLEARED"), .wide("RULE"), .wide("TEXT"), .wide("ID"),
            ],
            rows: alarms.map {
                [
                    Cell($0.raisedAt?.short), $0.isActive ? Cell(word: "active") : Cell($0.lasted?.short),
                    Cell($0.serial), Cell($0.channelText), Cell($0.value?.short), Cell($0.limit?.short),
                    Cell($0.clearedAt?.short), Cell($0.rule), Cell($0.text), Cell($0.id),
                ]
            })
    }
}
