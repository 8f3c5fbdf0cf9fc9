internal import ArgumentParser

/// `iotctl context rm NAME…`
struct ContextRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Removes contexts.",
        discussion: """
            Examples:
              iotctl context rm lab
            """,
        aliases: ["remove"])

    @Argument(help: ArgumentHelp("The contexts.", valueName: "name"), completion: .contexts)
    var names: [String]

    /// Removes all of the contexts, or none if one of them does not exist.
    func run() async throws {
        try await perform {
            var wasCurrent = false
            try ContextFile.standard.change { contexts in
                for name in names { _ = try contexts.urls(of: name) }
                for name in names { contexts.contexts[name] = nil }
                wasCurrent = contexts.current.map(names.contains) == true
                if wasCurrent { contexts.current = nil }
            }
            if wasCurrent { Talk.sayOnTerminal("there is no current context now") }
        }
    }
}
