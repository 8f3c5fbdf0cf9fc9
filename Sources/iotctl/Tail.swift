internal import ArgumentParser
internal import Broker
internal import Pipelines
internal import Sensors
internal import Store
internal import Wire

/// `iotctl tail SENSOR`
struct Tail: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Shows a sensor's values as they come from the broker, one line per frame.",
        discussion: """
            Examples:
              iotctl tail lab-1
              iotctl tail lab-1 -C 1 -W 5s -o json
              iotctl tail lab-1 -o json | jq '.channels[] | {name, mean}'

            A slow reader misses frames: at most 1000 wait for it. Ctrl-C ends with 0, or with 1
            if -C was not reached.
            """)

    /// Which.
    @Argument(help: "Serial number.", completion: .sensors)
    var sensor: String

    /// How many, how long, how.
    @OptionGroup var live: LiveOptions

    /// Shows them.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            guard let serial = SerialNumber(try await store.require([sensor])[0]) else { return }
            let channels = try await store.channels(of: sensor).map { ($0.channel, $0.name) }
            await store.close()
            let names = Dictionary(channels, uniquingKeysWith: { first, _ in first })
            let keys = [Routing.key(serial, .data)]
            try await live.follow(keys, over: connections, lengthMax: 1000, state: ()) { delivery, _ in
                let frame = LiveFrame(
                    frame: unsafe try DataPayload.decode(delivery.body.span.bytes), delivery: delivery, names: names)
                return [LiveLine(value: frame.value, cells: frame.cells, text: frame.text)]
            }
        }
    }
}

/// A frame as it is shown.
private struct LiveFrame {
    let frame: Frame
    let delivery: Delivery
    let names: [Int16: String]

    /// "2026-11-21T09:30:00.000000001Z  #12"
    var cells: [Cell] {
        [Cell(frame.start?.description ?? "(no clock)"), Cell(frame.position.map { "#\($0.sequence)" } ?? "#-")]
    }

    /// "x n=500 min=-1 mean=0 max=1  temperature=20.5"
    var text: String {
        let blocks = frame.blocks.map { block in
            let statistics = SampleStatistics(block.samples)
            guard block.samples.count > 1 else { return "\(name(block))=\(block.samples[0].short)" }
            let (min, mean, max) = (statistics.min?.short, statistics.mean?.short, statistics.max?.short)
            return "\(name(block)) n=\(block.samples.count) min=\(min ?? "-") mean=\(mean ?? "-") max=\(max ?? "-")"
        }
        return blocks.joined(separator: "  ")
    }

    /// docs/iotctl-json.md, "frame".
    var value: Value {
        let key = try? Routing.parse(key: delivery.key)
        return .record([
            "sensor": .text(key?.serial.text), "time": .time(frame.start),
            "unix_ns": .integer(frame.start?.unixNanoseconds), "boot_id": .integer(frame.position?.boot),
            "sequence": .integer(frame.position?.sequence), "sample_rate_hz": .number(frame.rate?.hertz),
            "received_unix_ms": .integer(delivery.receivedUnixMilliseconds),
            "channels": .list(frame.blocks.map(channel)),
        ])
    }

    private func channel(_ block: Block) -> Value {
        let statistics = SampleStatistics(block.samples)
        var number: Int64?
        if case .number(let channel) = block.channel { number = Int64(channel) }
        return .record([
            "channel": .integer(number), "name": .text(name(block)), "n": .integer(Int64(block.samples.count)),
            "min": .number(statistics.min), "mean": .number(statistics.mean), "max": .number(statistics.max),
            "rms": .number(statistics.rms), "value": .number(block.samples.count == 1 ? block.samples[0] : nil),
        ])
    }

    private func name(_ block: Block) -> String {
        switch block.channel {
        case .name(let name): name
        case .number(let number): names[number] ?? String(number)
        }
    }
}
