internal import ArgumentParser
internal import Foundation
internal import Pipelines

/// `iotctl context show [NAME]`
struct ContextShow: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows which servers iotctl talks to, and why these. Passwords are masked.",
        discussion: """
            Examples:
              iotctl context show
              iotctl context show lab
              iotctl context show --context lab -o json

            Without a name: what holds now, from environment, context and defaults.
            """)

    /// Which.
    @Argument(
        help: ArgumentHelp("A context, by itself; what holds now if none is given.", valueName: "name"),
        completion: .contexts)
    var name: String?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints it.
    func run() async throws {
        try await perform {
            let contexts = try ContextFile.standard.read()
            // A context by itself is what holds where the environment says nothing.
            let environment = name == nil ? ProcessInfo.processInfo.environment : [:]
            let choice = try ContextChoice(of: name ?? Connections.chosenContext, environment, contexts)
            let servers = try Contexts.variables.map { variable in
                let url = try Settings.value(variable, choice.environment) ?? Settings.standard[variable]
                return (variable, url.map(Contexts.masked), Self.word(choice.sources[variable], choice.name, url))
            }
            let value = Value.record([
                "context": .text(choice.name),
                "servers": .list(
                    servers.map { .record(["variable": .text($0), "url": .text($1), "source": .text($2)]) }),
            ])
            try output.show(value) { _, style in
                Table(
                    columns: [.text("VARIABLE"), .text("FROM"), .text("URL")],
                    rows: servers.map { [Cell($0), Cell($2), Cell($1)] }
                ).text(wide: true, style)
            }
        }
    }

    private static func word(_ source: ContextChoice.Source?, _ name: String?, _ url: String?) -> String {
        switch source {
        case .environment: "environment"
        case .context: "context \(name ?? "")"
        case .standard, nil: url == nil ? "not set" : "default"
        }
    }
}
