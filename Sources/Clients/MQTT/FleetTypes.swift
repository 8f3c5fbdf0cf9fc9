/// The Last Will: a message that the broker publishes when a connection ends without a DISCONNECT. QoS 1, not retained.
public struct Will: Sendable, Equatable {
    /// The topic to publish to.
    public var topic: String
    /// The payload, at most 60,000 bytes: brokers limit the data that they accept before the login.
    public var payload: [UInt8]

    /// A Last Will for that topic.
    public init(topic: String, payload: [UInt8]) {
        self.topic = topic
        self.payload = payload
    }
}

/// The configuration of one MQTT client, which has its own session and its own connection.
public struct ClientConfiguration: Sendable {
    /// The client id, unique on the broker. The broker keeps the session (subscriptions, missed messages) over
    /// disconnects.
    public var clientID: String
    /// The login's user name.
    public var user: String
    /// The login's password; it appears in no text of this library.
    public var password: String
    /// Topic filters, which are subscribed at QoS 1 before the client counts as connected.
    public var subscriptions: [String]
    /// The Last Will of the next connection.
    public var will: Will?
    /// The MQTT keep-alive, in seconds.
    public var keepAliveSeconds: UInt16 = 30

    /// A client with that id and login.
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
    /// The number of the client that sends the message.
    public var client: Int
    /// The client's connection, as numbered by `FleetEvent.connected`: a message taken for a connection that has ended
    /// must not be sent on the next one.
    public var connection: Int
    /// The topic to publish to; no wildcards.
    public var topic: String
    /// The payload; at most 1 MiB together with topic and header.
    public var payload: [UInt8]
    /// The caller's token, which the events for this message repeat.
    public var token: UInt64

    /// A message for that client, connection and topic.
    public init(client: Int, connection: Int, topic: String, payload: [UInt8], token: UInt64) {
        self.client = client
        self.connection = connection
        self.topic = topic
        self.payload = payload
        self.token = token
    }
}

/// A message that was not sent, and the reason.
public struct Refusal: Sendable, Equatable {
    /// The reason; each case says how the caller proceeds.
    public enum Cause: Sendable, Equatable {
        /// The client is not connected, or no longer by that connection: send the message again after the next
        /// `connected`.
        case notConnected
        /// The client has `FleetLimits.inFlightMax` unconfirmed messages: send the message again after a confirm.
        case windowFull
        /// The message is larger than the broker accepts: do not send it again.
        case tooLarge
        /// The topic cannot be published to: do not send the message again.
        case badTopic
    }

    /// The message's token.
    public var token: UInt64
    /// The reason.
    public var cause: Cause

    /// A refusal of the message with that token.
    public init(token: UInt64, cause: Cause) {
        self.token = token
        self.cause = cause
    }
}

/// An event of one client.
public enum FleetEvent: Sendable, Equatable {
    /// The client is logged in and subscribed; `connection` numbers the client's connections: 1, 2, 3 …
    case connected(client: Int, connection: Int)
    /// A connection or a connection attempt has ended; the fleet reconnects by itself. Messages in flight are
    /// unconfirmed: the library forgets them, and the publisher decides. `reason` is one readable line without secrets.
    case disconnected(client: Int, reason: String)
    /// The broker has accepted the message with that token.
    case confirmed(client: Int, token: UInt64)
    /// The broker answered that the message with that token reached no queue, or that it refuses the message: send it
    /// again later. `reason` is one readable line.
    case returned(client: Int, token: UInt64, reason: String)
    /// The broker refused a subscription.
    case subscriptionRefused(client: Int, topic: String)
    /// A message for one of the client's subscriptions. A message of the earlier session may arrive before `connected`.
    case message(client: Int, topic: String, payload: [UInt8])
}

/// The limits of a fleet.
public struct FleetLimits: Sendable {
    /// The largest packet that the broker accepts: 1 MiB. The broker closes the connection at a larger one.
    public static let packetBytesMax = 1 << 20

    /// The most unconfirmed messages of one client, 1…65,535.
    public var inFlightMax = 32
    /// The most clients that connect at the same time.
    public var connectingMax = 200
    /// The time limit for connecting, from the first byte to the last subscription.
    public var connectTimeout = Duration.seconds(15)
    /// The first wait after a disconnect; it doubles with each further disconnect.
    public var backoffFirst = Duration.milliseconds(200)
    /// The longest wait after a disconnect.
    public var backoffLongest = Duration.seconds(5)
    /// A connection that lasted this long resets the next wait to `backoffFirst`.
    public var stableAfter = Duration.seconds(10)
    /// The number of waiting events above which the fleet reads no socket. If the consumer takes no events for longer
    /// than a keep-alive, the clients lose their connections.
    public var eventsMax = 65_536
    /// The bytes of waiting messages above which the fleet reads no socket: 32 MiB.
    public var eventBytesMax = 32 << 20

    /// The default limits.
    public init() {}
}

/// The current counts of a fleet.
public struct FleetCounts: Sendable, Equatable {
    /// All clients of the fleet.
    public var clients = 0
    /// Clients that are connected.
    public var online = 0
    /// Clients that are connecting.
    public var connecting = 0
    /// Unconfirmed messages.
    public var inFlight = 0
    /// Events that the consumer has not taken yet.
    public var eventsWaiting = 0

    /// Counts of zero.
    public init() {}
}
