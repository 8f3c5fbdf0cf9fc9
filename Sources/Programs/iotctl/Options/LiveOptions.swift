internal import AMQP
internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Messaging
internal import Model
internal import Service

/// One line of live output.
struct LiveLine: Sendable {
    /// The value for JSON or YAML output; nil: this line is for people only.
    var view: (any Encodable & Sendable)?
    /// The first cells of the line for people, each in the colour of its tone.
    var cells: [Cell]
    /// Uncoloured text after the cells; may be empty. Without cells and text the value is for JSON and YAML only.
    var text: String
    /// Whether `-C` counts the value: not one that describes the state at the start.
    var isCounted = true

    /// The line for people.
    func line(_ style: Style) -> String {
        (cells.map { style.paint($0.text, $0.tone) } + (text.isEmpty ? [] : [text.printable])).joined(separator: "  ")
    }
}

/// Options of the commands that show messages as they arrive.
struct LiveOptions: ParsableArguments {
    @Option(
        name: [.customShort("C"), .customLong("count")],
        help: "End after this many lines; tail: after this many frames.")
    var count: Int?

    @Option(
        name: [.customShort("W"), .customLong("within")],
        help: "End after this time: with 3 if fewer lines than -C were shown (without -C: none), else with 0.")
    var within: Duration?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("-C must be 1 or more") }
        if let within, within <= .zero { throw ValidationError("-W must be more than 0") }
    }

    /// A second source beside the messages, such as the state in the database, which is read at given times after the
    /// subscription.
    struct Look<State: Sendable>: Sendable {
        /// The times, in ascending order.
        var times: [Duration]
        /// Reads the source; returns the lines to show.
        var read: @Sendable (inout State) async throws -> [LiveLine]
    }

    /// Shows messages until `-C` lines were shown, `-W` has passed or the user interrupts.
    /// - Parameters:
    ///   - keys: the binding keys to subscribe to.
    ///   - lengthMax: most messages that wait in the queue at the broker.
    ///   - state: state that `read` and `look` keep from one message to the next.
    ///   - look: a second source; messages that arrive while it is read are not missed.
    ///   - read: returns the lines to show for a message. A `Rejection` is printed on stderr; the message is skipped.
    /// - Throws: `Failure`: `timedOut` if `-W` passed before enough lines were shown, `failed` if the user interrupted
    ///   before `-C` was reached.
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
            /// - Returns: whether `-C` is reached.
            func show(_ lines: [LiveLine]) throws -> Bool {
                for line in lines {
                    try output.show(line)
                    if line.view == nil || !line.isCounted { continue }
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
                    return try Self.end(shown, of: count ?? 1, ExitStatus.timedOut, "timed out")
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
        if shown < wanted { throw Failure(status, "\(why): \(shown) of \(wanted) lines shown") }
    }
}

extension OutputOptions {
    /// Prints a line of live output in the format that was asked for; nothing if it has no part for that format.
    fileprivate func show(_ line: LiveLine) throws {
        switch format {
        case .table, .wide:
            if !line.cells.isEmpty || !line.text.isEmpty { try Out.write(line.line(.standard) + "\n") }
        case .json, .yaml:
            if let view = line.view { try showNext(view) { _ in "" } }
        }
    }
}
