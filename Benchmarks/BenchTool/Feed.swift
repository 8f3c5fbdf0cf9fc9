internal import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
internal import Sensors
internal import Wire

/// What a message carries.
enum Form: String, ExpressibleByArgument, CaseIterable {
    case floats
    case counts
    case value
    case json
}

/// Publishes unique frames as fast as the broker confirms them.
struct Feed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publish unique frames.")

    @Option(
        help: """
            floats, counts: 500 samples a frame; value: one; json: the floats as text, into a queue of their own instead \
            of the streams.
            """)
    var form = Form.floats
    @Option(help: "Messages in all.") var messages = 40_000
    @Option(help: "Sensors, taking turns.") var sensors = 100
    @Option(help: "The queue for --form json.") var queue = "user_script"

    func run() async throws {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        let broker = try await BrokerConnection.open(settings.broker, name: "bench feed")
        if form == .json { _ = try await broker.declare(Topology.Queue(name: queue, kind: .classic)) }
        let signals = Signals(form, messages: messages, sensors: sensors)
        var published = 0
        while published < messages {
            let batch = (published..<min(messages, published + 2000)).map { index in
                let (serial, frame) = signals.frame(index)
                return form == .json
                    ? OutgoingMessage(exchange: "", key: queue, body: Array(Signals.json(serial, frame).utf8))
                    : OutgoingMessage(
                        exchange: Routing.exchange, key: Routing.key(serial, .data), body: FrameCodec.encode(frame))
            }
            guard try await broker.publish(batch).allSatisfy({ $0 == .confirmed }) else {
                throw ValidationError("the broker refused a message")
            }
            published += batch.count
        }
        await broker.close()
        try BenchTool.report(["messages": Double(published), "samples": Double(published * signals.length)])
    }
}

/// Frames of sensors that take turns: contiguous, ending now, none like another.
struct Signals {
    /// Samples in a frame.
    let length: Int
    private let form: Form
    private let serials: [SerialNumber]
    private let rate: SampleRate?
    private let span: Int64
    private let boot: Int64
    private let start: Timestamp
    // With all their bits in use, so that nothing is stored smaller than real samples would be.
    private let floats = (0..<8192).map { _ in Float.random(in: -20...20) }
    private let counts = (0..<8192).map { _ in Int16.random(in: -30_000...30_000) }

    init(_ form: Form, messages: Int, sensors: Int) {
        self.form = form
        serials = (0..<sensors).compactMap { SerialNumber("bench-\($0)") }
        rate = SampleRate(hertz: form == .value ? 10 : 5000)
        length = form == .value ? 1 : 500
        span = (rate?.nanoseconds(toSample: 1) ?? 0) * Int64(length)
        boot = Timestamp.now.unixNanoseconds / 1_000_000
        start = Timestamp.now.advanced(byNanoseconds: -span * Int64((messages + sensors - 1) / sensors))
    }

    /// Frame `index` of all, and whose it is.
    func frame(_ index: Int) -> (SerialNumber, Frame) {
        let (sequence, sensor) = index.quotientAndRemainder(dividingBy: serials.count)
        let offset = (index &* 37) % 7000
        let samples: Samples =
            switch form {
            case .floats, .json: .floats(Array(floats[offset..<offset + length]))
            case .counts: .counts(Array(counts[offset..<offset + length]), scale: 0.001, offset: 0)
            case .value: .value(Double(floats[offset]) * 1.000_000_1)
            }
        let frame = Frame(
            position: FramePosition(boot: boot, sequence: Int64(sequence)),
            start: start.advanced(byNanoseconds: Int64(sequence) * span), rate: rate,
            blocks: [Block(channel: .number(0), samples: samples)])
        return (serials[sensor], frame)
    }

    /// A frame of one channel as a user might write it: `time` in microseconds since 1970.
    static func json(_ serial: SerialNumber, _ frame: Frame) -> String {
        guard let start = frame.start, let rate = frame.rate, case .floats(let samples)? = frame.blocks.first?.samples
        else { return "{}" }
        let list = samples.map { "\($0)" }.joined(separator: ",")
        return """
            {"sensor":"\(serial.text)","channel":0,"time":\(start.unixMicroseconds),"rate":\(rate.hertz),\
            "samples":[\(list)]}
            """
    }
}
