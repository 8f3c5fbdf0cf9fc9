public import Sensors

/// What is measured.
public struct BenchPlan: Sendable {
    /// Most messages that the references are measured with, and most samples in them: they wait in memory.
    public static let referenceMessagesMax = 100_000
    /// See `referenceMessagesMax`.
    public static let referenceSamplesMax = 40_000_000

    /// What the messages carry; not `json`.
    public var form: SignalForm
    /// Samples in a frame.
    public var length: Int
    /// How many sensors take turns.
    public var sensors: Int
    /// Samples a second of all sensors together; nil: as many as the broker confirms.
    public var samplesPerSecond: Double?
    /// How long each run publishes.
    public var duration: Duration
    /// Whether the ingesters are held back meanwhile.
    public var isBacklog: Bool
    /// Distinguishes this bench from others: small letters and digits.
    public var name: String

    /// That plan.
    public init(
        form: SignalForm, length: Int, sensors: Int, samplesPerSecond: Double?, duration: Duration,
        isBacklog: Bool = false, name: String
    ) {
        self.form = form
        self.length = form == .value ? 1 : length
        self.sensors = sensors
        self.samplesPerSecond = samplesPerSecond
        self.duration = duration
        self.isBacklog = isBacklog
        self.name = name
    }

    /// `bench-<name>-0` and so on.
    public var serials: [SerialNumber] { (0..<sensors).compactMap { SerialNumber("bench-\(name)-\($0)") } }

    /// Who holds the partitions while the ingesters are held back.
    var holder: String { "iotctl bench \(name)" }

    /// The table that the reference writes to.
    public var table: String { "bench_\(name)" }

    /// The streams that the reference reads.
    func stream(_ index: Int) -> String { "bench-\(name).\(index)" }

    /// Messages that the references are measured with, of those that were published.
    func referenceMessages(of published: Int) -> Int {
        min(published, Self.referenceMessagesMax, max(1, Self.referenceSamplesMax / length))
    }

    /// How many messages should have been published after so many seconds; nil: any number.
    func due(after seconds: Double) -> Int? {
        samplesPerSecond.map { Int($0 * seconds / Double(length)) }
    }

    /// The rate that the frames say they have. Without a rate of the plan one by which their times stay near now,
    /// however fast they are published.
    var hertz: Double { samplesPerSecond.map { $0 / Double(sensors) } ?? (form == .value ? 1000 : 50_000) }
}

/// What was measured in one run.
public struct BenchRun: Sendable, Equatable {
    /// Published, confirmed and committed.
    public var messages = 0
    /// In one message.
    public var length = 1
    /// From the first publish to the last confirm.
    public var publishSeconds = 0.0
    /// From the first publish, or of a backlog from the first lease, to the last commit that was seen.
    public var commitSeconds = 0.0
    /// From handing a message to the client to seeing it committed, in seconds, ascending; of a backlog none.
    public var latencies: [Double] = []
    /// Messages that librabbitmq alone read, and how long it took.
    public var drain = (messages: 0, seconds: 0.0)
    /// Samples that libpq alone copied, and how long it took.
    public var copy = (samples: 0, seconds: 0.0)
    /// Of the reference's table, with its index.
    public var bytesPerSample = 0.0

    /// Equal figures.
    public static func == (left: BenchRun, right: BenchRun) -> Bool {
        left.figures.map(\.value) == right.figures.map(\.value)
    }

    /// The figures that people look at, by name.
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

    /// The latency below which that share of the messages stays, in seconds.
    public func quantile(_ share: Double) -> Double {
        if latencies.isEmpty { return 0 }
        let rank = Int((share * Double(latencies.count)).rounded(.up))
        return latencies[min(latencies.count, max(1, rank)) - 1]
    }

    private static func rate(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }

    /// The middle, the least and the most of each figure of several runs; none of no runs.
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

/// Who was seen to be committed when: turns what was looked at now and then into latencies. Pure.
struct CommitLog {
    /// When each message was handed over, in seconds, by sensor and sequence.
    private var published: [[Double]]
    private var committed: [Int]
    /// Seconds, in the order in which they were seen.
    private(set) var latencies: [Double] = []

    init(sensors: Int) {
        published = Array(repeating: [], count: sensors)
        committed = Array(repeating: 0, count: sensors)
    }

    /// Messages that were published.
    var publishedCount: Int { published.reduce(0) { $0 + $1.count } }

    /// Message `index` of all, whose sensors take turns, is published at `time`.
    mutating func publish(_ index: Int, at time: Double) { published[index % published.count].append(time) }

    /// The first `count` messages of a sensor are seen to be committed at `time`.
    mutating func see(sensor: Int, committed count: Int, at time: Double) {
        let end = min(count, published[sensor].count)
        guard end > committed[sensor] else { return }
        for sequence in committed[sensor]..<end { latencies.append(time - published[sensor][sequence]) }
        committed[sensor] = end
    }
}
