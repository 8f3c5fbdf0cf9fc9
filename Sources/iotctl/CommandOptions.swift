public import ArgumentParser
internal import Broker
internal import Foundation
public import Pipelines
internal import Sensors
internal import Store

extension AckPatience: ExpressibleByArgument {}

extension RolloutRules.Abortion: ExpressibleByArgument {
    /// As `init(_:)`.
    public init?(argument: String) { self.init(argument) }
}

/// What all commands that ask something of sensors have in common.
struct CommandOptions: ParsableArguments {
    /// Which sensors, if they are not named.
    @OptionGroup var selection: SensorSelection

    /// How far to wait.
    @Option(name: .customLong("wait"), help: "done: until it is run; delivered: until the sensor has it; none.")
    var patience = AckPatience.done

    /// How long to wait.
    @Option(help: "How long to wait for the answer to each command, from its sending on.")
    var timeout = Duration.seconds(10)

    /// How long it is valid.
    @Option(name: .customLong("expires"), help: "For how long the command may still be run, at most 49d.")
    var validity = Duration.seconds(60)

    /// How fast.
    @Option(help: ArgumentHelp("Ask at most so many sensors a minute, evenly.", valueName: "n"))
    var maxPerMinute: Int?

    /// When to stop.
    @Option(
        help: ArgumentHelp(
            """
            Ask no more sensors when so many failed, or 5% of those that ended (looked at from 20 on, and from two \
            failures on: with 1% from 200 on). At most 100 are open at a time then.
            """, valueName: "n|n%"))
    var abortIfFailed: RolloutRules.Abortion?

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard timeout > .zero else { throw ValidationError("--timeout must be more than 0") }
        guard validity > .zero, validity <= CommandRequest.validityMax else {
            throw ValidationError("--expires must be more than 0 and at most 49d")
        }
        guard maxPerMinute.map({ $0 > 0 }) != false else {
            throw ValidationError("--max-per-minute must be 1 or more")
        }
    }

    private var rules: RolloutRules {
        RolloutRules(
            patience: patience, timeout: timeout, validity: validity, perMinuteMax: maxPerMinute,
            abortion: abortIfFailed)
    }

    /// Asks the sensors, prints what became of it and ends with the exit code of the worst outcome.
    /// - Parameter words: the serials that were named.
    func send(_ name: String, _ arguments: [String: Command.Value] = [:], to words: [String]) async throws {
        let connections = try Connections()
        let store = connections.store()
        let serials = try await selection.serials(words, in: store).compactMap { SerialNumber($0) }
        await store.close()
        let request = CommandRequest(name: name, arguments: arguments, issuer: Self.issuer)
        if selection.dryRun { return try showPlan(request, serials) }
        try selection.confirm(serials.count, "ask \(serials.count.sensors) to \(name)")
        let broker = try await connections.broker()
        let whom = serials.count == 1 ? "\(serials[0])" : serials.count.sensors
        Talk.sayOnTerminal("asking \(whom) to \(name), waiting at most \(timeout.short) for each")
        let report = try await send(request, to: serials, over: broker)
        if !report.isBroken { await broker.close() }
        try output.show(.list(report.results.map { value($0, name) })) { wide, style in
            selection.isFleet
                ? FleetReport(lines: report.results.map(Self.line)).text(wide: wide, style)
                : Self.table(report.results).text(wide: wide, style)
        }
        try end(report)
    }

    private func send(
        _ request: CommandRequest, to sensors: [SerialNumber], over broker: BrokerConnection
    ) async throws -> RolloutReport {
        do {
            return try await Interrupts.cancelling { [rules] in
                var bar = ProgressBar(request.name)
                let report = try await Control.send(request, to: sensors, over: broker, rules: rules) { bar.show($0) }
                bar.clear()
                return report
            }
        } catch {
            guard var failure = Failure(explaining: error) else { throw error }
            if error is Control.NotConfirmed || (error as? BrokerError)?.isLoss == true {
                failure.lines.append("it may have been sent all the same: iotctl describe sensor shows it if it was")
            }
            throw failure
        }
    }

    /// What `--dry-run` prints.
    private func showPlan(_ request: CommandRequest, _ sensors: [SerialNumber]) throws {
        let arguments = Value(request.arguments)
        let plan = sensors.map { sensor in
            Value.record(["sensor": .text(sensor.text), "command": .text(request.name), "arguments": arguments])
        }
        let table = Table(
            columns: [.text("SENSOR"), .text("COMMAND"), .text("ARGUMENTS")],
            rows: sensors.map { [Cell($0.text), Cell(request.name), Cell(arguments.json)] })
        try output.show(.list(plan)) { wide, style in table.text(wide: wide, style) }
        Talk.say("dry run: \(sensors.count.sensors) would be asked, nothing was sent")
    }

    // MARK: the end

    private func end(_ report: RolloutReport) throws {
        let results = report.results
        let notSent = results.count - report.sent
        let rest = notSent == 0 ? "" : "; \(notSent.sensors) not asked"
        let open = results.filter { $0.outcome == .timedOut }
        if !open.isEmpty, validity > timeout || report.isBroken {
            let whom = open.count == 1 ? "\(open[0].sensor)" : open.count.sensors
            Talk.say("\(whom) may still run it until \(validity.short) after it was given")
        }
        switch report.halt {
        case nil: break
        case .stopped(let reason): Talk.say("stopped: \(reason)\(rest)")
        case .interrupted:
            let answered = report.sent - open.count
            throw Failure(
                ExitStatus.failed, "interrupted: \(report.sent.sensors) asked, \(answered) of them answered\(rest)")
        case .broken(let error):
            guard var failure = Failure(explaining: error) else { throw error }
            failure.lines.append("\(report.sent.sensors) asked\(rest); iotctl describe sensor shows what was done")
            throw failure
        }
        let status = Self.status(CommandOutcome.worst(results.map(\.outcome)))
        if status != .success { throw status }
    }

    private static func status(_ outcome: CommandOutcome?) -> ExitCode {
        switch outcome {
        case nil, .queued, .delivered, .succeeded: .success
        case .failed, .skipped: ExitStatus.failed
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

    // MARK: output

    private func value(_ result: CommandResult, _ name: String) -> Value {
        .record([
            "id": .text(result.id), "sensor": .text(result.sensor.text), "command": .text(name),
            "outcome": .text(result.outcome.rawValue), "reason": .text(result.reason),
            "milliseconds": .integer(result.after?.wholeMilliseconds),
        ])
    }

    private static func line(_ result: CommandResult) -> FleetReport.Line {
        FleetReport.Line(
            sensor: result.sensor.text, outcome: result.outcome.rawValue, gravity: result.outcome.gravity,
            milliseconds: result.after?.wholeMilliseconds, reason: result.reason)
    }

    private static func table(_ results: [CommandResult]) -> Table {
        Table(
            columns: [.text("ID"), .text("SENSOR"), .text("OUTCOME"), .number("MS"), .text("REASON")],
            rows: results.map {
                [
                    Cell($0.id), Cell($0.sensor.text), Cell(word: $0.outcome.rawValue),
                    Cell($0.after.map { "\($0.wholeMilliseconds)" }), Cell($0.reason),
                ]
            })
    }
}

extension RolloutReport {
    /// Whether somebody or something broke it off: the broker may not listen any more.
    fileprivate var isBroken: Bool {
        switch halt {
        case .interrupted, .broken: true
        case .stopped, nil: false
        }
    }
}

extension Value {
    /// The arguments of a command, by name.
    init(_ arguments: [String: Command.Value]) {
        self = .object(
            arguments.sorted { $0.key < $1.key }.map { name, value in
                switch value {
                case .number(let number): Field(name: name, value: .number(number))
                case .text(let text): Field(name: name, value: .text(text))
                case .flag(let flag): Field(name: name, value: .flag(flag))
                }
            })
    }
}

extension BrokerError {
    /// Whether the connection broke, so that nobody knows what arrived.
    fileprivate var isLoss: Bool {
        if case .lost = self { true } else { false }
    }
}
