internal import ArgumentParser
internal import Store

/// `iotctl get alarms`
struct GetAlarms: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "alarms",
        abstract: "Lists alarms, the newest first. Times are UTC.",
        discussion: """
            Examples:
              iotctl get alarms --active
              iotctl get alarms --since 1h -o wide
              iotctl get alarms -o json | jq '.[].text'
            """,
        aliases: ["alarm"])

    /// Only those that are on.
    @Flag(help: "Only those that are on.")
    var active = false

    /// Only recent ones.
    @Option(help: "Only those that were raised or cleared within this time, e.g. 1h.")
    var since: Duration?

    /// Most that are listed.
    @Option(help: ArgumentHelp("List at most so many.", valueName: "count"))
    var limit = 1000

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be more than 0") }
    }

    /// Prints them.
    func run() async throws {
        try await perform {
            let alarms = try await Connections().store().alarms(
                AlarmFilter(activeOnly: active, within: since, countMax: limit))
            try output.show(.list(alarms.map(\.record))) { wide, style in Self.table(alarms).text(wide: wide, style) }
            if alarms.isEmpty { Talk.sayOnTerminal("no alarms") }
            if alarms.count == limit { Talk.say("the newest \(limit) only; --limit shows more") }
        }
    }

    /// For people.
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
