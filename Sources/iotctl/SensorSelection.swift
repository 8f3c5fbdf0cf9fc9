internal import ArgumentParser
internal import Foundation
internal import Pipelines
internal import Sensors
internal import Store

extension SensorSelector {
    /// Reads what stands behind `-l`.
    /// - Throws: `ValidationError`.
    static func read(_ text: String) throws -> SensorSelector {
        do { return try SensorSelector(text) } catch { throw ValidationError(error.description) }
    }
}

/// Which sensors a command is for: those named, those that a selector means, or all.
struct SensorSelection: ParsableArguments {
    /// Those that it means.
    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("Those that this fits: kind=vibration,hall=3,state!=asleep.", valueName: "selector"),
        transform: SensorSelector.read)
    var selector: SensorSelector?

    /// All.
    @Flag(help: "All sensors.")
    var all = false

    /// Don't ask.
    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    /// Only say it.
    @Flag(help: "Change nothing; show what would be done to whom.")
    var dryRun = false

    /// Whether sensors are meant that were not named one by one.
    var isFleet: Bool { selector != nil || all }

    /// Makes sure that it is said in exactly one way which sensors are meant.
    /// - Parameter words: the serials that were named.
    /// - Throws: `ValidationError`.
    func check(_ words: [String]) throws {
        switch (words.isEmpty ? 0 : 1) + (selector == nil ? 0 : 1) + (all ? 1 : 0) {
        case 0: throw ValidationError("which sensors? give serial numbers, -l SELECTOR or --all")
        case 1: return
        default: throw ValidationError("give serial numbers, -l or --all: only one of them")
        }
    }

    /// The serials of the sensors that are meant, each once.
    /// - Throws: `Failure` with `notFound` if there is none, or not all that were named; `StoreError`.
    func serials(_ words: [String], in store: StoreConnection) async throws -> [String] {
        guard isFleet else { return try await store.require(words) }
        let serials = try await store.serials(matching: selector ?? .all)
        if serials.isEmpty {
            throw Failure(ExitStatus.notFound, selector == nil ? "there are no sensors" : "no sensor fits the selector")
        }
        return serials
    }

    /// Asks on a terminal whether to do it to more than one sensor that was not named; without a terminal it is done.
    /// - Parameter question: "ask 5 sensors to sleep".
    /// - Throws: `Failure` if the answer is no.
    func confirm(_ count: Int, _ question: String) throws {
        if isFleet, count > 1 { try Terminal.confirm(question, yes: yes) }
    }
}

/// Whoever sits before the program.
enum Terminal {
    /// Asks whether to go on, on stderr; without a terminal nobody is asked.
    /// - Parameters:
    ///   - question: without its mark.
    ///   - yes: whether the answer was given beforehand.
    /// - Throws: `Failure` unless the answer is yes.
    static func confirm(_ question: String, yes: Bool) throws {
        if yes || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1 { return }
        try? FileHandle.standardError.write(contentsOf: Data("\(question.printable)? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased()) else { throw Failure(ExitStatus.failed, "nothing done") }
    }
}

extension Int {
    /// "1 sensor", "5 sensors".
    var sensors: String { self == 1 ? "1 sensor" : "\(self) sensors" }
}
