internal import Broker
internal import Sensors
internal import Wire

/// One connection that speaks for many sensors: their serials begin with its name, and their commands come through one
/// queue of its own (design §1).
struct Gateway: Sendable {
    /// Between a gateway's name and that of one of its sensors.
    static let separator = "--"
    /// Commands that the broker sends ahead of acknowledgements.
    private static let prefetch: UInt16 = 1000
    /// Sensors that get a binding each. The broker takes 2 to 3 ms of its CPU for one, a hundred thousand would take it
    /// minutes at each new gateway; a larger gateway gets all commands by one binding and passes over those of others.
    static let bindingsMax = 1000

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

    /// What its queue is bound for.
    var bindings: [Topology.Binding] {
        let keys =
            serials.count <= Self.bindingsMax
            ? serials.map { Routing.key($0, .command("#")) } : ["*.commands.#"]
        return keys.map { Topology.Binding(source: Routing.exchange, destination: .queue(queue.name), key: $0) }
    }

    /// Makes the queue with its bindings and reads it.
    func consume(_ broker: BrokerConnection) async throws -> BrokerConnection.Consumer {
        try await broker.declare(Topology(exchanges: [], queues: [queue], bindings: bindings))
        return try await broker.consume(ConsumerOptions(queue: queue.name, prefetch: Self.prefetch))
    }
}
