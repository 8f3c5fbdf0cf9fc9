internal import AMQP
public import ArgumentParser
internal import Bench
internal import Broker
internal import Foundation
internal import Model
internal import Service
internal import Time
internal import Wire

extension SignalFormat: ExpressibleByArgument {}

/// Publishes unique frames as fast as the broker confirms them.
struct Feed: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publish unique frames.")

    @Option(
        help: """
            floats, counts: 500 samples a frame; value: one; json: the floats as text, into a queue of their own instead \
            of the streams.
            """)
    var form = SignalFormat.floats
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
                    ? OutgoingMessage(exchange: "", key: queue, body: Array(json(serial, frame).utf8))
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

    /// A frame of one channel as a user might write it: `time` in microseconds since 1970.
    private func json(_ serial: SerialNumber, _ frame: Frame) -> String {
        guard let start = frame.start, let rate = frame.rate, case .floats(let samples)? = frame.blocks.first?.samples
        else { return "{}" }
        let list = samples.map { "\($0)" }.joined(separator: ",")
        return """
            {"sensor":"\(serial.text)","channel":0,"time":\(start.unixMicroseconds),"rate":\(rate.hertz),\
            "samples":[\(list)]}
            """
    }
}
