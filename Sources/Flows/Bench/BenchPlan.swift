public import Model

/// The parameters of a benchmark.
public struct BenchPlan: Sendable {
    /// The maximum number of messages that the references are measured with, because the messages wait in memory.
    public static let referenceMessagesMax = 100_000
    /// The maximum number of samples in these messages.
    public static let referenceSamplesMax = 40_000_000

    /// The content of the messages; not `json`.
    public var format: SignalFormat
    /// Samples in a frame.
    public var length: Int
    /// The number of sensors; they take turns.
    public var sensors: Int
    /// Samples per second of all sensors together; nil: as fast as the broker confirms.
    public var samplesPerSecond: Double?
    /// How long each run publishes.
    public var duration: Duration
    /// Whether the ingesters are held back while the benchmark publishes.
    public var isBacklog: Bool
    /// A name that distinguishes this benchmark from others: lower-case letters and digits.
    public var name: String

    /// A plan with these parameters.
    public init(
        format: SignalFormat, length: Int, sensors: Int, samplesPerSecond: Double?, duration: Duration,
        isBacklog: Bool = false, name: String
    ) {
        self.format = format
        self.length = format == .value ? 1 : length
        self.sensors = sensors
        self.samplesPerSecond = samplesPerSecond
        self.duration = duration
        self.isBacklog = isBacklog
        self.name = name
    }

    /// The serial numbers of the sensors: `bench-<name>-0` and so on.
    public var serials: [SerialNumber] { (0..<sensors).compactMap { SerialNumber("bench-\(name)-\($0)") } }

    /// The name of the holder of the partitions while the ingesters are held back.
    var holder: String { "iotctl bench \(name)" }

    /// The table that the reference writes to.
    public var table: String { "bench_\(name)" }

    /// The streams that the reference reads.
    func stream(_ index: Int) -> String { "bench-\(name).\(index)" }

    /// The number of messages that the references are measured with, of those that were published.
    func referenceMessages(of published: Int) -> Int {
        min(published, Self.referenceMessagesMax, max(1, Self.referenceSamplesMax / length))
    }

    /// The number of messages that are due after this many seconds; nil: any number.
    func due(after seconds: Double) -> Int? {
        samplesPerSecond.map { Int($0 * seconds / Double(length)) }
    }

    /// The sample rate in the frames, in Hz. Without a rate in the plan it keeps their times near the present, however
    /// fast they are published.
    var hertz: Double { samplesPerSecond.map { $0 / Double(sensors) } ?? (format == .value ? 1000 : 50_000) }
}

/// The measurements of one run.
public struct BenchRun: Sendable, Equatable {
    /// Messages that were published, confirmed and committed.
    public var messages = 0
    /// Samples in one message.
    public var length = 1
    /// Seconds from the first publish to the last confirm.
    public var publishSeconds = 0.0
    /// Seconds from the first publish (for a backlog: from the first lease) to the last commit that was seen.
    public var commitSeconds = 0.0
    /// Time from handing a message to the client until its commit is seen, in seconds, ascending; empty for a backlog.
    public var latencies: [Double] = []
    /// The messages that librabbitmq alone read, and the duration.
    public var drain = (messages: 0, seconds: 0.0)
    /// The samples that libpq alone copied, and the duration.
    public var copy = (samples: 0, seconds: 0.0)
    /// Bytes per sample in the reference's table, including its index.
    public var bytesPerSample = 0.0

    /// Compares the figures.
    public static func == (left: BenchRun, right: BenchRun) -> Bool {
        left.figures.map(\.value) == right.figures.map(\.value)
    }

    /// The figures of a report, by name.
    public var figures: [(name: String, value: Double)] {
        let published = Self.rate(messages, publishSeconds)
        let committed = Self.rate(messages, commitSeconds)
        let drained = Self.rate(drain.messages, drain.seconds)
        let copied = Self.rate(copy.samples, copy.seconds)
        let rates = [
            ("published_messages_per_s", published), ("published_samples_per_s", published * Double(length)),
            ("committed_messages_per_s", committed), ("committed_samples_per_s", committed * Double(length)),
        ]
        let waits = [
            ("latency_p50_ms", quantile(0.5) * 1000), ("latency_p99_ms", quantile(0.99) * 1000),
            ("latency_max_ms", (latencies.last ?? 0) * 1000),
        ]
        let references = [
            ("drain_messages_per_s", drained), ("copy_samples_per_s", copied),
            ("committed_to_drain", drained > 0 ? committed / drained : 0),
            ("committed_to_copy", copied > 0 ? committed * Double(length) / copied : 0),
            ("bytes_per_sample", bytesPerSample),
        ]
        return rates + (latencies.isEmpty ? [] : waits) + references
    }

    /// The latency in seconds below which this share of the messages stays.
    public func quantile(_ share: Double) -> Double {
        if latencies.isEmpty { return 0 }
        let rank = Int((share * Double(latencies.count)).rounded(.up))
        return latencies[min(latencies.count, max(1, rank)) - 1]
    }

    private static func rate(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }

    /// Median, minimum and maximum of each figure of several runs; empty without runs.
    public static func spread(_ runs: [BenchRun]) -> [(name: String, median: Double, least: Double, most: Double)] {
        guard let first = runs.first else { return [] }
        return first.figures.enumerated().map { index, figure in
            let values = runs.map { $0.figures[index].value }.sorted()
            let middle = values.count / 2
            let median = values.count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2
            return (figure.name, median, values[0], values[values.count - 1])
        }
    }
}

/// Turns periodic observations of the committed counts into latencies. Pure.
struct CommitLog {
    /// When each message was handed to the client, in seconds, by sensor and sequence number.
    private var published: [[Double]]
    private var committed: [Int]
    /// Latencies in seconds, in the order in which the commits were seen.
    private(set) var latencies: [Double] = []

    init(sensors: Int) {
        published = Array(repeating: [], count: sensors)
        committed = Array(repeating: 0, count: sensors)
    }

    /// The number of messages that were published.
    var publishedCount: Int { published.reduce(0) { $0 + $1.count } }

    /// Records that message `index` of all, whose sensors take turns, is published at `time`.
    mutating func publish(_ index: Int, at time: Double) { published[index % published.count].append(time) }

    /// Records that the first `count` messages of a sensor are seen to be committed at `time`.
    mutating func see(sensor: Int, committed count: Int, at time: Double) {
        let end = min(count, published[sensor].count)
        guard end > committed[sensor] else { return }
        for sequence in committed[sensor]..<end { latencies.append(time - published[sensor][sequence]) }
        committed[sensor] = end
    }
}
