internal import ArgumentParser
internal import Foundation
internal import Service

/// The confirmation that every command asks for before it acts on several sensors, loads the servers or deletes data.
///
/// On a terminal the user is asked. Without a terminal `--yes` is required. `--yes` always skips the question.
struct Confirmation: ParsableArguments {
    /// What a command does before it acts.
    enum Step: Equatable {
        /// Acts at once.
        case proceed
        /// Asks the user.
        case ask
        /// Ends with the exit code for wrong usage.
        case refuse
    }

    @Flag(name: .shortAndLong, help: "Do not ask for confirmation; required without a terminal.")
    var yes = false

    /// The next step, by whether `--yes` was given and whether the user can be asked.
    static func step(yes: Bool, isTerminal: Bool) -> Step { yes ? .proceed : isTerminal ? .ask : .refuse }

    /// Returns if the action is confirmed.
    /// - Parameters:
    ///   - action: the action in the imperative, without punctuation at its end: "send sleep to 5 sensors".
    ///   - notes: what the user should know before answering, one line each.
    /// - Returns: whether the user was asked, and so has read the notes.
    /// - Throws: `Failure`: `usage` if `--yes` is missing and there is no terminal, `failed` if the answer is not yes.
    @discardableResult
    func require(for action: String, notes: [String] = []) throws -> Bool {
        let isTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        switch Self.step(yes: yes, isTerminal: isTerminal) {
        case .proceed: return false
        case .refuse: throw Failure(ExitStatus.usage, "confirmation required: \(action); add --yes")
        case .ask:
            for note in notes { Talk.say(note) }
            Talk.ask("\(action)? [y/N] ")
            guard ["y", "yes"].contains(readLine()?.lowercased()) else {
                throw Failure(ExitStatus.failed, "not confirmed: \(action); nothing was done")
            }
            return true
        }
    }
}
