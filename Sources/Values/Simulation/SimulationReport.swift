public import Model

/// A simulator's own count of its published frames, to be compared with the stored ones.
public struct SimulationReport: Sendable, Equatable {
    /// The counts of one sensor. Only frames are counted, not announcements, answers or log lines.
    public struct Sensor: Sendable, Equatable {
        /// The serial number.
        public var serial: SerialNumber
        /// The boot's number.
        public var boot: Int64
        /// Frames that the sensor produced: sequences 0 ..< this.
        public var frames: Int64 = 0
        /// Samples in these frames, all channels together.
        public var samples: Int64 = 0
        /// Bytes of these frames' messages.
        public var bytes: Int64 = 0
        /// Frames that the broker confirmed, including intentionally corrupted ones.
        public var confirmedFrames: Int64 = 0
        /// Samples in the confirmed frames.
        public var confirmedSamples: Int64 = 0
        /// Frames that were dropped because the outbox was full.
        public var droppedFrames: Int64 = 0
        /// Frames that were given up after too many disconnects. Some may have arrived.
        public var givenUpFrames: Int64 = 0
        /// Frames of event captures, among those that the sensor produced.
        public var captureFrames: Int64 = 0
        /// Frames of event captures that were dropped or given up. Their captures stay incomplete.
        public var lostCaptureFrames: Int64 = 0
        /// The faults injected into the sensor's frames; nil without a fault plan.
        public var injected: InjectedFaults?

        /// The counts of a sensor that has not produced a frame yet.
        public init(serial: SerialNumber, boot: Int64) {
            self.serial = serial
            self.boot = boot
        }

        /// Frames that were neither confirmed nor lost nor intentionally dropped: still in transit.
        public var openFrames: Int64 {
            frames - confirmedFrames - droppedFrames - givenUpFrames - (injected?.droppedFrames ?? 0)
        }

        /// Counts a produced frame with that many samples and bytes.
        public mutating func made(samples: Int, bytes: Int) {
            frames += 1
            self.samples += Int64(samples)
            self.bytes += Int64(bytes)
        }

        /// Counts a message that the broker confirmed.
        public mutating func confirmed(_ message: OutboxMessage) {
            guard case .frame(let samples, _) = message.cargo else { return }
            confirmedFrames += 1
            confirmedSamples += Int64(samples)
        }

        /// Counts a loss of an outbox.
        public mutating func lost(_ loss: Outbox.Loss) {
            lostCaptureFrames += Int64(loss.captureFrames)
            switch loss.cause {
            case .overflow: droppedFrames += Int64(loss.frames)
            case .givenUp: givenUpFrames += Int64(loss.frames)
            }
        }
    }

    /// The counts of each sensor.
    public var sensors: [Sensor]

    /// A report on these sensors.
    public init(sensors: [Sensor]) { self.sensors = sensors }

    /// Frames produced.
    public var frames: Int64 { total(\.frames) }
    /// Samples in them, all channels together.
    public var samples: Int64 { total(\.samples) }
    /// Bytes of their messages.
    public var bytes: Int64 { total(\.bytes) }
    /// Frames that the broker confirmed.
    public var confirmedFrames: Int64 { total(\.confirmedFrames) }
    /// Samples in the confirmed frames.
    public var confirmedSamples: Int64 { total(\.confirmedSamples) }
    /// Frames dropped because the outbox was full.
    public var droppedFrames: Int64 { total(\.droppedFrames) }
    /// Frames given up after too many disconnects.
    public var givenUpFrames: Int64 { total(\.givenUpFrames) }
    /// Frames of event captures.
    public var captureFrames: Int64 { total(\.captureFrames) }
    /// Frames of event captures that were dropped or given up.
    public var lostCaptureFrames: Int64 { total(\.lostCaptureFrames) }
    /// Frames still in transit.
    public var openFrames: Int64 { total(\.openFrames) }

    private func total(_ count: KeyPath<Sensor, Int64>) -> Int64 { sensors.reduce(0) { $0 + $1[keyPath: count] } }
}
