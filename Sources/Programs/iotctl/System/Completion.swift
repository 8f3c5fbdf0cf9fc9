internal import ArgumentParser

/// `iotctl completion SHELL`
struct Completion: AsyncParsableCommand {
    /// A supported shell.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        /// The parser's value for this shell.
        var kind: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Prints the completion script for a shell.",
        discussion: """
            Examples:
              iotctl completion bash > ~/.local/share/bash-completion/completions/iotctl
              iotctl completion zsh > ~/.zfunc/_iotctl
              iotctl completion fish > ~/.config/fish/completions/iotctl.fish

            bash: the folder is read by the package bash-completion; without it put
            eval "$(iotctl completion bash)" into ~/.bashrc. zsh: ~/.zshrc must set
            fpath=(~/.zfunc $fpath) before compinit.

            Names of sensors and targets come from the database, contexts from their file.
            If the database does not answer within a second, no names are proposed.
            """)

    @Argument(help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"))
    var shell: Shell

    func run() async throws { try Out.write(IotCtl.completionScript(for: shell.kind) + "\n") }
}
