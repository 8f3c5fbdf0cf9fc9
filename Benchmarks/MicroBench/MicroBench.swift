internal import Model
internal import Postgres
internal import Rules
internal import Store
internal import Time
internal import Wire

/// Does one step of the ingester's way from message to row so many times, for `scripts/microbench` to count instructions.
@main
struct MicroBench {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let step = Step(rawValue: arguments[1]), let form = Form(rawValue: arguments[2]),
            let count = Int(arguments[3])
        else {
            print("usage: micro-bench decode|rows|rules|encode floats|counts|value FRAMES")
            return
        }
        var work = try Work(form)
        for index in 0..<count { try work.run(step, index) }
    }
}

/// What is done with a message, one after the other.
enum Step: String {
    /// Its key and payload are read.
    case decode
    /// The frame becomes rows with their statistics.
    case rows
    /// Ten rules judge the frame, whose statistics are known.
    case rules
    /// The rows are written as COPY wants them.
    case encode
}

/// What a message carries: 500 samples, or one.
enum Form: String {
    case floats
    case counts
    case value
}

/// A hundred different messages, and what becomes of them.
struct Work {
    private struct Sample {
        var key: String
        var payload: [UInt8]
        var frame: Frame
        var rows: [MeasurementRow]
        var serial: SerialNumber
    }

    private static let received = Timestamp(unixNanoseconds: 1_800_000_030_000_000_000)
    private let cutter = RowCutter(clockRule: ClockRule())
    private var copy = CopyBuffer()
    private var engine: RuleEngine
    private var transitions: [RuleTransition] = []
    private let samples: [Sample]

    init(_ form: Form) throws {
        let cutter = cutter
        samples = try (0..<100).map { number in
            guard let serial = SerialNumber("bench-\(number)") else { throw Rejection(.badSerial, "\(number)") }
            let frame = Self.frame(form, number)
            var rows: [MeasurementRow] = []
            Self.cut(frame, by: cutter) { rows.append($0) }
            return Sample(
                key: Routing.key(serial, .data), payload: FrameCodec.encode(frame), frame: frame, rows: rows,
                serial: serial)
        }
        let rules = Self.rules
        engine = RuleEngine(
            RuleRevision(
                number: 1, rules: rules,
                sensors: samples.map { sample in
                    RuleRevision.Sensor(
                        serial: sample.serial.text, channels: [RuleRevision.Channel(name: "x", number: 0)],
                        rules: rules.indices.map { RuleRevision.Selection(rule: $0, channels: [0]) })
                }))
    }

    /// Rules that the statistics of a frame decide, and that hold for no frame.
    private static var rules: [Rule] {
        let conditions: [Condition] = [
            .threshold(.init(above: 1e6, hysteresis: 1)), .threshold(.init(above: 1e6, below: -1e6)),
            .threshold(.init(of: .rms, above: 1e6)), .sustained(.threshold(.init(above: 1e6)), for: .seconds(10)),
            .rateOfChange(.init(above: 1e9)), .noData(.init(after: .seconds(60))),
            .baseline(.init(sigmas: 1e6, window: .seconds(3600))), .flatline(.init(after: .seconds(10))),
            .clipping(.init(low: -1e6, high: 1e6)),
            .all([.threshold(.init(of: .mean, above: 1e6)), .threshold(.init(of: .peak, above: 1e6))]),
        ]
        return conditions.enumerated().map { Rule(name: "r\($0)", condition: $1) }
    }

    /// A frame with noise in all its bits; 500 samples at 5 kHz end in the minute in which they begin.
    private static func frame(_ form: Form, _ number: Int) -> Frame {
        let noise = (0..<500).map { UInt32(truncatingIfNeeded: ($0 + 1) &* (number + 1) &* 2_654_435_761) }
        let samples: Samples =
            switch form {
            case .floats: .floats(noise.map { Float(Int32(bitPattern: $0)) * 1e-8 })
            case .counts: .counts(noise.map { Int16(truncatingIfNeeded: $0 >> 16) }, scale: 0.001, offset: 0)
            case .value: .value(Double(noise[0]) * 1e-9)
            }
        return Frame(
            position: FramePosition(boot: 1_800_000_000_000, sequence: 100_000 + Int64(number)),
            start: received.advanced(byNanoseconds: -1_000_000_000), rate: SampleRate(hertz: 5000),
            blocks: [Block(channel: .number(0), samples: samples)])
    }

    private static func cut(_ frame: Frame, by cutter: RowCutter, into emit: (MeasurementRow) -> Void) {
        cutter.cut(
            frame, sensor: 7, received: received,
            channelNumber: { if case .number(let number) = $0 { number } else { nil } }, into: emit)
    }

    @inline(never)
    mutating func run(_ step: Step, _ index: Int) throws {
        let sample = samples[index % samples.count]
        switch step {
        case .decode:
            let (serial, _) = try Routing.parse(key: sample.key)
            let frame = unsafe try DataPayload.decode(sample.payload.span.bytes)
            keep(serial)
            keep(frame)
        case .rows: Self.cut(sample.frame, by: cutter) { keep($0) }
        case .rules:
            var frame = sample.frame
            frame.position = FramePosition(boot: 1, sequence: Int64(index))
            let passed = Int64(index) * 1_000_000
            frame.start = frame.start?.advanced(byNanoseconds: passed)
            engine.observe(
                frame, of: sample.serial, statistics: sample.rows.map(\.statistics),
                at: StreamPosition(incarnation: 1, offset: Int64(index)),
                received: Self.received.advanced(byNanoseconds: passed), into: &transitions)
        case .encode:
            for row in sample.rows { copy.append(row) }
            if copy.byteCount >= 1 << 16 { copy.removeSent() }
        }
    }
}

/// Takes a value that is not used, so that the optimiser keeps it.
@inline(never)
private func keep<Value>(_ value: Value) {
    withExtendedLifetime(value) {}
}
