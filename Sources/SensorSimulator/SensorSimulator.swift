public import ArgumentParser
public import Pipelines

/// Plays any number of sensors.
@main
struct SensorSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sensor-simulator",
        abstract: "Plays sensors that publish over MQTT or AMQP, obey commands and keep what can't be sent yet.",
        discussion: """
            Examples:
              sensor-simulator --sensors 1000 --for 30s
              sensor-simulator --kind vibration:5000x8 --kind climatex4 --transport amqp
              sensor-simulator --replay /usr/share/sounds/alsa/Front_Center.wav

            At the end it prints what it published, as JSON. Environment: MQTT_URL, AMQP_URL (or …_FILE).
            """)

    @OptionGroup var options: ServiceOptions

    @Option(help: "How many sensors, 1…100000; the kinds take turns [default: 10, none with --replay].")
    var sensors: Int?

    @Option(help: "KIND[:HERTZ][xCOUNT]: vibration, climate, odometer or gps; may be repeated [default: all kinds].")
    var kind: [String] = []

    @Option(help: "A WAV or CSV recording to play in a loop as a sensor's samples; may be repeated.")
    var replay: [String] = []

    @Option(help: "Samples a second of a CSV recording without a column of times.")
    var replayRate: Double?

    @Option(help: "mqtt: a connection for each sensor; amqp: one for all.")
    var transport = Simulate.Transport.mqtt

    @Option(help: "What serial numbers begin with [default: the name of this machine].")
    var serialPrefix: String?

    @Option(name: .customLong("for"), help: "Stop after this long: 500ms, 30s, 5m, 1h [default: run until SIGTERM].")
    var duration: Duration?

    @Option(help: "Stop after this many frames of each sensor.")
    var frames: Int64?

    @Flag(help: "Send vibration as counts of a 16-bit converter instead of floats.")
    var counts = false

    @Option(help: "Samples of one channel in a frame at most.")
    var samplesPerFrame: Int?

    @Option(help: "Milliseconds of samples in a frame at most, 1…60000.")
    var frameMilliseconds: Int64 = 100

    @Option(help: "Megabytes that may wait for the broker; beyond it the oldest frames are dropped and counted.")
    var outboxMegabytes = 256

    @Option(help: "Other seeds give other signals.")
    var seed: UInt64 = 1

    @Option(
        help: """
            Spoil frames on purpose, such as drop:0.1%,duplicate:0.1%,reorder:1%,skew:5s,corrupt:0.05%. A frame suffers \
            one kind at most; skew puts the sensors' clocks ahead, or with -5s behind. The report says what was done.
            """)
    var fault: String?

    func validate() throws {
        guard sensors.map((1...100_000).contains) != false else { throw ValidationError("--sensors is 1…100000") }
        guard (1...60_000).contains(frameMilliseconds) else { throw ValidationError("--frame-milliseconds is 1…60000") }
        guard (1...65_536).contains(outboxMegabytes) else { throw ValidationError("--outbox-megabytes is 1…65536") }
        guard samplesPerFrame.map((1...65_536).contains) != false else {
            throw ValidationError("--samples-per-frame is 1…65536")
        }
        guard frames.map({ $0 > 0 }) != false else { throw ValidationError("--frames is above 0") }
    }

    func run() async throws {
        let plan = Simulate.Plan(
            sensors: SensorPlan(
                count: sensors, kinds: kind, recordings: replay, recordingHertz: replayRate,
                prefix: serialPrefix ?? SensorPlan.hostPrefix, sendsCounts: counts,
                samplesPerFrameMax: samplesPerFrame, frameMilliseconds: frameMilliseconds, seed: seed),
            transport: transport, duration: duration, framesMax: frames, outboxBytesMax: outboxMegabytes << 20,
            fault: fault)
        try await Run.service("sensor-simulator", options: options, waitingFor: ["broker"], endsByItself: true) {
            try Simulate.parts($0, plan)
        }
    }
}

extension Simulate.Transport: ExpressibleByArgument {}
