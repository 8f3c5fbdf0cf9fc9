internal import Model
public import Store
public import Time

/// Counts of published, stored and missing frames (docs/iotctl-json.md, "audit").
public struct AuditView: Codable, Sendable, Equatable {
    /// Number of missing frames for each cause.
    public struct Causes: Codable, Sendable, Equatable {
        /// The cause is not known, or the frames may still arrive.
        public var late: Int64
        /// The stream's retention deleted the frames before they were stored.
        public var brokerRetention: Int64
        /// The stream was recreated.
        public var streamReset: Int64
        /// The frames arrived, could not be stored and are in quarantine.
        public var quarantined: Int64
        /// The sensor dropped the frames and said so.
        public var droppedAtSource: Int64
        /// The sensor restarted before it had sent the frames.
        public var sensorRestarted: Int64

        private enum CodingKeys: String, CodingKey {
            case late
            case brokerRetention = "broker_retention"
            case streamReset = "stream_reset"
            case quarantined
            case droppedAtSource = "dropped_at_source"
            case sensorRestarted = "sensor_restarted"
        }
    }

    /// A range of missing frames of a boot.
    public struct Loss: Codable, Sendable, Equatable {
        /// The first sequence.
        public var first: Int64
        /// The last sequence.
        public var last: Int64
        /// Number of missing frames; if it is less than the range holds, it is not known which frames are missing.
        public var missing: Int64
        /// The cause: a raw value of `LossCause`.
        public var cause: String
    }

    /// The audit of a boot of a sensor.
    public struct Boot: Codable, Sendable, Equatable {
        /// The boot's id.
        public var bootID: Int64
        /// Number of frames announced, or one above the highest sequence received, if that is more.
        public var published: Int64
        /// Number of frames stored.
        public var stored: Int64
        /// Number of frames missing.
        public var missing: Int64
        /// Number of repeated frames, which were not stored again.
        public var duplicates: Int64
        /// Number of frames not stored because the ledger does not say whether they are stored already.
        public var givenUp: Int64
        /// The missing frames, by sequence.
        public var losses: [Loss]

        private enum CodingKeys: String, CodingKey {
            case bootID = "boot_id"
            case published, stored, missing, duplicates
            case givenUp = "given_up"
            case losses
        }
    }

    /// The audit of a sensor.
    public struct Sensor: Codable, Sendable, Equatable {
        /// The sensor's serial number.
        public var sensor: String
        /// Whether the sensor numbers its frames.
        public var isNumbered: Bool
        /// Number of recent rows of a device that does not number its frames; nil if it numbers them.
        public var unnumberedRows: Int64?
        /// When the history of an earlier sensor of this serial number was deleted, if that explains missing frames.
        public var historyDeletedAt: Timestamp?
        /// The boots, oldest first.
        public var boots: [Boot]

        private enum CodingKeys: String, CodingKey {
            case sensor
            case isNumbered = "numbered"
            case unnumberedRows = "unnumbered_rows"
            case historyDeletedAt = "history_deleted_at"
            case boots
        }
    }

    /// Whether no frame is missing.
    public var isComplete: Bool
    /// Total number of frames published.
    public var published: Int64
    /// Total number of frames stored.
    public var stored: Int64
    /// Total number of frames missing.
    public var missing: Int64
    /// Total number of repeated frames, which were not stored again.
    public var duplicates: Int64
    /// Total number of frames not stored because the ledger does not say whether they are stored already.
    public var givenUp: Int64
    /// Number of missing frames for each cause.
    public var causes: Causes
    /// The sensors, by serial number.
    public var sensors: [Sensor]

    private enum CodingKeys: String, CodingKey {
        case isComplete = "complete"
        case published, stored, missing, duplicates
        case givenUp = "given_up"
        case causes, sensors
    }
}

extension AuditView {
    /// The view of the audits of sensors, with their sums.
    public init(_ audits: [SensorAudit]) {
        let boots = audits.flatMap(\.boots)
        let missing = audits.saturatingSum(\.missing)
        self.init(
            isComplete: missing == 0, published: boots.saturatingSum(\.published),
            stored: boots.saturatingSum(\.stored), missing: missing,
            duplicates: boots.saturatingSum(\.duplicates), givenUp: boots.saturatingSum(\.givenUp),
            causes: Causes(boots.flatMap(\.losses)), sensors: audits.map(Sensor.init))
    }
}

extension AuditView.Causes {
    fileprivate init(_ losses: [SequenceGap]) {
        func missing(_ cause: LossCause) -> Int64 { losses.filter { $0.cause == cause }.saturatingSum(\.missing) }
        self.init(
            late: missing(.late), brokerRetention: missing(.brokerRetention), streamReset: missing(.streamReset),
            quarantined: missing(.quarantined), droppedAtSource: missing(.droppedAtSource),
            sensorRestarted: missing(.sensorRestarted))
    }
}

extension AuditView.Sensor {
    fileprivate init(_ audit: SensorAudit) {
        self.init(
            sensor: audit.serial, isNumbered: audit.unnumberedRows == nil, unnumberedRows: audit.unnumberedRows,
            historyDeletedAt: audit.historyDeletedAt, boots: audit.boots.map(AuditView.Boot.init))
    }
}

extension AuditView.Boot {
    fileprivate init(_ result: LossAudit.BootAudit) {
        self.init(
            bootID: result.boot, published: result.published, stored: result.stored, missing: result.missing,
            duplicates: result.duplicates, givenUp: result.givenUp, losses: result.losses.map(AuditView.Loss.init))
    }
}

extension AuditView.Loss {
    fileprivate init(_ gap: SequenceGap) {
        self.init(
            first: gap.range.lowerBound, last: gap.range.upperBound, missing: gap.missing, cause: gap.cause.rawValue)
    }
}
