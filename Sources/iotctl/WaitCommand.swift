internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl wait command ID --for done`
struct WaitCommand: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "command",
        abstract: "Waits until a command has come so far.",
        discussion: """
            Examples:
              iotctl wait command 6fa459ea
              iotctl wait command 6fa459ea --for succeeded --timeout 1m
              iotctl wait command 6fa459ea --for delivered -o json | jq -r '.state'

            done: it has ended, however; delivered: the sensor has it, or has even ended it.
            Exit codes: 0 it is so; 2 no such command; 3 time is up. If it ended otherwise than
            waited for: 1 failed or cancelled, 4 rejected, 5 expired (3 if it timed out).
            """,
        aliases: ["commands"])

    /// How far a command is to come.
    private enum Goal: Equatable {
        case done
        case state(CommandLife.State)
    }

    /// A whole id.
    private static let idLength = 36
    /// How long a command may take from its issuer to the table.
    private static let grace: Duration = .seconds(2)

    /// Which.
    @Argument(help: "Its id, or the beginning of it.")
    var id: String

    /// What for.
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("done, or the state to wait for.", valueName: "state"))
    var goal = "done"

    /// How long.
    @Option(help: "Wait at most so long.")
    var timeout = Duration.seconds(30)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what is no state.
    func validate() throws { _ = try Self.goal(goal) }

    private static func goal(_ word: String) throws -> Goal {
        if word == "done" { return .done }
        if let state = CommandLife.State(rawValue: word) { return .state(state) }
        let names = ["done"] + CommandLife.State.allCases.map(\.rawValue)
        let proposals = DidYouMean.proposals(for: word, among: names)
        throw ValidationError(
            "no state \(word); "
                + (proposals.isEmpty ? "there are \(names.joined(separator: ", "))" : "did you mean \(proposals[0])?"))
    }

    /// Waits, and prints the command as it is then.
    func run() async throws {
        let goal = try Self.goal(goal)
        try await perform {
            let command = try await wait(until: goal, in: try Connections().store())
            try output.show(command.detail) { wide, style in CommandText(command: command).text(wide: wide, style) }
            guard !Self.isMet(goal, by: command) else { return }
            let state = CommandLife.State(rawValue: command.state)
            guard let state, !state.isOpen else { throw Failure(ExitStatus.timedOut, "time is up: \(command.state)") }
            throw Failure(Self.status(state), "it has ended: \(command.state)")
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
                // It may be on its way to the table.
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

    /// Of a command that ended otherwise than waited for.
    private static func status(_ state: CommandLife.State) -> ExitCode {
        switch state {
        case .rejected: ExitStatus.rejected
        case .expired: ExitStatus.expired
        case .timedOut: ExitStatus.timedOut
        case .queued, .delivered, .succeeded, .failed, .cancelled: ExitStatus.failed
        }
    }
}
