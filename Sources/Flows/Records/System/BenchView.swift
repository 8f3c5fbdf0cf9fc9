/// The result of a benchmark (docs/iotctl-json.md, "bench").
public struct BenchView: Codable, Sendable, Equatable {
    /// Figures by name. Figures that were not measured are left out.
    public struct Figures: Sendable, Equatable {
        /// A figure. The raw value is the figure's name, with its unit.
        public enum Name: String, CodingKey, CaseIterable, Sendable {
            /// Messages per second to the last confirm.
            case publishedMessages = "published_messages_per_s"
            /// Samples per second to the last confirm.
            case publishedSamples = "published_samples_per_s"
            /// Messages per second to the last commit.
            case committedMessages = "committed_messages_per_s"
            /// Samples per second to the last commit.
            case committedSamples = "committed_samples_per_s"
            /// The median latency, in milliseconds.
            case latencyMedian = "latency_p50_ms"
            /// The 99th percentile of the latency, in milliseconds.
            case latencyP99 = "latency_p99_ms"
            /// The maximum latency, in milliseconds.
            case latencyMax = "latency_max_ms"
            /// Messages per second that librabbitmq alone reads.
            case drainMessages = "drain_messages_per_s"
            /// Samples per second that libpq alone copies.
            case copySamples = "copy_samples_per_s"
            /// Messages committed for each message that librabbitmq alone reads.
            case committedToDrain = "committed_to_drain"
            /// Samples committed for each sample that libpq alone copies.
            case committedToCopy = "committed_to_copy"
            /// Bytes per sample in the reference's table, with its index, uncompressed.
            case bytesPerSample = "bytes_per_sample"
        }

        /// The measured figures.
        public var values: [Name: Double]
    }

    /// One run of the benchmark.
    public struct Run: Sendable, Equatable {
        /// Number of messages published and committed.
        public var messages: Int
        /// Number of samples in these messages.
        public var samples: Int
        /// The measured figures; their fields come last in the same object.
        public var figures: Figures

        /// The view of a run.
        public init(messages: Int, samples: Int, figures: Figures) {
            self.messages = messages
            self.samples = samples
            self.figures = figures
        }

        private enum CodingKeys: String, CodingKey {
            case messages, samples
        }
    }

    /// The form of the messages' samples: `floats`, `counts` or `values`.
    public var form: String
    /// Number of samples in a frame.
    public var samplesPerFrame: Int
    /// Number of sensors, which take turns.
    public var sensors: Int
    /// Samples per second of all sensors together; nil if publishing was limited only by the broker's confirms.
    public var rate: Double?
    /// Seconds that each run published.
    public var seconds: Int
    /// Whether the ingesters were held back during publishing.
    public var isBacklog: Bool
    /// The median of each figure.
    public var median: Figures
    /// The runs, in their order.
    public var runs: [Run]

    /// The view of these runs.
    public init(
        form: String, samplesPerFrame: Int, sensors: Int, rate: Double?, seconds: Int, isBacklog: Bool,
        median: Figures, runs: [Run]
    ) {
        self.form = form
        self.samplesPerFrame = samplesPerFrame
        self.sensors = sensors
        self.rate = rate
        self.seconds = seconds
        self.isBacklog = isBacklog
        self.median = median
        self.runs = runs
    }

    private enum CodingKeys: String, CodingKey {
        case form
        case samplesPerFrame = "samples_per_frame"
        case sensors, rate, seconds
        case isBacklog = "backlog"
        case median, runs
    }
}

extension BenchView.Figures: Codable {
    /// Figures by their documented names; unknown names are left out.
    public init(_ figures: [(name: String, value: Double)]) {
        values = [:]
        for figure in figures {
            if let name = Name(rawValue: figure.name) { values[name] = figure.value }
        }
    }

    /// Decodes the figures that are present.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        values = [:]
        for name in Name.allCases { values[name] = try container.decodeIfPresent(Double.self, forKey: name) }
    }

    /// Encodes the measured figures, in the order of the document.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for name in Name.allCases {
            if let value = values[name] { try container.encode(value, forKey: name) }
        }
    }
}

extension BenchView.Run: Codable {
    /// Decodes counts and figures from one object.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        messages = try container.decode(Int.self, forKey: .messages)
        samples = try container.decode(Int.self, forKey: .samples)
        figures = try BenchView.Figures(from: decoder)
    }

    /// Encodes counts, then figures, into one object.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(messages, forKey: .messages)
        try container.encode(samples, forKey: .samples)
        try figures.encode(to: encoder)
    }
}
