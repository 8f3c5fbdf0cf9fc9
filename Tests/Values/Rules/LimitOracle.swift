import Model
import Rules
import Time

/// The state of one channel's limits, as of the last frame that was looked at.
struct LimitState: Sendable, Equatable {
    /// An alarm that is on.
    struct Raised: Sendable, Equatable {
        /// The alarm's id.
        var id: String
        /// On which side.
        var side: LimitSide
        /// When it was raised.
        var since: Timestamp

        /// That alarm.
        init(id: String, side: LimitSide, since: Timestamp) {
            self.id = id
            self.side = side
            self.since = since
        }
    }

    /// Nil: within limits.
    var raised: Raised?
    /// The time of the newest frame that was looked at. Older ones change nothing: they came late.
    var asOf: Timestamp?

    /// A state; by default within limits, nothing looked at yet.
    init(raised: Raised? = nil, asOf: Timestamp? = nil) {
        self.raised = raised
        self.asOf = asOf
    }
}

/// What the samples of one channel in one frame say to the limits, however they are cut for storing.
struct LimitObservation: Sendable {
    /// Whose samples they are.
    var sensor: SerialNumber
    /// The channel's number.
    var channel: Int16
    /// The channel's name, for the rule's name and for people.
    var channelName: String
    /// The trusted time of the frame's first sample.
    var time: Timestamp
    /// The frame it comes from.
    var position: FramePosition?
    /// What all of them come to.
    var statistics: SampleStatistics

    /// Those samples of that sensor.
    init(
        sensor: SerialNumber, channel: Int16, channelName: String, time: Timestamp, position: FramePosition?,
        statistics: SampleStatistics
    ) {
        self.sensor = sensor
        self.channel = channel
        self.channelName = channelName
        self.time = time
        self.position = position
        self.statistics = statistics
    }
}

extension ChannelLimits {
    /// Looks at one frame's samples: the new state, and what to publish, a clear before a trigger.
    ///
    /// Pure, and so is the id of an alarm: the same frame after the same state gives the same alarm, so a batch that is
    /// evaluated again after a failed commit repeats itself word for word. Frames older than `state.asOf` and those
    /// without a finite sample change nothing.
    func evaluate(
        _ row: LimitObservation, after state: LimitState
    ) -> (state: LimitState, edges: [(edge: Alarm.Edge, alarm: Alarm)]) {
        guard let minimum = row.statistics.min, let maximum = row.statistics.max else { return (state, []) }
        if let asOf = state.asOf, row.time < asOf { return (state, []) }
        var next = LimitState(raised: state.raised, asOf: row.time)
        var edges: [(edge: Alarm.Edge, alarm: Alarm)] = []
        if let raised = next.raised, hasCleared(raised.side, minimum: minimum, maximum: maximum) {
            edges.append((.clear, alarm(raised, row, raised.side == .high ? maximum : minimum)))
            next.raised = nil
        }
        if next.raised == nil, let side = crossed(minimum: minimum, maximum: maximum) {
            let raised = LimitState.Raised(id: Self.id(row, side), side: side, since: row.time)
            edges.append((.trigger, alarm(raised, row, side == .high ? maximum : minimum)))
            next.raised = raised
        }
        return (next, edges)
    }

    private func crossed(minimum: Double, maximum: Double) -> LimitSide? {
        if let high, maximum > high { return .high }
        if let low, minimum < low { return .low }
        return nil
    }

    /// A limit that was taken away clears its alarm.
    private func hasCleared(_ side: LimitSide, minimum: Double, maximum: Double) -> Bool {
        switch side {
        case .high: high.map { maximum <= $0 - hysteresis } ?? true
        case .low: low.map { minimum >= $0 + hysteresis } ?? true
        }
    }

    private static func id(_ row: LimitObservation, _ side: LimitSide) -> String {
        "\(row.sensor)/\(row.channel)/\(side.rawValue)/\(row.time.unixNanoseconds)"
    }

    private func alarm(_ raised: LimitState.Raised, _ row: LimitObservation, _ value: Double) -> Alarm {
        let limit = (raised.side == .high ? high : low) ?? value
        let relation = raised.side == .high ? "high limit" : "low limit"
        return Alarm(
            id: raised.id, rule: "limit:\(row.channelName):\(raised.side.rawValue)", channel: row.channel,
            value: value, limit: limit, at: row.time, position: row.position,
            text: "\(row.sensor) \(row.channelName) is \(value), \(relation) \(limit)")
    }
}
