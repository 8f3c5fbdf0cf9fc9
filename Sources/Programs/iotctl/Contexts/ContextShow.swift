internal import ArgumentParser
internal import Endpoint
internal import Foundation
internal import Records
internal import Service

/// `iotctl context show [NAME]`
struct ContextShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows the server URLs and their sources. Passwords are masked.",
        discussion: """
            Examples:
              iotctl context show
              iotctl context show lab
              iotctl context show --context lab -o json

            Without a name it shows the URLs in use, from environment, context and
            defaults.
            """)

    @Argument(
        help: ArgumentHelp("A context by itself; the URLs in use if none is given.", valueName: "name"),
        completion: .contexts)
    var name: String?

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let contexts = try ContextFile.standard.read()
            // A context by itself is shown as in an empty environment.
            let environment = name == nil ? ProcessInfo.processInfo.environment : [:]
            let choice = try ContextChoice(of: name ?? Connections.chosenContext, environment, contexts)
            let servers = try Endpoint.Kind.allCases.map { kind in
                let url = try Settings.url(kind, choice.environment)
                return ConnectionsView.Server(
                    variable: kind.variable, url: url.map { Contexts.masked($0, kind.variable) },
                    source: Self.word(choice.sources[kind.variable], choice.name, url))
            }
            try output.show(ConnectionsView(context: choice.name, servers: servers)) { _, style in
                Table(
                    columns: [.text("VARIABLE"), .text("FROM"), .text("URL")],
                    rows: servers.map { [Cell($0.variable), Cell($0.source), Cell($0.url)] }
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
