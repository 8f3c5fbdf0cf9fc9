internal import ArgumentParser
internal import Bench
internal import Foundation
internal import Model
internal import Records
internal import Service
internal import Support
internal import Synchronization

/// `iotctl bench`
struct BenchCommand: AsyncParsableCommand {
    /// The format of the samples.
    enum Form: String, ExpressibleByArgument, CaseIterable {
        case floats, counts, values

        /// The library's value for this format.
        var signal: SignalFormat {
            switch self {
            case .floats: .floats
            case .counts: .counts
            case .values: .value
            }
        }
    }

    /// A rate of samples.
    struct Rate: ExpressibleByArgument {
        /// Samples a second of all sensors; nil: as many as the broker confirms.
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

    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures servers and ingesters under load, beside two references.",
        usage: """
            iotctl bench [<options>]
            """,
        discussion: """
            Examples:
              iotctl bench
              iotctl bench --backlog --form counts --yes
              iotctl bench --rate 50k --frame 50 --repeats 5
              iotctl bench -o json --yes > bench.json

            It publishes frames of its own sensors with publisher confirms, at --rate or
            as fast as the broker confirms, and measures when the running ingesters commit
            them. With --backlog it takes the streams from the ingesters while it
            publishes, so that no sensor's data are stored meanwhile, and measures how
            fast the ingesters catch up. Two references use the same messages: librabbitmq
            alone reads them from other streams, and one libpq connection copies the
            encoded rows into a table like measurement. committed/drain and committed/copy
            are the ratios. Each figure is the median of the runs, with the least and the
            most.

            bench loads the system that it measures: publisher, broker, database and
            ingesters share its processors and disks, and other work makes every figure
            worse. At an unbounded rate the latency is that of the backlog. Latencies are
            up to 5 ms too high. Bytes are those of the reference's table with its index,
            uncompressed.

            Its sensors bench-…, tables and streams are removed at the end, also after
            Ctrl-C, unless --keep is given. The streams of measurements keep its messages
            until their retention.

            Exit codes: 0 measured; 1 failed; 69 unreachable; 77 refused.
            """)

    /// Samples a frame at most.
    private static let samplesMax = 65_536

    @Option(help: "Samples: floats, counts (16 bits) or values (one a message).")
    var form = Form.floats

    @Option(help: "Sensors, which take turns: 1 to 10,000.")
    var sensors = 100

    @Option(help: "Samples a second of all sensors: 50k, 1.5M, or unbounded.")
    var rate = Rate()

    @Option(help: "Samples in a frame: 1 to 65,536; with --form values always 1.")
    var frame = 500

    @Option(help: "Duration of the publishing of each run in seconds: 1 to 600.")
    var seconds = 10

    @Option(help: "Number of runs: 1 to 20.")
    var repeats = 3

    @Flag(help: "Hold the ingesters back during the publishing, then measure how they catch up.")
    var backlog = false

    @OptionGroup var confirmation: Confirmation

    @Flag(help: "Keep the sensors of bench and their rows.")
    var keep = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...10_000).contains(sensors) else { throw ValidationError("--sensors must be 1 to 10000") }
        guard (1...Self.samplesMax).contains(frame) else { throw ValidationError("--frame must be 1 to 65536") }
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 600") }
        guard (1...20).contains(repeats) else { throw ValidationError("--repeats must be 1 to 20") }
        let length = form == .values ? 1 : frame
        if let rate = rate.samplesPerSecond, rate * Double(seconds) < Double(length) {
            throw ValidationError(
                "--rate is too low: no frame of \(length) samples is complete in \(seconds) s; raise --rate or --seconds"
            )
        }
    }

    func run() async throws {
        try await perform {
            let command = self
            let settings = try Connections().acting().settings
            try confirm(settings)
            try await Interrupts.cancelling { try await command.measure(settings) }
        }
    }

    private func confirm(_ settings: Settings) throws {
        try confirmation.require(
            for: "load \(settings.broker) and \(settings.database) for about \(repeats * seconds * 3) s",
            notes: backlog ? ["for \(seconds) s of each run the ingesters store nothing, of any sensor"] : [])
    }

    private func measure(_ settings: Settings) async throws {
        let name = UUID().uuidString.prefix(8).lowercased()
        let plan = BenchPlan(
            format: form.signal, length: frame, sensors: sensors, samplesPerSecond: rate.samplesPerSecond,
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
            // In a task of its own, which an interruption does not cancel.
            do { try await Task { try await bench.cleanUp() }.value } catch {
                Talk.say(
                    "cleaning up failed: \(error); sensors and streams bench-\(name) and table \(plan.table) may be left"
                )
            }
        }
        if !runs.isEmpty { try show(plan, runs) }
        switch failure {
        case nil: break
        case is CancellationError: throw Failure(ExitStatus.failed, "interrupted")
        case let trouble as Benchmark.BenchmarkError: throw Failure(ExitStatus.failed, trouble.description)
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
        let view = BenchView(
            form: form.rawValue, samplesPerFrame: plan.length, sensors: sensors, rate: rate.samplesPerSecond,
            seconds: seconds, isBacklog: backlog,
            median: BenchView.Figures(spread.map { (name: $0.name, value: $0.median) }),
            runs: runs.map { run in
                BenchView.Run(
                    messages: run.messages, samples: run.messages * run.length, figures: BenchView.Figures(run.figures))
            })
        try output.show(view) { _, style in
            let pace = rate.samplesPerSecond.map { "\(Self.format($0)) samples/s" } ?? "unbounded"
            let head =
                "\(form.rawValue), \(plan.length) sample\(plan.length == 1 ? "" : "s") a frame, \(sensors) sensors, "
                + "\(pace), \(runs.count) x \(seconds) s\(backlog ? " of backlog" : "")\n"
            return head
                + Table(
                    columns: [.text("FIGURE"), .number("MEDIAN"), .number("LEAST"), .number("MOST")],
                    rows: spread.map { figure in
                        [
                            Cell(figure.name.replacing("_per_s", with: "/s").replacing("_", with: " ")),
                            Cell(Self.format(figure.median)), Cell(Self.format(figure.least)),
                            Cell(Self.format(figure.most)),
                        ]
                    }
                ).text(wide: true, style)
        }
    }

    /// A number below 100 with at most two decimal places, any other as an integer with commas.
    static func format(_ number: Double) -> String {
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
