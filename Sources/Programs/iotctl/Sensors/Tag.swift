internal import ArgumentParser
internal import Postgres
internal import Records
internal import Store

/// `iotctl tag SENSOR…|-l SELECTOR|--all name=value|name-…`
struct Tag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag",
        abstract: "Sets and removes tags of sensors.",
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

            A word with = sets a tag. A word that ends in a minus, or name=null, removes
            the tag. Other words are serial numbers. Dots nest names; values are texts.
            """)

    @Argument(
        help: ArgumentHelp("Serial numbers or globs and changes.", valueName: "sensor> ... <name=value"),
        completion: .sensors)
    var words: [String] = []

    @OptionGroup var selection: SensorSelection

    @OptionGroup var output: OutputOptions

    private var serials: [String] { words.filter { !TagChange.isChange($0) } }

    private func changes() throws(TagChange.Invalid) -> [TagChange] {
        try words.filter(TagChange.isChange).map { word throws(TagChange.Invalid) in try TagChange(word) }
    }

    func validate() throws {
        do {
            if try changes().isEmpty { throw ValidationError("which tags? give name=value or name-") }
        } catch let error as TagChange.Invalid { throw ValidationError(error.description) }
        try selection.check(serials)
    }

    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().acting(unless: selection.dryRun).store()
            let selection = selection.naming(serials)
            let serials = try await selection.serials(serials, in: store)
            if !selection.dryRun { try selection.confirm(serials.count, "change the tags of \(serials.count.sensors)") }
            let records = try await store.changeTags(of: serials, dryRun: selection.dryRun) { json in
                changes.reduce(JSONValue(json: json) ?? .object([])) { $1.applied(to: $0) }.json
            }
            await store.close()
            try output.show(records.map(TagsView.init)) { wide, style in
                Self.table(records).text(wide: wide, style)
            }
            let changed = records.count(where: \.isChanged)
            if selection.dryRun { Talk.say("dry run: \(changed.sensors) would change; nothing was changed") }
        }
    }

    private static func table(_ records: [TagsRecord]) -> Table {
        Table(
            columns: [.name("SENSOR"), .text("CHANGED"), .long("TAGS")],
            rows: records.map {
                [
                    Cell($0.serial), Cell($0.isChanged ? "yes" : "no"),
                    Cell((JSONValue(json: $0.json) ?? .null).tagsText),
                ]
            })
    }
}
