/// A message to publish.
public struct OutgoingMessage: Sendable {
    /// The largest body, 1 MiB: the `max_message_size` that the broker is configured with.
    public static let bodyBytesMax = 1 << 20

    /// The exchange to publish to; "" is the default exchange, whose routing keys are queue names.
    public var exchange: String
    /// The routing key, at most 255 bytes.
    public var key: String
    /// The payload.
    public var body: [UInt8]
    /// Milliseconds after which the broker drops the message if it is undelivered; nil: never.
    public var expirationMilliseconds: Int64?

    /// A persistent message (delivery mode 2) for that exchange and routing key.
    public init(exchange: String, key: String, body: [UInt8], expirationMilliseconds: Int64? = nil) {
        self.exchange = exchange
        self.key = key
        self.body = body
        self.expirationMilliseconds = expirationMilliseconds
    }
}

/// The outcome of a publish.
public enum PublishOutcome: Sendable, Equatable {
    /// The broker and the queues that the message was routed to have accepted it.
    case confirmed
    /// The broker refused the message (nack): publish it again.
    case refused
    /// No binding matches the message, and the exchange has no alternate exchange.
    case unroutable
    /// The body exceeds `OutgoingMessage.bodyBytesMax` or the key exceeds 255 bytes: the message was not sent.
    case tooLarge
}

/// A message that the broker delivered.
public struct Delivery: Sendable {
    /// The delivery tag to acknowledge the message by, valid only on the consumer that received it.
    public var tag: UInt64
    /// The routing key that the message was published with.
    public var key: String
    /// The payload.
    public var body: [UInt8]
    /// The message's offset, if it was read from a stream.
    public var streamOffset: Int64?
    /// The broker's own timestamp of the message's arrival, in milliseconds since 1970 (`timestamp_in_ms`).
    public var receivedUnixMilliseconds: Int64?
    /// The reason and the queue of the dead-lettering, if there was one: "rejected from logs".
    public var deathReason: String?
    /// Whether the broker may have delivered the message before, to a consumer that ended without an acknowledgement.
    public var isRedelivered = false

    /// A delivery; the caller sets the fields that come from message headers afterwards.
    public init(
        tag: UInt64, key: String, body: [UInt8], streamOffset: Int64? = nil, receivedUnixMilliseconds: Int64? = nil,
        deathReason: String? = nil
    ) {
        self.tag = tag
        self.key = key
        self.body = body
        self.streamOffset = streamOffset
        self.receivedUnixMilliseconds = receivedUnixMilliseconds
        self.deathReason = deathReason
    }
}

/// The exchanges, queues and bindings that a client needs. Declaring them again changes nothing.
public struct Topology: Sendable {
    /// A durable exchange.
    public struct Exchange: Sendable {
        /// The exchange's name.
        public var name: String
        /// The exchange's type: "topic", "fanout", "x-modulus-hash" …
        public var type: String
        /// The alternate exchange, for messages that match no binding; nil: none.
        public var alternate: String?

        /// A durable exchange of that name and type.
        public init(name: String, type: String, alternate: String? = nil) {
            self.name = name
            self.type = type
            self.alternate = alternate
        }
    }

    /// A queue. Its arguments hold only settings that a policy cannot hold, because a changed argument makes the next
    /// declaration fail.
    public struct Queue: Sendable {
        /// The queue type. The raw value is `x-queue-type`.
        public enum Kind: String, Sendable {
            /// Replicated and durable.
            case quorum
            /// An append-only log that is read by offset; durable.
            case stream
            /// On a single node; durable unless the queue is exclusive.
            case classic
        }

        /// The queue's name; with `exclusive`, "" lets the broker choose a name.
        public var name: String
        /// The queue type.
        public var kind: Kind
        /// Whether only one consumer is active at a time and the others stand by.
        public var singleActiveConsumer: Bool
        /// Whether only the declaring connection may use the queue; the broker deletes it with that connection.
        public var exclusive: Bool
        /// The most messages that the queue holds before it drops the oldest; nil: its policy decides.
        public var lengthMax: Int64?

        /// A queue of that name and type.
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

    /// A binding of a queue or an exchange to a source exchange.
    public struct Binding: Sendable {
        /// The queue or exchange that receives the messages.
        public enum Destination: Sendable {
            /// A queue of that name.
            case queue(String)
            /// An exchange of that name.
            case exchange(String)
        }

        /// The exchange that the messages come from.
        public var source: String
        /// The queue or exchange that receives them.
        public var destination: Destination
        /// The binding key: the pattern of routing keys to match.
        public var key: String

        /// A binding of `destination` to `source` with that key.
        public init(source: String, destination: Destination, key: String) {
            self.source = source
            self.destination = destination
            self.key = key
        }
    }

    /// The exchanges in order of declaration: an exchange's alternate exchange and the destinations of its bindings
    /// stand before it.
    public var exchanges: [Exchange]
    /// The queues, which are declared before the exchanges.
    public var queues: [Queue]
    /// The bindings; each is declared after its source exchange.
    public var bindings: [Binding]

    /// A topology of these parts.
    public init(exchanges: [Exchange], queues: [Queue], bindings: [Binding]) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

/// The position in a stream to start reading from.
public enum StreamOffset: Sendable, Equatable {
    /// The oldest message that the stream still holds.
    case first
    /// The newest chunk.
    case last
    /// Messages that are published from now on.
    case next
    /// The message with that offset.
    case offset(Int64)
    /// The chunk that holds the first message at or after that time, in seconds since 1970. The chunk may begin with
    /// earlier messages.
    case timestamp(unixSeconds: Int64)
}

/// The options of a consumer.
public struct ConsumerOptions: Sendable {
    /// The queue to consume.
    public var queue: String
    /// The most unacknowledged messages that the broker delivers.
    public var prefetch: UInt16
    /// The position to start from, if the queue is a stream.
    public var offset: StreamOffset?
    /// Whether messages need no acknowledgement. Messages of streams always need one.
    public var noAck: Bool
    /// The most bytes of payload that wait in this process; above that the client does not read the socket.
    public var inboxBytesMax: Int

    /// A consumer of that queue, with an inbox of 8 MiB by default.
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
