internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines

/// What commands have in common that show messages as they come.
struct LiveOptions: ParsableArguments {
    /// End after so many.
    @Option(name: [.customShort("C"), .customLong("count")], help: "End after so many.")
    var count: Int?

    /// End after so long.
    @Option(
        name: [.customShort("W"), .customLong("within")],
        help: "End after this time: with 3 if fewer than -C came (without -C: none), else with 0.")
    var within: Duration?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        if let count, count < 1 { throw ValidationError("-C must be 1 or more") }
        if let within, within <= .zero { throw ValidationError("-W must be more than 0") }
    }

    /// Shows what comes until there was enough, time is up or somebody interrupts.
    /// - Parameters:
    ///   - keys: what to listen to.
    ///   - lengthMax: most messages that wait at the broker.
    ///   - show: prints one; false if it was nothing to count.
    /// - Throws: `Failure`: `timedOut` if time is up before there was enough, `failed` if somebody interrupted before
    ///   `-C` was reached.
    func follow(
        _ keys: [String], over connections: Connections, lengthMax: Int64,
        _ show: @escaping @Sendable (Delivery) throws -> Bool
    ) async throws {
        try await Interrupts.cancelling { [count, within] in
            let broker = try await connections.broker()
            let consumer = try await broker.listen(to: keys, lengthMax: lengthMax)
            let start = ContinuousClock.now
            var shown = 0
            while !Task.isCancelled {
                let left = within.map { $0 - start.duration(to: .now) } ?? .seconds(3600)
                guard left > .zero else {
                    return try Self.end(shown, of: count ?? 1, ExitStatus.timedOut, "time is up")
                }
                for delivery in try await broker.nextBatch(consumer, upTo: 100, timeout: left) where try show(delivery)
                {
                    shown += 1
                    if shown == count { return await broker.close() }
                }
            }
            try Self.end(shown, of: count ?? 0, ExitStatus.failed, "interrupted")
        }
    }

    private static func end(_ shown: Int, of wanted: Int, _ status: ExitCode, _ why: String) throws {
        if shown < wanted { throw Failure(status, "\(why): \(shown) of \(wanted) came") }
    }
}
