internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
internal import Sensors

/// One thing of a stream of things: what is printed of it.
struct LiveLine: Sendable {
    /// As JSON or YAML.
    var value: Value
    /// For people; with words whose colour goes with them.
    var cells: [Cell]
    /// What follows them in the colour of plain text.
    var text: String

    /// On one line.
    func line(_ style: Style) -> String {
        (cells.map { style.paint($0.text, $0.tone) } + (text.isEmpty ? [] : [text.printable])).joined(separator: "  ")
    }
}

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

    /// Something else to look at beside the messages, at these times after they are listened to.
    struct Look<State: Sendable>: Sendable {
        /// When, in order.
        var times: [Duration]
        /// What is to be shown of it.
        var read: @Sendable (inout State) async throws -> [LiveLine]
    }

    /// Shows what comes until there was enough, time is up or somebody interrupts.
    /// - Parameters:
    ///   - keys: what to listen to.
    ///   - lengthMax: most messages that wait at the broker.
    ///   - state: what is remembered from one message to the next.
    ///   - look: something else to look at; nothing that comes while it does is missed.
    ///   - read: what is to be shown of a message. A `Rejection` is said on stderr, and nothing else comes of it.
    /// - Throws: `Failure`: `timedOut` if time is up before there was enough, `failed` if somebody interrupted before
    ///   `-C` was reached.
    func follow<State: Sendable>(
        _ keys: [String], over connections: Connections, lengthMax: Int64, state: State, look: Look<State>? = nil,
        _ read: @escaping @Sendable (Delivery, inout State) throws -> [LiveLine]
    ) async throws {
        try await Interrupts.cancelling { [count, within, output] in
            let broker = try await connections.broker()
            let consumer = try await broker.listen(to: keys, lengthMax: lengthMax)
            let start = ContinuousClock.now
            var looks = look?.times ?? []
            var state = state
            var shown = 0
            /// - Returns: whether there was enough.
            func show(_ lines: [LiveLine]) throws -> Bool {
                for line in lines {
                    try output.showNext(line.value) { line.line($0) }
                    shown += 1
                    if shown == count { return true }
                }
                return false
            }
            while !Task.isCancelled {
                let now = start.duration(to: .now)
                if let look, let time = looks.first, now >= time {
                    looks.removeFirst()
                    if try show(try await look.read(&state)) { return await broker.close() }
                }
                let left = within.map { $0 - start.duration(to: .now) } ?? .seconds(3600)
                guard left > .zero else {
                    return try Self.end(shown, of: count ?? 1, ExitStatus.timedOut, "time is up")
                }
                let wait = max(.zero, min(left, (looks.first ?? .seconds(3600) + now) - now))
                for delivery in try await broker.nextBatch(consumer, upTo: 100, timeout: wait) {
                    do {
                        if try show(try read(delivery, &state)) { return await broker.close() }
                    } catch let rejection as Rejection { Talk.say("\(delivery.key): \(rejection)") }
                }
            }
            try Self.end(shown, of: count ?? 0, ExitStatus.failed, "interrupted")
        }
    }

    private static func end(_ shown: Int, of wanted: Int, _ status: ExitCode, _ why: String) throws {
        if shown < wanted { throw Failure(status, "\(why): \(shown) of \(wanted) came") }
    }
}
