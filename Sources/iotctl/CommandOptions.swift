public import ArgumentParser
internal import Broker
internal import Foundation
public import Pipelines
internal import Sensors
internal import Store

extension AckPatience: ExpressibleByArgument {}

/// What all commands that ask something of sensors have in common.
struct CommandOptions: ParsableArguments {
    /// How far to wait.
    @Option(name: .customLong("wait"), help: "done: until it is run; delivered: until the sensor has it; none.")
    var patience = AckPatience.done

    /// How long to wait.
    @Option(help: "How long to wait for answers.")
    var timeout = Duration.seconds(10)

    /// How long it is valid.
    @Option(name: .customLong("expires"), help: "For how long the command may still be run, at most 49d.")
    var validity = Duration.seconds(60)

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        guard validity > .zero, validity <= CommandRequest.validityMax else {
            throw ValidationError("--expires must be more than 0 and at most 49d")
        }
    }

    /// Asks the sensors, prints a line for each and ends with the exit code of the worst outcome.
    func send(_ name: String, _ arguments: [String: Command.Value] = [:], to words: [String]) async throws {
        let connections = try Connections()
        let serials = try await connections.store().require(words).compactMap { SerialNumber($0) }
        let request = CommandRequest(
            name: name, arguments: arguments, validity: validity, issuer: Self.issuer)
        let broker = try await connections.broker()
        let whom = serials.count == 1 ? "\(serials[0])" : "\(serials.count) sensors"
        Talk.sayOnTerminal("asking \(whom) to \(name), waiting at most \(timeout.short)")
        let results = try await send(request, to: serials, over: broker)
        await broker.close()
        try output.show(.list(results.map(Self.value))) { wide, style in Self.table(results).text(wide: wide, style) }
        try end(results)
    }

    private func send(
        _ request: CommandRequest, to sensors: [SerialNumber], over broker: BrokerConnection
    ) async throws -> [CommandResult] {
        do {
            return try await Control.send(
                request, to: sensors, over: broker, patience: patience, timeout: timeout)
        } catch {
            guard var failure = Failure(explaining: error) else { throw error }
            if error is Control.NotConfirmed || (error as? BrokerError)?.isLoss == true {
                failure.lines.append("it may have been sent all the same: iotctl describe sensor shows it if it was")
            }
            throw failure
        }
    }

    private func end(_ results: [CommandResult]) throws {
        let open = results.filter { $0.outcome == .timedOut }
        if !open.isEmpty, validity > timeout {
            let whom = open.count == 1 ? "\(open[0].sensor)" : "\(open.count) sensors"
            Talk.say("\(whom) may still run it until \(validity.short) after it was given")
        }
        let status = Self.status(CommandOutcome.worst(results.map(\.outcome)))
        if status != .success { throw status }
    }

    private static func status(_ outcome: CommandOutcome?) -> ExitCode {
        switch outcome {
        case nil, .queued, .delivered, .succeeded: .success
        case .failed: ExitStatus.failed
        case .timedOut: ExitStatus.timedOut
        case .rejected: ExitStatus.rejected
        case .expired: ExitStatus.expired
        }
    }

    private static var issuer: String {
        let process = ProcessInfo.processInfo
        let issuer = "iotctl \(process.userName)@\(process.hostName)"
        return String(decoding: issuer.utf8.prefix(128), as: UTF8.self)
    }

    private static func value(_ result: CommandResult) -> Value {
        .record([
            "id": .text(result.id), "sensor": .text(result.sensor.text), "command": .text(result.name),
            "outcome": .text(result.outcome.rawValue), "reason": .text(result.reason),
            "milliseconds": .integer(result.after.wholeMilliseconds),
        ])
    }

    private static func table(_ results: [CommandResult]) -> Table {
        Table(
            columns: [.text("ID"), .text("SENSOR"), .text("OUTCOME"), .number("MS"), .text("REASON")],
            rows: results.map {
                [
                    Cell($0.id), Cell($0.sensor.text), Cell(word: $0.outcome.rawValue),
                    Cell(String($0.after.wholeMilliseconds)), Cell($0.reason),
                ]
            })
    }
}

extension BrokerError {
    /// Whether the connection broke, so that nobody knows what arrived.
    fileprivate var isLoss: Bool {
        if case .lost = self { true } else { false }
    }
}
