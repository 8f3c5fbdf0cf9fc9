/// Where the broker listens for MQTT.
public struct MQTTServer: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address.
    public var host: String
    /// 1…65,535.
    public var port: UInt16

    /// The broker at that host and port.
    public init(host: String, port: UInt16 = 1883) {
        self.host = host
        self.port = port
    }

    /// "host:port".
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A message that the broker publishes when a connection breaks without a good-bye: QoS 1, not retained.
public struct Will: Sendable, Equatable {
    /// Where to.
    public var topic: String
    /// At most 60,000 bytes: brokers limit what may come before the login.
    public var payload: [UInt8]

    /// That message.
    public init(topic: String, payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }
}

/// One MQTT client: a session of its own on a connection of its own.
public struct ClientConfiguration: Sendable {
    /// Unique on the broker; the broker keeps its session (subscriptions, missed messages) over disconnects.
    public var clientID: String
    /// The login's name.
    public var user: String
    /// The login's password; appears in no text of this library.
    public var password: String
    /// Topic filters, subscribed at QoS 1 before the client counts as connected.
    public var subscriptions: [String]
    /// What to leave with the broker at the next connection.
    public var will: Will?
    /// Between signs of life, seconds.
    public var keepAliveSeconds: UInt16 = 30

    /// A client of that name and login.
    public init(clientID: String, user: String, password: String, subscriptions: [String] = [], will: Will? = nil) {
        self.clientID = clientID
        self.user = user
        self.password = password
        self.subscriptions = subscriptions
        self.will = will
    }
}

/// A message to publish: QoS 1, not retained.
public struct Outgoing: Sendable {
    /// Which client is to send it.
    public var client: Int
    /// On which of its connections, as `FleetEvent.connected` said: a message taken for a connection that has ended
    /// meanwhile must not slip into the next one.
    public var connection: Int
    /// Where to; no wildcards.
    public var topic: String
    /// At most 1 MiB with topic and header.
    public var payload: [UInt8]
    /// Comes back with the confirm.
    public var token: UInt64

    /// A message of these parts.
    public init(client: Int, connection: Int, topic: String, payload: [UInt8], token: UInt64) {
        self.client = client
        self.connection = connection
        self.topic = topic
        self.payload = payload
        self.token = token
    }
}

/// A message that was not sent, and what to do with it.
public struct Refusal: Sendable, Equatable {
    /// Why.
    public enum Cause: Sendable, Equatable {
        /// The client is not connected, or not by that connection any more: send it again after the next `connected`.
        case notConnected
        /// The client has as many unconfirmed messages as it may: send it again after a confirm.
        case windowFull
        /// Larger than the broker takes: never send it again.
        case tooLarge
        /// No topic that can be published to: never send it again.
        case badTopic
    }

    /// The message's token.
    public var token: UInt64
    /// Why.
    public var cause: Cause

    /// That message was not sent, for that reason.
    public init(token: UInt64, cause: Cause) {
        self.token = token
        self.cause = cause
    }
}

/// What happened to a client.
public enum FleetEvent: Sendable, Equatable {
    /// It is logged in and has its subscriptions; `connection` counts its connections: 1, 2, 3 …
    case connected(client: Int, connection: Int)
    /// A connection or a try to get one has ended; the next try follows by itself. What was in flight is unconfirmed: the
    /// library forgets it, whoever published it decides. `reason` is one line for people, without secrets.
    case disconnected(client: Int, reason: String)
    /// The broker has the message with that token.
    case confirmed(client: Int, token: UInt64)
    /// The broker answered that the message with that token is in no queue, or that it does not take it: send it again
    /// after a while. `reason` is one line for people.
    case returned(client: Int, token: UInt64, reason: String)
    /// The broker does not allow a subscription.
    case subscriptionRefused(client: Int, topic: String)
    /// A message for one of the client's subscriptions. One of an older session may come before `connected`.
    case message(client: Int, topic: String, payload: [UInt8])
}

/// How much a fleet takes on.
public struct FleetLimits: Sendable {
    /// The largest packet that the broker takes: 1 MiB. A larger one would cost the connection.
    public static let packetBytesMax = 1 << 20

    /// Unconfirmed messages of one client, 1…65,535.
    public var inFlightMax = 32
    /// Clients that may be connecting at a time.
    public var connectingMax = 200
    /// From the first byte to the last subscription.
    public var connectTimeout = Duration.seconds(15)
    /// The first wait after a disconnect; doubles with each.
    public var backoffFirst = Duration.milliseconds(200)
    /// The longest wait after a disconnect.
    public var backoffLongest = Duration.seconds(5)
    /// A connection that lasted this long makes the next wait the first again.
    public var stableAfter = Duration.seconds(10)
    /// Events waiting to be taken, above which no socket is read. A consumer that leaves them for longer than a keep-alive
    /// loses its connections.
    public var eventsMax = 65_536
    /// Bytes of messages waiting to be taken, above which no socket is read: 32 MiB.
    public var eventBytesMax = 32 << 20

    /// The limits above.
    public init() {}
}

/// What a fleet is doing.
public struct FleetCounts: Sendable, Equatable {
    /// All clients.
    public var clients = 0
    /// Clients that are connected.
    public var online = 0
    /// Clients that are connecting.
    public var connecting = 0
    /// Unconfirmed messages.
    public var inFlight = 0
    /// Events that nobody has taken yet.
    public var eventsWaiting = 0

    /// Nothing yet.
    public init() {}
}
