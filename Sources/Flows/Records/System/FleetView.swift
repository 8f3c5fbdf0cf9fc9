public import Store
public import Time

/// The whole installation at one moment (docs/iotctl-json.md, "fleet").
public struct FleetView: Codable, Sendable, Equatable {
    /// A sensor and its load.
    public struct Load: Codable, Sendable, Equatable {
        /// The sensor's serial number.
        public var serial: String
        /// The kind, such as "vibration"; may be empty.
        public var kind: String
        /// The state: `unknown`, `awake`, `asleep` or `stopped`.
        public var state: String
        /// The presence: `unknown`, `online`, `lost` or `offline`.
        public var presence: String
        /// Samples per second in all channels together, by the rates of the newest rows.
        public var samplesPerSecond: Double
        /// Seconds since the newest value was sampled, to the millisecond.
        public var lastValueAgeSeconds: Double?
        /// Number of active alarms of the sensor.
        public var activeAlarms: Int64

        private enum CodingKeys: String, CodingKey {
            case serial, kind, state, presence
            case samplesPerSecond = "samples_per_s"
            case lastValueAgeSeconds = "last_value_age_s"
            case activeAlarms = "active_alarms"
        }
    }

    /// The database's current time.
    public var at: Timestamp
    /// Number of sensors.
    public var sensors: Int64
    /// Number of sensors in each state.
    public var states: [String: Int64]
    /// Number of sensors with each presence.
    public var presences: [String: Int64]
    /// Total number of frames stored.
    public var frames: Int64
    /// Frames stored per second; nil if not known.
    public var framesPerSecond: Double?
    /// Samples per second, by the rates of the newest rows.
    public var samplesPerSecond: Double
    /// Number of active alarms.
    public var activeAlarms: Int64
    /// The partitions, by name.
    public var partitions: [PartitionView]
    /// The first sensors in the requested order.
    public var busiest: [Load]
    /// The newest active alarms.
    public var alarms: [AlarmView]
    /// The error of a server that can't be reached; nil if there is none.
    public var trouble: String?

    private enum CodingKeys: String, CodingKey {
        case at, sensors, states, presences, frames
        case framesPerSecond = "frames_per_s"
        case samplesPerSecond = "samples_per_s"
        case activeAlarms = "active_alarms"
        case partitions, busiest, alarms, trouble
    }
}

extension FleetView {
    /// The view of a snapshot.
    /// - Parameters:
    ///   - partitions: the partitions with rates and lag.
    ///   - framesPerSecond: frames stored per second; nil if not known.
    ///   - trouble: the error of a server that can't be reached; nil if there is none.
    public init(
        _ fleet: FleetSnapshot, partitions: [PartitionStatus], framesPerSecond: Double?, trouble: String?
    ) {
        self.init(
            at: fleet.at, sensors: fleet.sensorCount, states: fleet.states, presences: fleet.presences,
            frames: fleet.frames, framesPerSecond: framesPerSecond, samplesPerSecond: fleet.samplesPerSecond,
            activeAlarms: fleet.activeAlarms, partitions: partitions.map(PartitionView.init),
            busiest: fleet.sensors.map(Load.init), alarms: fleet.alarms.map(AlarmView.init), trouble: trouble)
    }
}

extension FleetView.Load {
    fileprivate init(_ load: FleetSnapshot.Load) {
        self.init(
            serial: load.serial, kind: load.kind, state: load.state, presence: load.presence,
            samplesPerSecond: load.samplesPerSecond, lastValueAgeSeconds: load.lastValueAge?.secondsToMillisecond,
            activeAlarms: load.activeAlarms)
    }
}
