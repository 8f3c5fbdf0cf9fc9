internal import ArgumentParser

/// `iotctl context …`
struct Context: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Manages contexts: named sets of server URLs.",
        discussion: """
            Examples:
              iotctl context add lab --file lab.env
              iotctl context use lab
              iotctl context ls
              iotctl get sensors --context lab
              iotctl context show

            Contexts are stored in contexts.yaml in $XDG_CONFIG_HOME/iotctl or
            ~/.config/iotctl, or in the file that IOTCTL_CONFIG names. Only its owner can
            read it. The URL of each server comes from the first of these that sets it:
              1. the context that --context names
              2. the environment: AMQP_URL, or the file that AMQP_URL_FILE names
              3. the context in use: IOTCTL_CONTEXT, else that of iotctl context use
              4. the default on this machine
            If the environment overrides the context in use, iotctl says so on standard
            error. A command that changes something names the servers that it acts on,
            unless they are the defaults.
            """,
        subcommands: [
            ContextList.self, ContextShow.self, ContextAdd.self, ContextUse.self, ContextRemove.self,
        ])
}
