import Broker
import Model
import Testing
import Wire

@testable import Messaging

@Suite struct TopologyTests {
    private let topology = Topology.sensorStreaming(partitions: 4)

    /// How a topic exchange matches (AMQP 0-9-1, 3.1.3.3): `*` one word, `#` any number of words.
    private func matches(_ key: [Substring], _ pattern: [Substring]) -> Bool {
        guard let first = pattern.first else { return key.isEmpty }
        let rest = Array(pattern.dropFirst())
        if first == "#" { return (0...key.count).contains { matches(Array(key.dropFirst($0)), rest) } }
        guard let word = key.first, first == "*" || first == word else { return false }
        return matches(Array(key.dropFirst()), rest)
    }

    private func words(_ text: String) -> [Substring] { text.split(separator: ".", omittingEmptySubsequences: false) }

    /// Where a message ends: the queues, through other exchanges and the alternate where nothing fits.
    private func queues(_ key: String, exchange name: String = Routing.exchange) throws -> [String] {
        let exchange = try #require(topology.exchanges.first { $0.name == name }, "\(name)")
        let bindings = topology.bindings.filter { $0.source == name }
        let fitting =
            switch exchange.type {
            case "topic": bindings.filter { matches(words(key), words($0.key)) }
            case "fanout": bindings
            // One of them, whichever the hash says; the first will do.
            case "x-modulus-hash": Array(bindings.prefix(1))
            default: [Topology.Binding]()
            }
        if fitting.isEmpty, let alternate = exchange.alternate { return try queues(key, exchange: alternate) }
        return try fitting.flatMap { binding in
            switch binding.destination {
            case .queue(let queue): [queue]
            case .exchange(let next): try queues(key, exchange: next)
            }
        }
    }

    @Test(arguments: [
        ("sensor_1.data", "measurements.0"), ("sensor_1.registry", "registry"), ("sensor_1.acks", "registry"),
        ("sensor_1.commands.sleep", "registry"), ("sensor_1.commands", "registry"),
        ("sensor_1.commands.a.b", "registry"),
        ("sensor_1.logs", "logs"),
        ("sensor_1.dat", "unrouted"), ("sensor_a.b.data", "unrouted"), ("data", "unrouted"), ("", "unrouted"),
        ("sensor_1.logs.x", "unrouted"), ("sensor_1.data.x", "unrouted"), ("sensor_1", "unrouted"),
    ])
    func everyKeyEndsInExactlyOneQueue(key: String, queue: String) throws {
        #expect(try queues(key) == [queue])
    }

    /// A copy for the registry's record, and one for clients that watch.
    @Test(arguments: ["sensor_1.alarms.trigger", "sensor_1.alarms.clear"])
    func everyAlarmEndsInAQueueAndInAStream(key: String) throws {
        #expect(try queues(key) == ["alarms", "alarms.stream"])
    }

    @Test func everySubjectOfTheWireHasAQueue() throws {
        let serial = try #require(SerialNumber("1"))
        let subjects: [Routing.Subject] = [
            .data, .registry, .acks, .logs, .command("sleep"), .alarm(.trigger), .alarm(.clear),
        ]
        for subject in subjects {
            let queue = try #require(try queues(Routing.key(serial, subject)).first)
            #expect(queue != Routing.unroutedQueue)
        }
    }

    @Test func whatIsDeadIsKept() throws {
        #expect(try queues("sensor_1.logs", exchange: "sensor_streaming.dead") == ["dead_letters"])
    }

    @Test(arguments: [1, 4, 16])
    func queuesAreThoseOfTheDesign(partitions: Int) {
        let topology = Topology.sensorStreaming(partitions: partitions)
        let streams = (0..<partitions).map { "measurements.\($0)" }
        #expect(topology.queues.filter { $0.kind == .stream }.map(\.name) == streams + ["alarms.stream"])
        #expect(
            Set(topology.queues.filter { $0.kind == .quorum }.map(\.name))
                == ["registry", "logs", "alarms", "unrouted", "dead_letters"])
        #expect(topology.queues.count == partitions + 6)
        #expect(topology.queues.filter(\.singleActiveConsumer).map(\.name) == ["registry"])
        // Lengths and ages are policies: a changed argument makes the next start fail.
        #expect(topology.queues.allSatisfy { $0.lengthMax == nil && !$0.exclusive })
        let hashed = topology.bindings.filter { $0.source == "sensor_streaming.partitions" }
        #expect(hashed.count == partitions && Set(hashed.map(\.key)) == Set(streams))
    }

    @Test func exchangesAreThoseOfTheDesign() {
        let types = Dictionary(uniqueKeysWithValues: topology.exchanges.map { ($0.name, $0.type) })
        #expect(
            types == [
                "sensor_streaming": "topic", "sensor_streaming.partitions": "x-modulus-hash",
                "sensor_streaming.unrouted": "fanout", "sensor_streaming.dead": "fanout",
            ])
        for exchange in topology.exchanges where exchange.type != "fanout" {
            #expect(exchange.alternate == "sensor_streaming.unrouted")
        }
    }

    /// Declared in order, so that an alternate comes before the exchange that names it, and no binding names a missing one.
    @Test func nothingIsNamedThatIsNotDeclared() {
        var declared: Set<String> = []
        for exchange in topology.exchanges {
            if let alternate = exchange.alternate { #expect(declared.contains(alternate)) }
            declared.insert(exchange.name)
        }
        let queues = Set(topology.queues.map(\.name))
        for binding in topology.bindings {
            #expect(declared.contains(binding.source))
            switch binding.destination {
            case .queue(let queue): #expect(queues.contains(queue))
            case .exchange(let exchange): #expect(declared.contains(exchange))
            }
        }
    }
}
