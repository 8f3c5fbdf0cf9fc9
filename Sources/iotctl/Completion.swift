internal import ArgumentParser

/// `iotctl completion SHELL`
struct Completion: AsyncParsableCommand {
    /// A shell that we know.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        /// The same for the parser.
        var kind: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Prints the script by which a shell completes iotctl's command lines.",
        discussion: """
            Examples:
              iotctl completion bash > ~/.local/share/bash-completion/completions/iotctl
              iotctl completion zsh > ~/.zfunc/_iotctl
              iotctl completion fish > ~/.config/fish/completions/iotctl.fish

            bash: that folder needs the package bash-completion; without it put
            eval "$(iotctl completion bash)" into ~/.bashrc. zsh: ~/.zshrc must have
            fpath=(~/.zfunc $fpath) before compinit. fish: nothing else.

            Names of sensors and targets come from the database, contexts from their file;
            where neither answers within a second there are none.
            """)

    /// Which.
    @Argument(help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"))
    var shell: Shell

    /// Prints it.
    func run() async throws { try Out.write(IotCtl.completionScript(for: shell.kind) + "\n") }
}
