import ArgumentParser
import Testing

@testable import iotctl

/// One rule for all commands that need a confirmation.
@Suite struct ConfirmationTests {
    @Test func theUserIsAskedOnATerminalOnly() {
        #expect(Confirmation.step(yes: false, isTerminal: true) == .ask)
        #expect(Confirmation.step(yes: false, isTerminal: false) == .refuse)
        #expect(Confirmation.step(yes: true, isTerminal: true) == .proceed)
        #expect(Confirmation.step(yes: true, isTerminal: false) == .proceed)
    }

    /// No command has a confirmation of its own: what is called `--yes` has the help of the one rule.
    @Test(arguments: HelpTests.Command.all())
    func everyConfirmationIsTheSame(_ command: HelpTests.Command) throws {
        let lines = command.help.split(separator: "\n").map { $0.drop(while: \.isWhitespace) }
        let options = lines.filter { $0.hasPrefix("-") }
        guard options.contains(where: { $0.contains("--yes") }) else { return }
        #expect(options.contains { $0.hasPrefix("-y, --yes") })
        #expect(command.helpText.contains("Do not ask for confirmation; required without a terminal."))
    }
}
