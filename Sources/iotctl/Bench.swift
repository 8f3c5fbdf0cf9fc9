internal import ArgumentParser
internal import Bench
internal import Foundation
internal import Pipelines
internal import Synchronization

/// `iotctl bench`
struct BenchCommand: AsyncParsableCommand {
    /// What the messages carry.
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case floats, counts, values

        /// The library's word.
        var signal: SignalForm {
            switch self {
            case .floats: .floats
            case .counts: .counts
            case .values: .value
            }
        }
    }

    /// Samples a second.
    struct Rate: ExpressibleByArgument {
        /// Of all sensors together; nil: as many as the broker confirms.
        let samplesPerSecond: Double?

        /// Reads `unbounded`, `50000`, `50k`, `1.5M`.
        init?(argument: String) {
            if argument == "unbounded" {
                samplesPerSecond = nil
                return
            }
            let factor: Double = argument.hasSuffix("k") ? 1e3 : argument.hasSuffix("M") ? 1e6 : 1
            guard let number = Double(factor > 1 ? String(argument.dropLast()) : argument),
                (1...1e9).contains(number * factor)
            else { return nil }
            samplesPerSecond = number * factor
        }

        /// No limit.
        init() { samplesPerSecond = nil }

        /// For the help.
        var defaultValueDescription: String { "unbounded" }
    }

    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures your servers and ingesters under load, beside two references in the same run.",
        discussion: """
            Examples:
              iotctl bench
              iotctl bench --backlog --form counts --yes
              iotctl bench --rate 50k --frame 50 --repeats 5
              iotctl bench -o json --yes > bench.json

            It publishes frames of sensors of its own with confirms, as fast as it can or at
            --rate, and watches the running ingesters commit them. With --backlog it takes the
            streams from the ingesters while it publishes, so that nothing of any sensor is
            stored meanwhile, and measures how fast they catch up. The references use the same
            messages: librabbitmq alone reads them from streams of its own, and one libpq
            connection copies the rows, encoded beforehand, into a table like measurement.
            committed/drain and committed/copy are the ratios. Figures are the middle one of the
            repeats (the least - the most).

            It loads the system that it measures: the publisher, the broker, the database and
            the ingesters share what there is, and whatever else runs makes every figure worse.
            At an unbounded rate the latency is the backlog. Latencies err by up to 5 ms,
            upwards. Bytes are of the reference's table, with its index, uncompressed.

            Its sensors bench-…, tables and streams are removed at the end, also after Ctrl-C,
            unless --keep is given. The streams of measurements keep its messages until their
            retention drops them. Exit codes: 0; 1 something went wrong; 69 unreachable.
            """)

    /// Samples a frame at most.
    private static let samplesMax = 65_536

    /// What the messages carry.
    @Option(help: "floats, counts (16 bits) or values (one a message).")
    var form = Form.floats

    /// How many.
    @Option(help: "Sensors that take turns: 1 to 10,000.")
    var sensors = 100

    /// How fast.
    @Option(help: "Samples a second of all sensors together: 50k, 1.5M, or unbounded.")
    var rate = Rate()

    /// How long a frame is.
    @Option(help: "Samples in a frame: 1 to 65,536; of values always 1.")
    var frame = 500

    /// How long a run is.
    @Option(help: "Seconds that each run publishes: 1 to 600.")
    var seconds = 10

    /// How often.
    @Option(help: "Runs: 1 to 20.")
    var repeats = 3

    /// What is measured.
    @Flag(help: "Hold the ingesters back while it publishes, then measure how they catch up.")
    var backlog = false

    /// Without a question.
    @Flag(help: "Don't ask. Needed where there is no terminal.")
    var yes = false

    /// With everything left behind.
    @Flag(help: "Leave sensors and their rows where they are.")
    var keep = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard (1...10_000).contains(sensors) else { throw ValidationError("--sensors must be 1 to 10000") }
        guard (1...Self.samplesMax).contains(frame) else { throw ValidationError("--frame must be 1 to 65536") }
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 600") }
        guard (1...20).contains(repeats) else { throw ValidationError("--repeats must be 1 to 20") }
        let length = form == .values ? 1 : frame
        if let rate = rate.samplesPerSecond, rate * Double(seconds) < Double(length) {
            throw ValidationError("at that rate not one frame of \(length) samples is complete in \(seconds) s")
        }
    }

    /// Measures, prints and cleans up.
    func run() async throws {
        try await perform {
            let command = self
            let settings = try Connections().settings
            try confirm(settings)
            try await Interrupts.cancelling { try await command.measure(settings) }
        }
    }

    private func confirm(_ settings: Settings) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw Failure(ExitStatus.usage, "bench loads the system: say --yes, or run it on a terminal")
        }
        Talk.say("this loads \(settings.broker) and \(Connections.databasePlace) for about \(repeats * seconds * 3) s")
        if backlog { Talk.say("for \(seconds) s of each run nothing is stored, of no sensor") }
        try? FileHandle.standardError.write(contentsOf: Data("iotctl: go on? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased()) else { throw Failure(ExitStatus.failed, "not measured") }
    }

    private func measure(_ settings: Settings) async throws {
        let name = UUID().uuidString.prefix(8).lowercased()
        let plan = BenchPlan(
            form: form.signal, length: frame, sensors: sensors, samplesPerSecond: rate.samplesPerSecond,
            duration: .seconds(seconds), isBacklog: backlog, name: name)
        let bench = try await Benchmark(plan, settings)
        var runs: [BenchRun] = []
        var failure: (any Error)?
        do {
            try await bench.prepare()
            for number in 1...repeats {
                let line = Progress(prefix: "run \(number) of \(repeats): ")
                defer { line.clear() }
                runs.append(try await bench.run { line.show($0) })
            }
        } catch { failure = error }
        if !keep {
            Talk.sayOnTerminal("cleaning up")
            // In a task of its own: whoever interrupted does not interrupt this.
            do { try await Task { try await bench.cleanUp() }.value } catch {
                Talk.say(
                    "cleaning up: \(error); left over may be sensors and streams bench-\(name), table \(plan.table)")
            }
        }
        if !runs.isEmpty { try show(plan, runs) }
        switch failure {
        case nil: break
        case is CancellationError: throw Failure(ExitStatus.failed, "interrupted")
        case let trouble as Benchmark.Trouble: throw Failure(ExitStatus.failed, trouble.description)
        case let late as TimedOut: throw Failure(ExitStatus.failed, late.description)
        case .some(let error): throw error
        }
    }

    /// A progress line that several tasks may write.
    private final class Progress: Sendable {
        private let prefix: String
        private let line = Mutex(ProgressLine())

        init(prefix: String) { self.prefix = prefix }

        func show(_ text: String) { line.withLock { $0.show(prefix + text) } }

        func clear() { line.withLock { $0.clear() } }
    }

    // MARK: output

    private func show(_ plan: BenchPlan, _ runs: [BenchRun]) throws {
        let spread = BenchRun.spread(runs)
        let value = Value.record([
            "form": .text(form.rawValue), "samples_per_frame": .integer(Int64(plan.length)),
            "sensors": .integer(Int64(sensors)), "rate": .number(rate.samplesPerSecond),
            "seconds": .integer(Int64(seconds)), "backlog": .flag(backlog),
            "median": .object(spread.map { Value.Field(name: $0.name, value: .number($0.median)) }),
            "runs": .list(
                runs.map { run in
                    .object(
                        [
                            Value.Field(name: "messages", value: .integer(Int64(run.messages))),
                            Value.Field(name: "samples", value: .integer(Int64(run.messages * run.length))),
                        ] + run.figures.map { Value.Field(name: $0.name, value: .number($0.value)) })
                }),
        ])
        try output.show(value) { _, style in
            let pace = rate.samplesPerSecond.map { "\(Self.form($0)) samples/s" } ?? "unbounded"
            let head =
                "\(form.rawValue), \(plan.length) sample\(plan.length == 1 ? "" : "s") a frame, \(sensors) sensors, "
                + "\(pace), \(runs.count) x \(seconds) s\(backlog ? " of backlog" : "")\n"
            return head
                + Table(
                    columns: [.text("FIGURE"), .number("MEDIAN"), .number("LEAST"), .number("MOST")],
                    rows: spread.map { figure in
                        [
                            Cell(figure.name.replacing("_per_s", with: "/s").replacing("_", with: " ")),
                            Cell(Self.form(figure.median)), Cell(Self.form(figure.least)),
                            Cell(Self.form(figure.most)),
                        ]
                    }
                ).text(wide: true, style)
        }
    }

    /// Two digits behind the point of small numbers, none of large ones, which get commas.
    static func form(_ number: Double) -> String {
        if abs(number) < 100 { return "\((number * 100).rounded() / 100)" }
        let digits = String(Int64(number.rounded()))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0, text != "-" { text.append(",") }
            text.append(digit)
        }
        return text
    }
}
