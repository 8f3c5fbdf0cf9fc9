internal import ArgumentParser
internal import Broker

/// `iotctl watch …`
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows the present state, then changes as they arrive.",
        discussion: """
            Examples:
              iotctl watch alarms
              iotctl watch sensors lab-1
              iotctl watch commands --changes-only
            """,
        subcommands: [WatchAlarms.self, WatchSensors.self, WatchCommands.self])
}

/// Options that all kinds of `iotctl watch` have.
struct WatchOptions: ParsableArguments {
    @Flag(help: "Leave out the present state; show changes only.")
    var changesOnly = false

    @OptionGroup var live: LiveOptions

    /// Shows the state, then messages, as `LiveOptions.follow`.
    /// - Parameters:
    ///   - isStateNeeded: whether `read` needs the state even if it is not shown.
    ///   - present: reads the state after the subscription, so that no change is missed in between; returns its lines,
    ///     which `-C` does not count.
    func follow<State: Sendable>(
        _ keys: [String], over connections: Connections, lengthMax: Int64, state: State,
        isStateNeeded: Bool = false, present: @escaping @Sendable (inout State) async throws -> [LiveLine],
        _ read: @escaping @Sendable (Delivery, inout State) throws -> [LiveLine]
    ) async throws {
        let look = LiveOptions.Look<State>(times: [.zero]) { [changesOnly] state in
            let lines = try await present(&state)
            return changesOnly
                ? []
                : lines.map { line in
                    var line = line
                    line.isCounted = false
                    return line
                }
        }
        try await live.follow(
            keys, over: connections, lengthMax: lengthMax, state: state,
            look: changesOnly && !isStateNeeded ? nil : look, read)
    }
}
