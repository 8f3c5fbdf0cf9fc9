internal import AMQP
public import ArgumentParser
internal import Foundation
internal import Messaging
internal import Postgres
internal import Records
public import Store

extension FleetSnapshot.Order: ExpressibleByArgument {}

/// `iotctl top`
struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows the whole installation live: rates, lag, sensors, alarms.",
        discussion: """
            Examples:
              iotctl top
              iotctl top --interval 5s --sort-by alarms
              iotctl top -n 1 -o json | jq '.partitions | map(.lag) | add'
              iotctl top | cat

            On a terminal it fills the screen. Keys: q ends it; the arrows, PgUp, PgDn,
            Home and End scroll the sensors; / filters sensors and alarms by serial
            number, kind, state or presence, Enter keeps the filter, Esc clears it. A
            narrow terminal shows fewer columns. Elsewhere it prints one snapshot, or -n
            snapshots.

            LAG is the number of messages not stored yet, up to the broker's newest chunk;
            AGE is the age of a sensor's newest value. At most the first 1,000 sensors are
            shown.
            """)

    /// The most sensors that are read for the screen.
    private static let sensorsMax = 1000

    /// Size of a snapshot that is not printed on a terminal.
    private static let plainSize = Screen.Size(columns: 80, rows: 60)
    /// How often keys and the terminal's size are read.
    private static let glance: Duration = .milliseconds(100)

    @Option(help: "Time between snapshots.")
    var interval = Duration.seconds(1)

    @Option(name: [.customShort("n"), .customLong("count")], help: "End after this many snapshots.")
    var count: Int?

    @Option(name: .customLong("sort-by"), help: "Which sensors come first: rate or alarms.")
    var order = FleetSnapshot.Order.rate

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard interval >= .milliseconds(100), interval <= .seconds(3600) else {
            throw ValidationError("--interval must be 100ms to 1h")
        }
        if let count, count < 1 { throw ValidationError("-n must be 1 or more") }
    }

    func run() async throws {
        try await perform {
            let connections = try Connections()
            let isPlain = Screen.size == nil || ![.table, .wide].contains(output.format)
            let source = TopSource(connections, order, countMax: isPlain ? Self.plainSize.rows : Self.sensorsMax)
            // An unreachable database is reported before the full screen begins.
            try await source.look()
            let command = self
            try await Interrupts.cancelling {
                do {
                    if isPlain { return try await command.print(source) }
                    try await Screen.withFullScreen { try await command.fill(source) }
                } catch is CancellationError {}
            }
        }
    }

    private func print(_ source: TopSource) async throws {
        let count = count ?? 1
        for _ in 0..<count {
            try await Task.sleep(for: interval)
            let model = try await source.look()
            let text = TopLayout(model: model, style: .standard).lines(in: Self.plainSize)
                .map { $0 + "\n" }.joined()
            if count == 1 {
                try output.show(model.view) { _, _ in text }
            } else {
                try output.showNext(model.view) { _ in text }
            }
        }
    }

    private func fill(_ source: TopSource) async throws {
        var model = try await source.look()
        var looks = 1
        var controls = TopControls()
        var reader = KeyReader()
        while true {
            var shown: (size: Screen.Size, controls: TopControls)?
            let next = ContinuousClock.now + interval
            while .now < next {
                let size = Screen.size ?? .standard
                for key in reader.read(Screen.typedKeys()) {
                    let page = TopLayout(model: model, controls: controls, style: .standard).page(in: size)
                    controls.handle(key, page: page.visible, count: page.count)
                }
                if controls.hasQuit { return }
                if shown?.size != size || shown?.controls != controls {
                    shown = (size, controls)
                    try Screen.show(TopLayout(model: model, controls: controls, style: .standard).lines(in: size))
                }
                try await Task.sleep(for: min(Self.glance, interval))
            }
            if looks == count { return }
            looks += 1
            model = await source.lookAgain(model)
        }
    }
}

/// Reads the figures of `iotctl top` from database and broker.
private actor TopSource {
    private let connections: Connections
    private let store: StoreConnection
    private let order: FleetSnapshot.Order
    private let countMax: Int
    private var broker: BrokerConnection?
    private var before: FleetSnapshot?

    init(_ connections: Connections, _ order: FleetSnapshot.Order, countMax: Int) {
        self.connections = connections
        self.order = order
        self.countMax = countMax
        store = connections.store()
    }

    /// Reads the current figures.
    /// - Throws: `StoreError`. If the broker is unreachable, only the lag is missing.
    @discardableResult
    func look() async throws -> TopModel {
        let fleet = try await store.fleetSnapshot(by: order, sensorsMax: countMax, alarmsMax: countMax)
        let (ends, trouble) = await ends(of: fleet.partitions.map(\.stream))
        let model = TopModel(fleet, since: before, ends: ends, trouble: trouble)
        before = fleet
        return model
    }

    /// Reads the current figures; if that fails, returns the last ones with the error.
    func lookAgain(_ last: TopModel) async -> TopModel {
        do { return try await look() } catch {
            var model = last
            model.trouble = "database: \(error); trying again"
            return model
        }
    }

    private func ends(of streams: [String]) async -> ([String: Int64], String?) {
        if streams.isEmpty { return ([:], nil) }
        do {
            let open: BrokerConnection
            if let broker { open = broker } else { open = try await connections.broker() }
            broker = open
            return (try await StreamEnds.read(streams, over: open), nil)
        } catch {
            await broker?.close()
            broker = nil
            return ([:], "broker: \(error); lag is not known")
        }
    }
}
