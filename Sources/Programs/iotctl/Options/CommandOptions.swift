internal import AMQP
public import ArgumentParser
internal import Broker
public import Control
internal import Foundation
internal import Messaging
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

extension AckLevel: ExpressibleByArgument {}

extension RolloutRules.Abortion: ExpressibleByArgument {
    /// As `init(_:)`.
    public init?(argument: String) { self.init(argument) }
}

/// The options of all commands that are sent to sensors.
struct CommandOptions: ParsableArguments {
    @OptionGroup var selection: SensorSelection

    @Option(
        name: .customLong("wait"),
        help: ArgumentHelp(
            """
            Wait until each sensor has run the command (done), has received it (delivered), or not (none). Default: \
            done, but none for sensors that are offline.
            """, valueName: "done|delivered|none"))
    var waitFor: AckLevel?

    @Option(help: "Timeout of each answer, from the sending of its command. Default: 10s.")
    var timeout: Duration?

    @Option(
        name: .customLong("expires"), help: "Validity of the command: the sensor does not run it later. At most 49d.")
    var validity = Duration.seconds(60)

    @Option(help: ArgumentHelp("Send at most this many commands a minute, evenly spaced.", valueName: "n"))
    var maxPerMinute: Int?

    @Option(
        help: ArgumentHelp(
            """
            Stop sending when this many commands failed, or this share of the ended ones (checked from 20 ended \
            commands and two failures on; 1% from 200 on). At most 100 commands are open at a time then.
            """, valueName: "n|n%"))
    var abortIfFailed: RolloutRules.Abortion?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard timeout.map({ $0 > .zero }) != false else { throw ValidationError("--timeout must be more than 0") }
        guard validity > .zero, validity <= CommandRequest.validityMax else {
            throw ValidationError("--expires must be more than 0 and at most 49d")
        }
        guard maxPerMinute.map({ $0 > 0 }) != false else {
            throw ValidationError("--max-per-minute must be 1 or more")
        }
    }

    private var rules: RolloutRules {
        RolloutRules(
            waitFor: waitFor ?? .done, timeout: timeout ?? Self.timeoutDefault, validity: validity,
            perMinuteMax: maxPerMinute, abortion: abortIfFailed, waitsForOffline: waitsForOffline)
    }

    private static let timeoutDefault = Duration.seconds(10)

    /// Whether answers of offline sensors are waited for: only if the user says how far or how long to wait.
    private var waitsForOffline: Bool { waitFor != nil || timeout != nil }

    /// Sends the command, prints the outcomes, and ends with the exit code of the worst.
    /// - Parameter words: the serial numbers on the command line.
    func send(_ name: String, _ arguments: [String: Command.Value] = [:], to words: [String]) async throws {
        let selection = selection.naming(words)
        let connections = try Connections().acting(unless: selection.dryRun)
        let store = connections.store()
        let serials = try await selection.serials(words, in: store).compactMap { SerialNumber($0) }
        let request = CommandRequest(name: name, arguments: arguments, issuer: Self.issuer)
        if selection.dryRun { return try showPlan(request, serials) }
        try selection.confirm(serials.count, "send \(name) to \(serials.count.sensors)")
        let absent = try await store.absentSensors(among: serials.map(\.text))
        let broker = try await connections.broker()
        let notice = AbsenceNotice(
            absent: absent, count: serials.count, expiry: .now.advanced(byNanoseconds: validity.nanoseconds),
            waitFor: rules.waitFor, timeout: rules.timeout, waitsForOffline: waitsForOffline)
        if let line = notice.line {
            Talk.say(line)
        } else {
            let receiver = serials.count == 1 ? "\(serials[0])" : serials.count.sensors
            let wait = rules.waitFor == .none ? "" : ", waiting at most \(rules.timeout.short) for each answer"
            Talk.sayOnTerminal("sending \(name) to \(receiver)\(wait)")
        }
        let skipped = waitsForOffline ? [] : absent.filter { $0.presence == .offline }
        let report = try await send(request, to: serials, notWaitingFor: skipped, over: broker, recordedIn: store)
        if !report.isBroken { await broker.close() }
        try output.show(report.results.map { CommandResultView($0, of: name) }) { wide, style in
            selection.isFleet
                ? FleetReport(lines: report.results.map(Self.line)).text(wide: wide, style)
                : Self.table(report.results).text(wide: wide, style)
        }
        try end(report, notWaitedFor: Set(skipped.map(\.serial)))
    }

    /// Sends the command to the sensors that are waited for, then to the others, unless the first rollout was halted.
    private func send(
        _ request: CommandRequest, to sensors: [SerialNumber], notWaitingFor offline: [AbsentSensor],
        over broker: BrokerConnection, recordedIn store: StoreConnection
    ) async throws -> RolloutReport {
        let reasons = Dictionary(
            offline.map { ($0.serial, $0.words) }, uniquingKeysWith: { first, _ in first })
        let present = sensors.filter { reasons[$0.text] == nil }
        let absent = sensors.filter { reasons[$0.text] != nil }
        var report = RolloutReport(results: [], sent: 0)
        if !present.isEmpty { report = try await send(request, to: present, rules, over: broker, recordedIn: store) }
        if absent.isEmpty { return report }
        var rest = RolloutReport(results: absent.map(CommandResult.notSent), sent: 0, halt: report.halt)
        if report.halt == nil {
            var unanswered = rules
            unanswered.waitFor = .none
            rest = try await send(request, to: absent, unanswered, over: broker, recordedIn: store)
        }
        report.sent += rest.sent
        report.halt = rest.halt
        let missing = rest.results.map { $0.unanswered(because: reasons[$0.sensor.text] ?? "", waitFor: rules.waitFor) }
        let results = Dictionary(
            (report.results + missing).map { ($0.sensor, $0) }, uniquingKeysWith: { first, _ in first })
        report.results = sensors.compactMap { results[$0] }
        return report
    }

    private func send(
        _ request: CommandRequest, to sensors: [SerialNumber], _ rules: RolloutRules, over broker: BrokerConnection,
        recordedIn store: StoreConnection
    ) async throws -> RolloutReport {
        do {
            return try await Interrupts.cancelling {
                var bar = ProgressBar(request.name)
                let report = try await Control.send(
                    request, to: sensors, over: broker, recordedIn: store, rules: rules
                ) { bar.show($0) }
                bar.clear()
                return report
            }
        } catch {
            guard var failure = Failure(explaining: error) else { throw error }
            if error is NotConfirmed || (error as? BrokerError)?.isLoss == true {
                failure.lines.append(
                    "the command may have been sent nevertheless; iotctl get commands shows any answer")
            }
            throw failure
        }
    }

    /// Prints the commands that would be sent.
    private func showPlan(_ request: CommandRequest, _ sensors: [SerialNumber]) throws {
        let plan = sensors.map { PlannedCommandView(request, to: $0) }
        let table = Table(
            columns: [.name("SENSOR"), .text("COMMAND"), .long("ARGUMENTS")],
            rows: plan.map { [Cell($0.sensor), Cell($0.command), Cell($0.arguments.json)] })
        try output.show(plan) { wide, style in table.text(wide: wide, style) }
        Talk.say("dry run: the command would be sent to \(sensors.count.sensors); nothing was sent")
    }

    // MARK: the end

    private func end(_ report: RolloutReport, notWaitedFor offline: Set<String>) throws {
        let results = report.results
        let notSent = results.count - report.sent
        let rest = notSent == 0 ? "" : "; \(notSent.sensors) not asked"
        let open = results.filter { $0.outcome == .timedOut && !offline.contains($0.sensor.text) }
        if !open.isEmpty, validity > rules.timeout || report.isBroken {
            let silent = open.count == 1 ? "\(open[0].sensor)" : open.count.sensors
            Talk.say("no answer: \(silent); the command may still be run until \(validity.short) after it was sent")
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
            failure.lines.append("\(report.sent.sensors) asked\(rest); iotctl describe sensor shows the outcome")
            throw failure
        }
        let status = Self.status(CommandOutcome.worst(results.map(\.outcome)))
        if status != .success { throw status }
    }

    /// The exit code of an outcome.
    static func status(_ outcome: CommandOutcome?) -> ExitCode {
        switch outcome {
        case nil, .queued, .delivered, .succeeded: .success
        case .failed, .skipped: ExitStatus.failed
        case .timedOut: ExitStatus.timedOut
        case .rejected: ExitStatus.rejected
        case .expired: ExitStatus.expired
        }
    }

    /// The person who acts, as commands and the record of deletions and renames name it.
    static var issuer: String {
        let process = ProcessInfo.processInfo
        let issuer = "iotctl \(process.userName)@\(process.hostName)"
        return String(decoding: issuer.utf8.prefix(128), as: UTF8.self)
    }

    // MARK: output

    private static func line(_ result: CommandResult) -> FleetReport.Line {
        FleetReport.Line(
            sensor: result.sensor.text, outcome: result.outcome.rawValue, severity: result.outcome.severity,
            milliseconds: result.after?.milliseconds, reason: result.reason)
    }

    private static func table(_ results: [CommandResult]) -> Table {
        let ids = results.compactMap(\.id).shortened
        return Table(
            columns: [.text("ID"), .name("SENSOR"), .text("OUTCOME"), .number("MS"), .long("REASON")],
            expendable: ["MS"],
            rows: results.map {
                [
                    Cell($0.id, brief: $0.id.flatMap { ids[$0] }), Cell($0.sensor.text),
                    Cell(word: $0.outcome.rawValue),
                    Cell($0.after.map { "\($0.milliseconds)" }), Cell($0.reason),
                ]
            })
    }
}

extension CommandResult {
    /// The result of a command that was not sent.
    fileprivate static func notSent(_ sensor: SerialNumber) -> CommandResult {
        CommandResult(id: nil, sensor: sensor, outcome: .skipped, reason: "not sent", after: nil)
    }

    /// The result for an offline sensor: a queued command is unanswered if an answer was asked for.
    fileprivate func unanswered(because reason: String, waitFor: AckLevel) -> CommandResult {
        guard outcome == .queued, waitFor != .none else { return self }
        var result = self
        result.outcome = .timedOut
        result.reason = reason
        return result
    }
}

extension RolloutReport {
    /// Whether the rollout was broken off: the connection may be unusable.
    fileprivate var isBroken: Bool {
        switch halt {
        case .interrupted, .broken: true
        case .stopped, nil: false
        }
    }
}

extension BrokerError {
    /// Whether the connection broke, so that it is not known which messages arrived.
    fileprivate var isLoss: Bool {
        switch self {
        case .lost, .undeliverable: true
        case .unreachable, .refused, .rejected, .cancelled: false
        }
    }
}
