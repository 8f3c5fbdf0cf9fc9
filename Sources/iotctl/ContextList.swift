internal import ArgumentParser

/// `iotctl context ls`
struct ContextList: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the contexts.",
        discussion: """
            Examples:
              iotctl context ls
              iotctl context ls -o json | jq -r '.[].name'

            The current one has a star.
            """,
        aliases: ["list"])

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints them.
    func run() async throws {
        try await perform {
            let contexts = try ContextFile.standard.read()
            let rows = contexts.names.map { name in
                (name: name, urls: (contexts.contexts[name] ?? [:]).mapValues(Contexts.masked))
            }
            let value = Value.list(
                rows.map { row in
                    .record([
                        "name": .text(row.name), "current": .flag(row.name == contexts.current),
                        "amqp_url": .text(row.urls["AMQP_URL"]), "mqtt_url": .text(row.urls["MQTT_URL"]),
                        "database_url": .text(row.urls["DATABASE_URL"]),
                        "management_url": .text(row.urls["MANAGEMENT_URL"]),
                    ])
                })
            try output.show(value) { wide, style in
                Table(
                    columns: [
                        .text("CURRENT"), .text("NAME"), .text("BROKER"), .text("DATABASE"), .wide("MQTT"),
                        .wide("MANAGEMENT"),
                    ],
                    rows: rows.map { row in
                        [
                            row.name == contexts.current ? "*" : Cell(" "), Cell(row.name),
                            Cell(row.urls["AMQP_URL"].map(Self.place)), Cell(row.urls["DATABASE_URL"].map(Self.place)),
                            Cell(row.urls["MQTT_URL"]), Cell(row.urls["MANAGEMENT_URL"]),
                        ]
                    }
                ).text(wide: wide, style)
            }
            if rows.isEmpty { Talk.sayOnTerminal("no contexts yet: iotctl context add --help") }
        }
    }

    /// "host:5432/iot": what tells servers apart.
    private static func place(_ url: String) -> String {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        return String(rest.firstIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest)
    }
}
