internal import ArgumentParser

/// `iotctl context use NAME`
struct ContextUse: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use",
        abstract: "Selects the context in use.",
        discussion: """
            Examples:
              iotctl context use lab
              iotctl context use --none
            """)

    @Argument(help: ArgumentHelp("The context.", valueName: "name"), completion: .contexts)
    var name: String?

    @Flag(help: "No context: use the defaults again.")
    var none = false

    func validate() throws {
        guard (name != nil) != none else { throw ValidationError("give either a name or --none") }
    }

    func run() async throws {
        try await perform {
            try ContextFile.standard.change { contexts in
                if let name { _ = try contexts.urls(of: name) }
                contexts.current = name
            }
        }
    }
}
