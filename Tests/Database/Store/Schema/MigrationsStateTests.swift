import Store
import Testing

/// What is to be done, from checksums alone.
@Suite struct MigrationsStateTests {
    private let program = Migrations.Inventory(
        steps: [1: "a", 2: "b"], functions: ["chart": "c", "samples": "s"], revision: 5)

    private func state(_ change: (inout Migrations.Inventory) -> Void) -> Migrations.State {
        var database = program
        change(&database)
        return Migrations.State(database: database, program: program)
    }

    @Test func anEmptyDatabaseGetsAll() {
        let state = Migrations.State(database: Migrations.Inventory(), program: program)
        #expect(state.missing == [1, 2] && state.changed.isEmpty && state.newer.isEmpty)
        #expect(state.functions == ["chart", "samples"] && !state.hasNewerFunctions)
    }

    @Test func theSameNeedsNothing() {
        #expect(state { _ in } == Migrations.State())
    }

    /// A release before there were files of functions left steps only.
    @Test func aDatabaseOfStepsGetsTheFunctions() {
        let state = state {
            $0.functions = [:]
            $0.revision = 0
        }
        #expect(state.missing.isEmpty && state.functions == ["chart", "samples"])
    }

    @Test func onlyWhatDiffersIsApplied() {
        #expect(
            state {
                $0.functions["chart"] = "x"
                $0.revision = 4
            }.functions == ["chart"])
        #expect(state { $0.functions["samples"] = nil }.functions == ["samples"])
        #expect(state { $0.functions["gone"] = "x" }.functions.isEmpty, "a file that this program has not")
        #expect(state { $0.revision = 4 }.functions.isEmpty)
    }

    /// A step may have dropped what a file defines.
    @Test func afterAStepAllFilesAreApplied() {
        let state = state { $0.steps[2] = nil }
        #expect(state.missing == [2] && state.functions == ["chart", "samples"])
    }

    @Test func functionsOfALaterReleaseAreLeftAlone() {
        let state = state {
            $0.functions = ["chart": "x", "other": "o"]
            $0.revision = 6
        }
        #expect(state.functions.isEmpty && state.hasNewerFunctions)
        // Also where this program brings a step, which another one forgot.
        let both = self.state {
            $0.steps[2] = nil
            $0.revision = 6
        }
        #expect(both.missing == [2] && both.functions.isEmpty && both.hasNewerFunctions)
    }

    @Test func stepsAreComparedBothWays() {
        #expect(state { $0.steps[1] = "x" }.changed == [1])
        #expect(state { $0.steps[9] = "x" }.newer == [9])
        #expect(state { $0.steps[9] = "x" }.missing.isEmpty)
    }

    @Test func whatWasAppliedIsSaidInOneLine() {
        var applied = Migrations.Applied()
        #expect(applied.isEmpty && applied.description.isEmpty)
        applied.functions = ["chart", "samples"]
        #expect(!applied.isEmpty && applied.description == "functions chart, samples")
        applied.steps = [7, 8]
        #expect(applied.description == "steps 7, 8; functions chart, samples")
    }
}
