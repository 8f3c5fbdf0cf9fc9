internal import ArgumentParser
internal import Store

/// `iotctl tag SENSOR…|-l SELECTOR|--all name=value|name-…`
struct Tag: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Sets tags of sensors, or takes them away.",
        usage: """
            iotctl tag <sensor> ... <name=value>|<name-> ... [<options>]
            iotctl tag -l <selector>|--all <name=value>|<name-> ... [<options>]
            """,
        discussion: """
            Examples:
              iotctl tag lab-1 lab-2 hall=3 line=2
              iotctl tag lab-1 line-
              iotctl tag -l 'kind=vibration,serial=press-*' machine.maker=Acme --dry-run
              iotctl get sensors -l hall=3,line

            A word with = sets a tag, one with a minus at its end (or name=null) takes it away,
            the others are serial numbers. Names may be nested by dots; values are texts.
            """)

    /// Which, and what.
    @Argument(
        help: ArgumentHelp("Serial numbers and changes.", valueName: "sensor> ... <name=value"), completion: .sensors)
    var words: [String] = []

    /// Which, if they are not named.
    @OptionGroup var selection: SensorSelection

    /// How to print.
    @OptionGroup var output: OutputOptions

    private var serials: [String] { words.filter { !TagChange.isChange($0) } }

    private func changes() throws(TagChange.Invalid) -> [TagChange] {
        try words.filter(TagChange.isChange).map { word throws(TagChange.Invalid) in try TagChange(word) }
    }

    /// Refuses what is no change.
    func validate() throws {
        do {
            if try changes().isEmpty { throw ValidationError("which tags? give name=value or name-") }
        } catch let error as TagChange.Invalid { throw ValidationError(error.description) }
        try selection.check(serials)
    }

    /// Changes them.
    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().store()
            let serials = try await selection.serials(serials, in: store)
            if !selection.dryRun { try selection.confirm(serials.count, "change the tags of \(serials.count.sensors)") }
            let records = try await store.changeTags(of: serials, dryRun: selection.dryRun) { json in
                changes.reduce(Value(json: json) ?? .object([])) { $1.applied(to: $0) }.json
            }
            await store.close()
            try output.show(.list(records.map(Self.value))) { wide, style in
                Self.table(records).text(wide: wide, style)
            }
            let changed = records.count(where: \.isChanged)
            if selection.dryRun { Talk.say("dry run: \(changed.sensors) would change, nothing was done") }
        }
    }

    /// docs/iotctl-json.md, "tags".
    private static func value(_ record: TagsRecord) -> Value {
        .record([
            "sensor": .text(record.serial), "tags": Value(json: record.json) ?? .null,
            "changed": .flag(record.isChanged),
        ])
    }

    private static func table(_ records: [TagsRecord]) -> Table {
        Table(
            columns: [.text("SENSOR"), .text("CHANGED"), .text("TAGS")],
            rows: records.map {
                [Cell($0.serial), Cell($0.isChanged ? "yes" : "no"), Cell((Value(json: $0.json) ?? .null).tagsText)]
            })
    }
}
