internal import Broker
internal import Logging
internal import Sensors
internal import Wire

/// One connection that speaks for many sensors: their serials begin with its name, and their commands come through one
/// queue of its own (design §1).
struct Gateway: Sendable {
    /// Between a gateway's name and that of one of its sensors.
    static let separator = "--"
    /// Commands that the broker sends ahead of acknowledgements.
    private static let prefetch: UInt16 = 1000
    /// Bindings that are asked for at a time: other work of the connection gets its turn in between.
    private static let bindingsAtOnce = 500

    /// The queue of its sensors' commands.
    let queue: Topology.Queue
    private let serials: [SerialNumber]
    private let numbers: [String: Int]

    /// The gateway of that name for sensors whose serials begin with it.
    init(name: SerialNumber, serials: [SerialNumber]) {
        queue = Topology.Queue(name: Routing.gatewayQueue(name), kind: .classic)
        self.serials = serials
        numbers = Dictionary(
            serials.enumerated().map { ($0.element.text, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// Which sensor a routing key is for; nil: none of ours.
    func sensor(of key: String) -> Int? {
        guard let (serial, subject) = try? Routing.parse(key: key), case .command = subject else { return nil }
        return numbers[serial.text]
    }

    /// Makes the queue and reads it.
    func consume(_ broker: BrokerConnection) async throws -> BrokerConnection.Consumer {
        try await broker.declare(Topology(exchanges: [], queues: [queue], bindings: []))
        return try await broker.consume(ConsumerOptions(queue: queue.name, prefetch: Self.prefetch))
    }

    /// Binds the queue for each sensor's commands, over a connection of its own: a binding takes the broker a while.
    func bind(_ context: ServiceContext) async throws {
        let broker = try await context.openBroker("bindings")
        let begin = ContinuousClock.now
        for first in stride(from: 0, to: serials.count, by: Self.bindingsAtOnce) {
            let bindings = serials[first..<min(first + Self.bindingsAtOnce, serials.count)].map { serial in
                Topology.Binding(
                    source: Routing.exchange, destination: .queue(queue.name), key: Routing.key(serial, .command("#")))
            }
            try await broker.declare(Topology(exchanges: [], queues: [], bindings: bindings))
        }
        await broker.close()
        context.logger.info("\(serials.count) command bindings in \(begin.duration(to: .now))")
    }
}
