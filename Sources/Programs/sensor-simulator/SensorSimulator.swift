public import ArgumentParser
internal import Model
internal import Service
public import Simulator
internal import Time

/// Simulates sensors.
@main
struct SensorSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor-simulator",
        abstract: "Simulates sensors that publish over MQTT or AMQP, obey commands and buffer frames while offline.",
        discussion: """
            Examples:
              sensor-simulator --sensors 1000 --for 30s
              sensor-simulator --kind vibration:5000x8 --kind climatex4 --transport amqp
              sensor-simulator --replay /usr/share/sounds/alsa/Front_Center.wav

            At the end it prints counts of what it published, as JSON. Environment:
            MQTT_URL, AMQP_URL (or …_FILE).
            """)

    static func main() async { await Launch.run(Self.self) }

    @OptionGroup var options: ServiceOptions

    @Option(
        help: """
            Number of sensors, 1…100000; kinds without a count share what the counts leave [default: the sum of the \
            counts, and one for each kind without; without --kind 10, none with --replay].
            """)
    var sensors: Int?

    @Option(help: "KIND[:HERTZ][xCOUNT]: vibration, climate, odometer or gps; may be repeated [default: all kinds].")
    var kind: [String] = []

    @Option(help: "A WAV or CSV recording to play in a loop as a sensor's samples; may be repeated.")
    var replay: [String] = []

    @Option(help: "Sample rate of a CSV recording without a column of times, in Hz.")
    var replayRate: Double?

    @Option(
        help: """
            mqtt: a connection for each sensor; amqp: --connections for all, and a command queue for each sensor, at most \
            1,000 sensors for each connection; gateway: one connection and one command queue for all.
            """)
    var transport = Simulate.Transport.mqtt

    @Option(
        help:
            "Connections over AMQP, 1…64. The broker takes some 14,000 messages a second over one, on two cores 30,000."
    )
    var connections = 1

    @Option(help: "Prefix of the serial numbers [default: the name of this machine].")
    var serialPrefix: String?

    @Option(help: "The gateway's name; its sensors are NAME--0001 … [default: --serial-prefix].")
    var gateway: String?

    @Option(name: .customLong("for"), help: "Stop after this long: 500ms, 30s, 5m, 1h [default: run until SIGTERM].")
    var duration: Duration?

    @Option(help: "Stop after this many frames of each sensor.")
    var frames: Int64?

    @Flag(
        help: """
            Make frames as fast as the broker takes them, with exact and contiguous times from a start in the past; a \
            sensor that reaches the present continues in real time.
            """)
    var unpaced = false

    @Option(
        parsing: .unconditional,
        help: """
            Start of --unpaced sensors: 1h ago, or a date [default: as long ago as --frames take, else 1h]. The \
            ingester replaces times that are more than 7 days old by the time of arrival.
            """)
    var start: Timestamp?

    @Flag(help: "Send vibration as counts of a 16-bit converter instead of floats.")
    var counts = false

    @Option(help: "Most samples of one channel in a frame.")
    var samplesPerFrame: Int?

    @Option(help: "Most milliseconds of samples in a frame, 1…60000.")
    var frameMilliseconds: Int64 = 100

    @Option(help: "Megabytes that may wait for the broker; beyond, the oldest frames are dropped and counted.")
    var outboxMegabytes = 256

    @Option(help: "Seed of the signals; another seed gives other signals.")
    var seed: UInt64 = 1

    @Option(
        help: """
            Inject faults, such as drop:0.1%,duplicate:0.1%,reorder:1%,skew:5s,corrupt:0.05%. A frame gets at most one \
            kind; skew sets the sensors' clocks ahead, or behind with -5s. The report counts the injected faults.
            """)
    var fault: String?

    @Option(
        help: """
            How much of its signal a sensor sends at full rate when it hears an alarm of its own: before the trigger, and \
            from it on with --capture-after; at most 10m.
            """)
    var captureBefore: Duration = .seconds(10)

    @Option(help: "See --capture-before.")
    var captureAfter: Duration = .seconds(10)

    @Option(help: "Megabytes of all sensors' signals that are kept for event captures, 1…65536.")
    var captureMegabytes = 64

    @Option(help: "Most event captures of a sensor in an hour, 1…1000.")
    var capturesPerHour = 20

    @Flag(
        inversion: .prefixedNo,
        help: "Capture events; always off with --unpaced or with more than 16 sensors for each of --capture-megabytes.")
    var capture = true

    func validate() throws {
        guard sensors.map((1...100_000).contains) != false else { throw ValidationError("--sensors must be 1…100000") }
        guard (1...60_000).contains(frameMilliseconds) else {
            throw ValidationError("--frame-milliseconds must be 1…60000")
        }
        guard (1...65_536).contains(outboxMegabytes) else {
            throw ValidationError("--outbox-megabytes must be 1…65536")
        }
        guard samplesPerFrame.map((1...65_536).contains) != false else {
            throw ValidationError("--samples-per-frame must be 1…65536")
        }
        guard frames.map({ $0 > 0 }) != false else { throw ValidationError("--frames must be more than 0") }
        guard (1...64).contains(connections) else { throw ValidationError("--connections must be 1…64") }
        guard connections == 1 || transport == .amqp else {
            throw ValidationError("--connections needs --transport amqp")
        }
        guard gateway == nil || transport == .gateway else {
            throw ValidationError("--gateway needs --transport gateway")
        }
        for (name, span) in [("--capture-before", captureBefore), ("--capture-after", captureAfter)] {
            guard (.zero ... .seconds(600)).contains(span) else { throw ValidationError("\(name) must be 0s…10m") }
        }
        guard (1...65_536).contains(captureMegabytes) else {
            throw ValidationError("--capture-megabytes must be 1…65536")
        }
        guard (1...1000).contains(capturesPerHour) else { throw ValidationError("--captures-per-hour must be 1…1000") }
        _ = try pace()
    }

    /// The schedule by which frames are made.
    private func pace() throws -> Simulate.Pace {
        guard let start else { return unpaced ? .unpaced(start: nil) : .byTheClock }
        guard unpaced else { throw ValidationError("--start needs --unpaced") }
        guard start.age > .zero else { throw ValidationError("--start is not in the past: \(start)") }
        return .unpaced(start: start.age)
    }

    func run() async throws {
        let plan = Simulate.Plan(
            sensors: SensorPlan(
                count: sensors, kinds: kind, recordings: replay, recordingHertz: replayRate,
                prefix: gateway ?? serialPrefix ?? SensorPlan.hostPrefix, sendsCounts: counts,
                samplesPerFrameMax: samplesPerFrame, frameMilliseconds: frameMilliseconds, seed: seed,
                isGateway: transport == .gateway),
            transport: transport, connections: connections, duration: duration, framesMax: frames,
            outboxBytesMax: outboxMegabytes << 20,
            pace: try pace(), fault: fault,
            captures: capture
                ? CapturePlan(
                    before: captureBefore, after: captureAfter, bytesMax: captureMegabytes << 20,
                    perHourMax: capturesPerHour) : nil)
        try await Run.service("sensor-simulator", options: options, waitingFor: ["broker"], endsByItself: true) {
            try Simulate.parts($0, plan)
        }
    }
}

extension Simulate.Transport: ExpressibleByArgument {}
