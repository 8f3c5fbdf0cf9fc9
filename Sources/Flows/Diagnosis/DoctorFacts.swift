internal import Management
internal import Model
internal import Store

/// All facts that the doctor collects. `findings` derives the findings from them and is pure.
struct DoctorFacts: Sendable {
    /// How an exchange or queue at the broker compares to its definition.
    enum Presence: Sendable, Equatable {
        /// It exists, as far as the user may see.
        case there
        /// It does not exist.
        case missing
        /// It exists with other arguments; the broker's message.
        case different(String)
    }

    /// An exchange or queue.
    struct Item: Sendable, Equatable {
        var presence: Presence
        /// The number of messages in a queue.
        var messages = 0
        /// The number of consumers of a queue.
        var consumers = 0
    }

    /// A message that was published to a temporary queue and read again.
    struct Echo: Sendable, Equatable {
        /// Why the broker blocks publishers; nil: it confirmed the message.
        var blocked: String?
        /// Whether the message arrived in time.
        var isBack = true
        /// How far the broker's timestamp is ahead of this machine's clock; nil: the message had none.
        var offset: ClockOffset?
    }

    /// How far another clock is ahead of this machine's.
    struct ClockOffset: Sendable, Equatable {
        /// Seconds; negative: behind.
        var seconds: Double
        /// The uncertainty in seconds.
        var uncertainty: Double
    }

    /// The state of a stream, as found by reading it.
    struct Stream: Sendable, Equatable {
        /// The offset of its oldest message; nil: none arrived.
        var first: Int64?
        /// Age of the oldest message that is not stored, in seconds; nil: all messages are stored.
        var oldestUnreadSeconds: Double?
        /// The offset of that message.
        var oldestUnread: Int64?
    }

    /// A node's disk.
    struct Disk: Sendable, Equatable {
        var node: String
        var free: Int64
        var limit: Int64
    }

    /// The variables with addresses that are not set, neither in the environment nor by a context.
    var unset: Set<String> = []
    /// The broker's address, without the password.
    var brokerPlace = ""
    var user = ""
    var virtualHost = "/"
    /// The database's address, without the password.
    var databasePlace = ""

    /// The broker's product name.
    var broker = Fact<String>.notAsked(because: "broker")
    /// Why the broker refused the connection; nil if it did not.
    var brokerRefusal: BrokerRefusal?
    var echo = Fact<Echo>.notAsked(because: "broker")
    var access = Fact<Bool>.notAsked(because: "broker")
    var exchanges: [(name: String, fact: Fact<Item>)] = []
    var queues: [(name: String, fact: Fact<Item>)] = []
    var streams: [(name: String, fact: Fact<Item>)] = []
    /// Whether there are more streams than partitions.
    var isStreamTooMany = Fact<Bool>.notAsked(because: "broker")

    var server = Fact<ServerRecord>.notAsked(because: "database")
    /// Why the database refused the connection; nil if it did not.
    var databaseRefusal: DatabaseRefusal?
    var databaseOffset: ClockOffset?
    var schema = Fact<Migrations.State>.notAsked(because: "database")
    var partitionCount = Fact<Int?>.notAsked(because: "database")
    var partitions = Fact<[PartitionRecord]>.notAsked(because: "database")
    var replicas = Fact<[String]>.notAsked(because: "database")
    var quarantined = Fact<Int>.notAsked(because: "database")
    var upkeep = Fact<StoreUpkeep>.notAsked(because: "database")

    var undeliverable = Fact<UndeliverableRecord>.notAsked(because: "database")

    /// Who is told of alarms.
    var receivers = Fact<[ReceiverRecord]>.notAsked(because: "database")

    /// By stream.
    var readings: [String: Fact<Stream>] = [:]

    /// The management API's address, without the password; nil: MANAGEMENT_URL is not set.
    var managementPlace: String?
    /// Whether the management API answered and refused the login.
    var isManagementRefused = false
    /// The protocols that the broker listens for, such as "amqp" and "mqtt"; nil: the API does not tell this user.
    var protocols = Fact<[String]?>.notAsked(because: "management")
    /// The streams and queues of all virtual hosts that are not up.
    var down = Fact<[String]>.notAsked(because: "management")
    /// Whether the address in MQTT_URL accepts connections; `failed` with the reason if it does not.
    var mqtt = Fact<Bool>.notAsked(because: "management")
    var disks = Fact<[Disk]>.notAsked(because: "management")
    var policies = Fact<[ManagementAPI.Queue]>.notAsked(because: "management")
    var bindings = Fact<Set<ManagementAPI.Binding>>.notAsked(because: "management")
    var permission = Fact<ManagementAPI.Permission?>.notAsked(because: "management")
    var cutBytes = Fact<Int64?>.notAsked(because: "management")
}
