internal import AMQP
internal import Broker
internal import Model
internal import Wire

/// One connection for many sensors: their serial numbers begin with the gateway's name, and their commands and alarms
/// arrive through one queue of the gateway.
struct Gateway: Sendable {
    /// The text between a gateway's name and the rest of a sensor's serial number.
    static let separator = "--"
    /// The maximum number of unacknowledged commands that the broker sends.
    private static let prefetch: UInt16 = 1000
    /// The maximum number of sensors with a binding each. The broker needs 2 to 3 ms of CPU time per binding, so a
    /// hundred thousand bindings would take minutes for each new gateway; a larger gateway receives all commands
    /// through one binding and ignores those for other sensors. It does not listen to alarms.
    static let bindingsMax = 1000

    /// The queue of commands for its sensors.
    let queue: Topology.Queue
    private let serials: [SerialNumber]
    private let numbers: [String: Int]

    /// A gateway with this name, for sensors whose serial numbers begin with it.
    init(name: SerialNumber, serials: [SerialNumber]) {
        queue = Topology.Queue(name: Routing.gatewayQueue(name), kind: .classic)
        self.serials = serials
        numbers = Dictionary(
            serials.enumerated().map { ($0.element.text, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// The index of the sensor that a routing key names, and the subject; nil: not for one of these sensors.
    func recipient(of key: String) -> (sensor: Int, subject: Routing.Subject)? {
        guard let (serial, subject) = try? Routing.parse(key: key), let sensor = numbers[serial.text] else {
            return nil
        }
        return (sensor, subject)
    }

    /// The bindings of the queue.
    var bindings: [Topology.Binding] {
        let keys =
            serials.count <= Self.bindingsMax
            ? serials.flatMap { [Routing.key($0, .command("#")), Routing.alarmsPattern($0)] } : ["*.commands.#"]
        return keys.map { Topology.Binding(source: Routing.exchange, destination: .queue(queue.name), key: $0) }
    }

    /// Declares the queue with its bindings and consumes from it.
    func consume(_ broker: BrokerConnection) async throws -> BrokerConnection.Consumer {
        try await broker.declare(Topology(exchanges: [], queues: [queue], bindings: bindings))
        return try await broker.consume(ConsumerOptions(queue: queue.name, prefetch: Self.prefetch))
    }
}
