internal import ArgumentParser
internal import Endpoint
internal import Records

/// `iotctl context ls`
struct ContextList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the contexts.",
        discussion: """
            Examples:
              iotctl context ls
              iotctl context ls -o name

            A star marks the context in use.
            """,
        aliases: ["list"])

    @OptionGroup var output: ListOptions

    func run() async throws {
        try await perform {
            let contexts = try ContextFile.standard.read()
            let views = contexts.names.map { name in
                ContextView(
                    name: name, isCurrent: name == contexts.current, urls: contexts.texts(of: name, Contexts.masked))
            }
            let places = contexts.names.map { name in
                contexts.texts(of: name) { Contexts.endpoint($0, $1)?.place ?? "***" }
            }
            try output.show(views, name: \.name, view: { $0 }) { _ in
                Table(
                    columns: [
                        .text("CURRENT"), .name("NAME"), .long("BROKER"), .long("DATABASE"), .wide("MQTT"),
                        .wide("MANAGEMENT"),
                    ],
                    rows: zip(views, places).map { view, places in
                        [
                            view.isCurrent ? "*" : Cell(" "), Cell(view.name), Cell(places["AMQP_URL"]),
                            Cell(places["DATABASE_URL"]), Cell(view.mqttURL), Cell(view.managementURL),
                        ]
                    })
            }
            if views.isEmpty { Talk.sayOnTerminal("no contexts yet: iotctl context add --help") }
        }
    }
}
