internal import ArgumentParser

/// `iotctl context …`
struct Context: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Keeps named connections: which servers iotctl talks to.",
        discussion: """
            Examples:
              iotctl context add lab --file lab.env
              iotctl context use lab
              iotctl context ls
              iotctl get sensors --context lab
              iotctl context show

            They are in contexts.yaml in $XDG_CONFIG_HOME/iotctl or ~/.config/iotctl, or where
            IOTCTL_CONFIG says; only you can read it. Each URL is taken from the environment
            if that has it, else from the context that --context names, or IOTCTL_CONTEXT, or
            that is the current one, else it is the usual place on this machine.
            """,
        subcommands: [
            ContextList.self, ContextShow.self, ContextAdd.self, ContextUse.self, ContextRemove.self,
        ])
}
