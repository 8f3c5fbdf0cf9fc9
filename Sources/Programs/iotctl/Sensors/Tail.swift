internal import ArgumentParser
internal import Broker
internal import Messaging
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Wire

/// `iotctl tail SENSOR…|-l SELECTOR`
struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Shows the values of sensors as they arrive at the broker. Times are UTC.",
        discussion: """
            Examples:
              iotctl tail lab-1
              iotctl tail lab-1 'press-*' -C 10
              iotctl tail -l kind=climate
              iotctl tail lab-1 -C 1 -W 5s -o json
              iotctl tail lab-1 -o json | jq '.channels[] | {name, mean}'

            One line a channel: time, sensor, channel, and the value, or of several
            samples their RMS and their peak. -C counts frames, and -o json prints one
            frame a line. The time is that of the first sample; of a sensor without a
            clock that of the arrival.

            Selectors are resolved once, at the start. A slow reader misses frames: the
            broker keeps at most 1000 for it. Ctrl-C ends with 0, or with 1 if -C was not
            reached.
            """)

    @OptionGroup var filter: SensorFilter

    @OptionGroup var live: LiveOptions

    func validate() throws {
        if filter.isEmpty { throw ValidationError("which sensors? give serial numbers or -l SELECTOR") }
    }

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let store = connections.store()
            let numbers = try await filter.subscribed(in: store) ?? []
            let serials = numbers.map(\.text)
            let channels = try await store.channels(of: serials)
            await store.close()
            let names = channels.mapValues {
                Dictionary($0.map { ($0.channel, $0.name) }, uniquingKeysWith: { first, _ in first })
            }
            let layout = TailLayout(serials: serials, channels: channels, width: Screen.size?.columns)
            let keys = numbers.map { Routing.key($0, .data) }
            try await live.follow(keys, over: connections, lengthMax: 1000, state: ()) { delivery, _ in
                let frame = unsafe try DataPayload.decode(delivery.body.span.bytes)
                // The samples of an event capture are older than those that were shown already.
                if frame.isCapture { return [] }
                let serial = try? Routing.parse(key: delivery.key).serial
                let view = FrameView(
                    frame, of: serial, receivedUnixMilliseconds: delivery.receivedUnixMilliseconds,
                    names: names[serial?.text ?? ""] ?? [:])
                var lines = layout.lines(view, received: delivery.received).map {
                    LiveLine(view: nil, cells: [], text: $0)
                }
                // A frame counts once, when its last line is printed.
                lines[lines.count - 1].view = view
                return lines
            }
        }
    }
}
