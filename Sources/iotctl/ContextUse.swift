internal import ArgumentParser

/// `iotctl context use NAME`
struct ContextUse: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "use",
        abstract: "Makes a context the current one.",
        discussion: """
            Examples:
              iotctl context use lab
              iotctl context use --none
            """)

    /// Which.
    @Argument(help: ArgumentHelp("The context.", valueName: "name"), completion: .contexts)
    var name: String?

    /// None.
    @Flag(help: "No context: the defaults hold again.")
    var none = false

    /// Refuses what makes no sense.
    func validate() throws {
        guard (name != nil) != none else { throw ValidationError("say which: a name or --none") }
    }

    /// Notes it.
    func run() async throws {
        try await perform {
            try ContextFile.standard.change { contexts in
                if let name { _ = try contexts.urls(of: name) }
                contexts.current = name
            }
        }
    }
}
