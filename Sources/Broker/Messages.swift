/// Where a broker is and who we are there.
public struct BrokerAddress: Sendable, Equatable, CustomStringConvertible {
    /// A name or an address.
    public var host: String
    /// 5672 by custom.
    public var port: Int
    /// Who we are.
    public var user: String
    /// How we prove it; never part of `description`.
    public var password: String
    /// "/" by default.
    public var virtualHost: String

    /// That broker, as that user.
    public init(host: String, port: Int, user: String, password: String, virtualHost: String) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.virtualHost = virtualHost
    }

    /// All but the password.
    public var description: String { "amqp://\(user)@\(host):\(port) vhost \(virtualHost)" }
}

/// A message on its way out.
public struct OutgoingMessage: Sendable {
    /// The broker's `max_message_size`, and so ours: 1 MiB.
    public static let bodyBytesMax = 1 << 20

    /// Which exchange; "" is the default exchange, whose keys are queue names.
    public var exchange: String
    /// The routing key, at most 255 bytes.
    public var key: String
    /// The payload.
    public var body: [UInt8]
    /// After how many milliseconds an undelivered message is dropped; nil: never.
    public var expirationMilliseconds: Int64?

    /// A persistent message.
    public init(exchange: String, key: String, body: [UInt8], expirationMilliseconds: Int64? = nil) {
        self.exchange = exchange
        self.key = key
        self.body = body
        self.expirationMilliseconds = expirationMilliseconds
    }
}

/// What became of a published message.
public enum PublishOutcome: Sendable, Equatable {
    /// The broker has it, and so have its queues.
    case confirmed
    /// The broker could not take it: publish it again.
    case refused
    /// No queue is bound for it, and there is no alternate exchange.
    case unroutable
    /// Over `OutgoingMessage.bodyBytesMax`, or the key over 255 bytes: never sent.
    case tooLarge
}

/// A message that came.
public struct Delivery: Sendable {
    /// What to acknowledge it by, valid on the consumer that gave it.
    public var tag: UInt64
    /// The routing key that it was published with.
    public var key: String
    /// The payload.
    public var body: [UInt8]
    /// Its offset, if it comes from a stream.
    public var streamOffset: Int64?
    /// The broker's own stamp of its arrival, in milliseconds since 1970 (`timestamp_in_ms`).
    public var receivedUnixMilliseconds: Int64?
    /// Why and where it died, if it comes from a dead-letter exchange: "rejected from logs".
    public var deathReason: String?
}

/// What a broker must have for us; declaring it again changes nothing.
public struct Topology: Sendable {
    /// An exchange, durable.
    public struct Exchange: Sendable {
        /// Its name.
        public var name: String
        /// "topic", "fanout", "x-modulus-hash" …
        public var type: String
        /// Where it sends what fits no binding; nil: nowhere.
        public var alternate: String?

        /// That exchange.
        public init(name: String, type: String, alternate: String? = nil) {
            self.name = name
            self.type = type
            self.alternate = alternate
        }
    }

    /// A queue. Its arguments hold only what can't be a policy: a changed argument makes the next declaration fail.
    public struct Queue: Sendable {
        /// How the broker keeps it.
        public enum Kind: String, Sendable {
            /// Replicated, durable.
            case quorum
            /// A log that is read by offset, durable.
            case stream
            /// In one place, durable.
            case classic
        }

        /// Its name; "" lets the broker choose (with `exclusive`).
        public var name: String
        /// How the broker keeps it.
        public var kind: Kind
        /// One consumer at a time, the others in reserve.
        public var singleActiveConsumer: Bool
        /// Ours alone, gone with our connection.
        public var exclusive: Bool
        /// Most messages it holds before it drops the oldest; nil: as its policy says.
        public var lengthMax: Int64?

        /// That queue.
        public init(
            name: String, kind: Kind, singleActiveConsumer: Bool = false, exclusive: Bool = false,
            lengthMax: Int64? = nil
        ) {
            self.name = name
            self.kind = kind
            self.singleActiveConsumer = singleActiveConsumer
            self.exclusive = exclusive
            self.lengthMax = lengthMax
        }
    }

    /// A way from an exchange to a queue or to another exchange.
    public struct Binding: Sendable {
        /// What is at the end of it.
        public enum Destination: Sendable {
            /// A queue of that name.
            case queue(String)
            /// An exchange of that name.
            case exchange(String)
        }

        /// From here …
        public var source: String
        /// … to there …
        public var destination: Destination
        /// … for keys that fit this.
        public var key: String

        /// That binding.
        public init(source: String, destination: Destination, key: String) {
            self.source = source
            self.destination = destination
            self.key = key
        }
    }

    /// In the order to declare them.
    public var exchanges: [Exchange]
    /// Declared after the exchanges.
    public var queues: [Queue]
    /// Declared last.
    public var bindings: [Binding]

    /// These.
    public init(exchanges: [Exchange], queues: [Queue], bindings: [Binding]) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

/// Where to start to read a stream.
public enum StreamOffset: Sendable, Equatable {
    /// With the oldest message that is still there.
    case first
    /// With the newest chunk.
    case last
    /// With what comes from now on.
    case next
    /// With the message of that offset.
    case offset(Int64)
    /// With the chunk that holds the first message of that second, or the first one after it. Seconds since 1970; the
    /// chunk may begin with earlier messages.
    case timestamp(unixSeconds: Int64)
}

/// How to read a queue.
public struct ConsumerOptions: Sendable {
    /// The queue.
    public var queue: String
    /// Most messages that the broker sends ahead of acknowledgements.
    public var prefetch: UInt16
    /// Where to start, if the queue is a stream.
    public var offset: StreamOffset?
    /// Whether messages need no acknowledgement. Streams always need one.
    public var noAck: Bool
    /// Most bytes of payload that wait in this process; above it the socket is not read.
    public var inboxBytesMax: Int

    /// Reads that queue so.
    public init(
        queue: String, prefetch: UInt16, offset: StreamOffset? = nil, noAck: Bool = false,
        inboxBytesMax: Int = 8 << 20
    ) {
        self.queue = queue
        self.prefetch = prefetch
        self.offset = offset
        self.noAck = noAck
        self.inboxBytesMax = inboxBytesMax
    }
}
