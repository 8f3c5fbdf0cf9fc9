internal import Broker
internal import Sensors
internal import Store

/// What came of looking at one thing.
enum Fact<Value: Sendable>: Sendable {
    /// This.
    case known(Value)
    /// It went wrong.
    case failed(String)
    /// No answer came within this time.
    case tooSlow(Duration)
    /// Nobody looked, because of this.
    case notAsked(String)

    /// What is known.
    var value: Value? {
        if case .known(let value) = self { value } else { nil }
    }
}

/// All that the doctor looks at. What it makes of them is pure: `findings`.
struct DoctorFacts: Sendable {
    /// How a thing at the broker stands to what it should be.
    enum Presence: Sendable, Equatable {
        /// It is there, as far as one may see.
        case there
        /// It is not.
        case missing
        /// It is there with other arguments; the broker's words.
        case different(String)
    }

    /// An exchange or queue.
    struct Item: Sendable, Equatable {
        var presence: Presence
        /// Messages in a queue.
        var messages = 0
        /// Consumers of a queue.
        var consumers = 0
    }

    /// A message that was published to a queue of our own and came back.
    struct Echo: Sendable, Equatable {
        /// Why the broker takes no publishes; nil: it took ours.
        var blocked: String?
        /// Whether it came back in time.
        var isBack = true
        /// How far the broker's stamp is ahead of this machine; nil: it had none.
        var offset: ClockOffset?
    }

    /// How far another clock is ahead of this machine's.
    struct ClockOffset: Sendable, Equatable {
        /// Seconds; below 0: behind.
        var seconds: Double
        /// How wrong that may be.
        var uncertainty: Double
    }

    /// A stream, as reading it showed.
    struct Stream: Sendable, Equatable {
        /// Offset of its oldest message; nil: none came.
        var first: Int64?
        /// Age of the oldest message that is not stored, in seconds; nil: all is stored.
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

    /// Where the broker is, without the password.
    var brokerPlace = ""
    var user = ""
    var virtualHost = "/"
    /// Where the database is, without the password.
    var databasePlace = ""

    /// What the broker calls itself.
    var broker = Fact<String>.notAsked("no connection")
    /// Whether it answered and refused us.
    var isBrokerRefused = false
    var echo = Fact<Echo>.notAsked("no connection")
    var access = Fact<Bool>.notAsked("no connection")
    var exchanges: [(name: String, fact: Fact<Item>)] = []
    var queues: [(name: String, fact: Fact<Item>)] = []
    var streams: [(name: String, fact: Fact<Item>)] = []
    /// Whether there is a stream more than there are partitions.
    var isStreamTooMany = Fact<Bool>.notAsked("no connection")

    var server = Fact<ServerRecord>.notAsked("no connection")
    var isDatabaseRefused = false
    var databaseOffset: ClockOffset?
    var schema = Fact<Migrations.State>.notAsked("no connection")
    var partitionCount = Fact<Int?>.notAsked("no connection")
    var partitions = Fact<[PartitionState]>.notAsked("no connection")
    var replicas = Fact<[String]>.notAsked("no connection")
    var quarantined = Fact<Int>.notAsked("no connection")
    var upkeep = Fact<StoreUpkeep>.notAsked("no connection")

    /// By stream.
    var readings: [String: Fact<Stream>] = [:]

    var disks = Fact<[Disk]>.notAsked("set MANAGEMENT_URL")
    var policies = Fact<[ManagementAPI.Queue]>.notAsked("set MANAGEMENT_URL")
    var bindings = Fact<Set<ManagementAPI.Binding>>.notAsked("set MANAGEMENT_URL")
    var permission = Fact<ManagementAPI.Permission?>.notAsked("set MANAGEMENT_URL")
    var cutBytes = Fact<Int64?>.notAsked("set MANAGEMENT_URL")
}
