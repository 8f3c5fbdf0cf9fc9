internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl wait command ID --for done`
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Waits until a command reaches a state.",
        discussion: """
            Examples:
              iotctl wait command 6fa459ea
              iotctl wait command 6fa459ea --for succeeded --timeout 1m
              iotctl wait command 6fa459ea --for delivered -o json | jq -r '.state'

            The state done means that the command has ended, in any state. The state
            delivered means that the sensor has received it, even if it has ended since.

            Exit codes: 0 state reached; 2 no such command; 3 timed out. If the command
            ended in another state: 1 failed or cancelled, 4 rejected, 5 expired,
            3 timed_out.
            """,
        aliases: ["commands"])

    /// The state that `--for` waits for.
    private enum Goal: Equatable {
        case done
        case state(CommandLife.State)
    }

    /// Length of a complete id, in characters.
    private static let idLength = 36
    /// Time that a new command may take from its issuer to the table.
    private static let grace: Duration = .seconds(2)

    @Argument(help: "The command's id, or a prefix of it.")
    var id: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("done, or the state to wait for.", valueName: "state"))
    var goal = "done"

    @Option(help: "Wait at most this long.")
    var timeout = Duration.seconds(30)

    @OptionGroup var output: OutputOptions

    func validate() throws { _ = try Self.goal(goal) }

    private static func goal(_ word: String) throws -> Goal {
        if word == "done" { return .done }
        if let state = CommandLife.State(rawValue: word) { return .state(state) }
        let names = ["done"] + CommandLife.State.allCases.map(\.rawValue)
        let proposals = DidYouMean.proposals(for: word, among: names)
        throw ValidationError(
            "no state \(word); "
                + (proposals.isEmpty
                    ? "expected one of \(names.joined(separator: ", "))" : "did you mean \(proposals[0])?"))
    }

    /// Waits, then prints the command's current state.
    func run() async throws {
        let goal = try Self.goal(goal)
        try await perform {
            let command = try await wait(until: goal, in: try Connections().store())
            try output.show(CommandDetailView(command)) { wide, style in
                CommandText(command: command).text(wide: wide, style)
            }
            guard !Self.isMet(goal, by: command) else { return }
            let state = CommandLife.State(rawValue: command.state)
            guard let state, !state.isOpen else {
                throw Failure(ExitStatus.timedOut, "timed out: still \(command.state)")
            }
            throw Failure(Self.status(state), "the command has ended: \(command.state)")
        }
    }

    private func wait(until goal: Goal, in store: StoreConnection) async throws -> CommandRecord {
        let start = ContinuousClock.now
        while true {
            let now = start.duration(to: .now)
            do {
                let command = try await store.requireCommand(id)
                let hasEnded = CommandLife.State(rawValue: command.state)?.isOpen == false
                if Self.isMet(goal, by: command) || hasEnded || now >= timeout { return command }
            } catch let failure as Failure where failure.status == ExitStatus.notFound {
                // The registry may not have stored the command yet.
                if id.count < Self.idLength || now >= min(timeout, Self.grace) { throw failure }
            }
            try await Task.sleep(for: min(Wait.interval, max(.milliseconds(1), timeout - now)))
        }
    }

    private static func isMet(_ goal: Goal, by command: CommandRecord) -> Bool {
        let state = CommandLife.State(rawValue: command.state)
        return switch goal {
        case .done: state?.isOpen == false
        case .state(.queued): true
        case .state(.delivered): state == .delivered || command.deliveredAt != nil
        case .state(let wanted): state == wanted
        }
    }

    /// The exit code for a command that ended in another state than `--for` asks for.
    private static func status(_ state: CommandLife.State) -> ExitCode {
        switch state {
        case .rejected: ExitStatus.rejected
        case .expired: ExitStatus.expired
        case .timedOut: ExitStatus.timedOut
        case .queued, .delivered, .succeeded, .failed, .cancelled: ExitStatus.failed
        }
    }
}
