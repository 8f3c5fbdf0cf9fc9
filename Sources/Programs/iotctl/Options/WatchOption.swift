internal import ArgumentParser
internal import Postgres
internal import Service
internal import Store

/// The option `-w` of the lists whose changes `iotctl watch` shows.
struct WatchOption: ParsableArguments {
    @Flag(
        name: [.customShort("w"), .customLong("watch")],
        help: "Show changes as they arrive, as iotctl watch does, instead of the list.")
    var isOn = false

    /// Checks that no option is given that applies to the list only.
    /// - Parameters:
    ///   - output: the options of the list's output.
    ///   - options: names of further options, each with whether it is given.
    /// - Throws: `ValidationError`.
    func check(_ output: ListOptions, _ options: KeyValuePairs<String, Bool>) throws {
        guard isOn else { return }
        let own: KeyValuePairs = ["-o name": output.format == .names, "--no-headers": output.noHeaders]
        let given = [own, options].joined().first(where: \.value)
        if let given { throw ValidationError("\(given.key) does not apply to -w") }
    }
}

extension AsyncParsableCommand {
    /// Runs `iotctl watch …` for the sensors and in the format of a list.
    /// - Parameter type: the command that watches; takes serial numbers and `-o`.
    func showChanges<Command: AsyncParsableCommand>(
        _ type: Command.Type, _ filter: SensorFilter, _ output: ListOptions
    ) async throws {
        try await perform {
            var words = filter.words
            if filter.selector != nil {
                let store = try Connections(isQuiet: true).store()
                words = try await filter.serials(in: store) ?? []
                await store.close()
            }
            // The parser of an asynchronous command: that of a synchronous one refuses its completion in debug builds.
            var command = try await type.asyncParse(words + ["-o", output.format.word])
            try await command.run()
        }
    }
}
