public import ArgumentParser
internal import Broker
internal import Foundation
internal import Pipelines
public import Store

extension FleetSnapshot.Order: ExpressibleByArgument {}

/// `iotctl top`
struct Top: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows the whole installation as it runs: rates, lag, sensors, alarms.",
        discussion: """
            Examples:
              iotctl top
              iotctl top --interval 5s --sort-by alarms
              iotctl top -n 1 -o json | jq '.partitions | map(.lag) | add'
              iotctl top | cat

            On a terminal it fills the screen; q ends it. Elsewhere it prints one snapshot, or
            -n. LAG is what the broker has and the database has not, up to the broker's newest
            chunk; VALUE the age of a sensor's newest value.
            """)

    /// Lines of sensors and alarms in a snapshot that goes nowhere near a screen.
    private static let plainSize = Screen.Size(columns: 80, rows: 60)
    /// How soon a key or another size of the terminal is noticed.
    private static let glance: Duration = .milliseconds(100)

    /// How often.
    @Option(help: "How often it looks.")
    var interval = Duration.seconds(1)

    /// How many.
    @Option(name: [.customShort("n"), .customLong("count")], help: "End after so many.")
    var count: Int?

    /// Which sensors first.
    @Option(name: .customLong("sort-by"), help: "Which sensors come first: rate or alarms.")
    var order = FleetSnapshot.Order.rate

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Refuses what makes no sense.
    func validate() throws {
        guard interval >= .milliseconds(100), interval <= .seconds(3600) else {
            throw ValidationError("--interval must be 100ms to 1h")
        }
        if let count, count < 1 { throw ValidationError("-n must be 1 or more") }
    }

    /// Shows it.
    func run() async throws {
        try await perform {
            let connections = try Connections()
            let isPlain = Screen.size == nil || ![.table, .wide].contains(output.format)
            let source = TopSource(connections, order, countMax: Screen.size?.rows ?? Self.plainSize.rows)
            // What can't be reached at all is said before the screen is taken.
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
                try output.show(model.value) { _, _ in text }
            } else {
                try output.showNext(model.value) { _ in text }
            }
        }
    }

    private func fill(_ source: TopSource) async throws {
        var model = try await source.look()
        var looks = 1
        while true {
            var size: Screen.Size?
            let next = ContinuousClock.now + interval
            while .now < next {
                if let now = Screen.size, now != size {
                    size = now
                    try Screen.show(TopLayout(model: model, style: .standard).lines(in: now))
                }
                if Screen.typedKeys().contains(where: { [UInt8(ascii: "q"), UInt8(ascii: "Q")].contains($0) }) {
                    return
                }
                try await Task.sleep(for: min(Self.glance, interval))
            }
            if looks == count { return }
            looks += 1
            model = await source.lookAgain(model)
        }
    }
}

/// Where `iotctl top` takes its figures from.
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

    /// What is to be seen now.
    /// - Throws: `StoreError`. Without the broker only the lag is missing.
    @discardableResult
    func look() async throws -> TopModel {
        let fleet = try await store.fleetSnapshot(by: order, sensorsMax: countMax, alarmsMax: countMax)
        let (ends, trouble) = await ends(of: fleet.partitions.map(\.stream))
        let model = TopModel(fleet, since: before, ends: ends, trouble: trouble)
        before = fleet
        return model
    }

    /// What is to be seen now, or what was to be seen last, with what is wrong.
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
