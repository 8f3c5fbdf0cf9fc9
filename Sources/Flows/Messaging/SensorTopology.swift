public import Broker
internal import Wire

extension Topology {
    /// One stream and its binding to the hash exchange.
    public static func stream(named name: String) -> Topology {
        // The hash exchange hashes the message's routing key; the key of the binding only determines the stream's
        // position.
        Topology(
            exchanges: [], queues: [Queue(name: name, kind: .stream)],
            bindings: [Binding(source: Routing.partitionsExchange, destination: .queue(name), key: name)])
    }

    /// Everything that the broker needs, with this number of streams.
    public static func sensorStreaming(partitions: Int) -> Topology {
        let streams = (0..<partitions).map(Routing.stream)
        return Topology(
            exchanges: [
                Exchange(name: Routing.unroutedExchange, type: "fanout"),
                Exchange(name: Routing.deadExchange, type: "fanout"),
                Exchange(name: Routing.partitionsExchange, type: "x-modulus-hash", alternate: Routing.unroutedExchange),
                Exchange(name: Routing.exchange, type: "topic", alternate: Routing.unroutedExchange),
            ],
            queues: streams.flatMap { stream(named: $0).queues } + [
                Queue(name: Routing.registryQueue, kind: .quorum, singleActiveConsumer: true),
                Queue(name: Routing.logsQueue, kind: .quorum),
                Queue(name: Routing.alarmsQueue, kind: .quorum),
                Queue(name: Routing.alarmStream, kind: .stream),
                Queue(name: Routing.unroutedQueue, kind: .quorum),
                Queue(name: Routing.deadQueue, kind: .quorum),
            ],
            bindings: streams.flatMap { stream(named: $0).bindings } + [
                Binding(source: Routing.exchange, destination: .exchange(Routing.partitionsExchange), key: "*.data"),
                Binding(source: Routing.exchange, destination: .queue(Routing.registryQueue), key: "*.registry"),
                Binding(source: Routing.exchange, destination: .queue(Routing.registryQueue), key: "*.acks"),
                Binding(source: Routing.exchange, destination: .queue(Routing.registryQueue), key: "*.commands.#"),
                Binding(source: Routing.exchange, destination: .queue(Routing.logsQueue), key: "*.logs"),
                Binding(source: Routing.exchange, destination: .queue(Routing.alarmsQueue), key: "*.alarms.#"),
                Binding(source: Routing.exchange, destination: .queue(Routing.alarmStream), key: "*.alarms.#"),
                Binding(source: Routing.unroutedExchange, destination: .queue(Routing.unroutedQueue), key: ""),
                Binding(source: Routing.deadExchange, destination: .queue(Routing.deadQueue), key: ""),
            ])
    }
}
