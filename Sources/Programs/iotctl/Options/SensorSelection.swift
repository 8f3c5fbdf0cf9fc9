internal import ArgumentParser
internal import Foundation
internal import Model
internal import Postgres
internal import Service
internal import Store

extension SensorSelector {
    /// Parses the value of `-l`.
    /// - Throws: `ValidationError`.
    static func read(_ text: String) throws -> SensorSelector {
        do { return try SensorSelector(text) } catch { throw ValidationError(error.description) }
    }
}

/// The sensors that a command is for: named ones, those that a selector matches, or all.
struct SensorSelection: ParsableArguments {
    @Option(
        name: [.customShort("l"), .customLong("selector")],
        help: ArgumentHelp("Sensors that match this: kind=vibration,hall=3,state!=asleep.", valueName: "selector"),
        transform: SensorSelector.read)
    var selector: SensorSelector?

    @Flag(help: "All sensors.")
    var all = false

    @OptionGroup var confirmation: Confirmation

    @Flag(help: "Change nothing; show what would be done to which sensors.")
    var dryRun = false

    /// The words of the command line that name sensors, as `naming(_:)` sets them.
    private var names: [String] = []

    /// This selection with the words of the command line that name sensors.
    func naming(_ words: [String]) -> SensorSelection {
        var selection = self
        selection.names = words
        return selection
    }

    /// Whether the sensors are selected by `-l`, `--all` or a glob, not named one by one.
    var isFleet: Bool { selector != nil || all || names.contains { SerialPattern($0).isGlob } }

    /// Checks that the sensors are given in exactly one way.
    /// - Parameter words: the serials and globs on the command line.
    /// - Throws: `ValidationError`.
    func check(_ words: [String]) throws {
        try SerialPattern.check(words)
        switch (words.isEmpty ? 0 : 1) + (selector == nil ? 0 : 1) + (all ? 1 : 0) {
        case 0: throw ValidationError("which sensors? give serial numbers, -l SELECTOR or --all")
        case 1: return
        default: throw ValidationError("give serial numbers, -l or --all: only one of them")
        }
    }

    /// The serials of the selected sensors, without duplicates.
    /// - Throws: `Failure` with `notFound` if no sensor matches, or if a word names none; `StoreError`.
    func serials(_ words: [String], in store: StoreConnection) async throws -> [String] {
        guard selector != nil || all else { return try await store.require(words) }
        let serials = try await store.serials(matching: selector ?? .all)
        if serials.isEmpty {
            throw Failure(
                ExitStatus.notFound, selector == nil ? "there are no sensors" : "no sensor matches the selector")
        }
        return serials
    }

    /// Requires a confirmation if `-l`, `--all` or a glob selects more than one sensor.
    /// - Parameter action: the action in the imperative: "send sleep to 5 sensors".
    /// - Throws: `Failure`, as `Confirmation.require(for:notes:)`.
    func confirm(_ count: Int, _ action: String) throws {
        if isFleet, count > 1 { try confirmation.require(for: action) }
    }
}

extension Int {
    /// "1 sensor", "5 sensors".
    var sensors: String { self == 1 ? "1 sensor" : "\(self) sensors" }
}
