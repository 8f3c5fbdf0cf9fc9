internal import Endpoint
internal import Logging
internal import MQTT
internal import Model
internal import Service
internal import Wire

/// MQTT: each sensor is a client with its own connection, and so has its own lane.
actor MQTTLink: SensorLink {
    private let fleet: MQTTFleet
    private let endpoint: Endpoint
    private let serials: [SerialNumber]
    private let logger: Logger
    private var connections: [Int]

    init(_ endpoint: Endpoint, serials: [SerialNumber], logger: Logger) throws {
        self.endpoint = endpoint
        self.serials = serials
        self.logger = logger
        fleet = try MQTTFleet(endpoint)
        connections = Array(repeating: 0, count: serials.count)
    }

    func start(wills: [Announcement]) async {
        let clients = zip(serials, wills).map { serial, will in
            ClientConfiguration(
                clientID: serial.text, user: endpoint.user, password: endpoint.password.text,
                subscriptions: Routing.topicFilters(serial), will: Self.will(serial, will))
        }
        _ = await fleet.add(clients)
    }

    func setWills(_ wills: [(sensor: Int, will: Announcement)]) async {
        await fleet.setWills(wills.map { ($0.sensor, Self.will(serials[$0.sensor], $0.will)) })
    }

    func send(_ messages: [LinkMessage]) async {
        let outgoing = messages.map { message in
            Outgoing(
                client: message.sensor, connection: connections[message.sensor],
                topic: Routing.topic(serials[message.sensor], message.subject), payload: message.payload,
                token: message.token)
        }
        for refusal in await fleet.publish(outgoing) {
            switch refusal.cause {
            case .notConnected, .windowFull: refused.append(.returned(token: refusal.token))
            case .tooLarge, .badTopic: refused.append(.refused(token: refusal.token))
            }
        }
    }

    private var refused: [LinkEvent] = []

    func takeRefused() -> [LinkEvent] {
        defer { refused = [] }
        return refused
    }

    func nextEvents() async -> [LinkEvent]? {
        // A message that is refused for lack of a connection is sent again at once and refused again, until the
        // disconnect event arrives: so refusals always come with other events.
        let happened = refused.isEmpty ? await fleet.nextEvents() : await fleet.eventsSoFar()
        guard let events = happened else { return nil }
        return takeRefused() + events.compactMap(event)
    }

    private func event(_ event: FleetEvent) -> LinkEvent? {
        switch event {
        case .connected(let client, let connection):
            connections[client] = connection
            return .connected(lane: client)
        case .disconnected(let client, let reason): return .disconnected(lane: client, reason: reason)
        case .confirmed(_, let token): return .confirmed(token: token)
        case .returned(_, let token, let reason): return .notTaken(token: token, reason: reason)
        case .subscriptionRefused(let client, let topic):
            logger.warning("\(serials[client]): the broker refused the subscription \(topic)")
            return nil
        case .message(let client, let topic, let payload):
            guard let (_, subject) = try? Routing.parse(topic: topic) else { return nil }
            return LinkEvent(sensor: client, subject: subject, payload: payload)
        }
    }

    func close() async { _ = await fleet.close() }

    private static func will(_ serial: SerialNumber, _ will: Announcement) -> Will {
        Will(topic: Routing.topic(serial, .registry), payload: AnnouncementCodec.encode(will))
    }
}
