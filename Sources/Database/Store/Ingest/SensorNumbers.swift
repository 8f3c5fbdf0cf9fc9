public import Model
public import Postgres

/// The database's numbers of sensors and of their named channels, as far as they have been read.
public struct SensorNumbers: Sendable {
    /// The most sensors kept in memory; beyond it all numbers are dropped and read again when needed.
    public static let sensorsMax = 200_000

    /// A frame and its sensor.
    public typealias SensorFrame = (serial: SerialNumber, frame: Frame)

    private var sensors: [SerialNumber: SensorID]
    private var channels: [SensorID: [String: Int16]]
    /// The version of sensors' names before the first number was read, for `IngestBatch.names`; nil: none was read.
    public private(set) var version: Int64?

    /// Numbers that are known; none by default.
    /// - Parameter channels: the numbers of the channels by name, for each sensor's number.
    public init(sensors: [SerialNumber: SensorID] = [:], channels: [SensorID: [String: Int16]] = [:]) {
        self.sensors = sensors
        self.channels = channels
    }

    /// The number of a sensor; nil: not read yet.
    public subscript(serial: SerialNumber) -> SensorID? { sensors[serial] }

    /// The number of a sensor's channel; nil: the name was not read yet, or the sensor has no number left for it.
    public func channel(_ key: ChannelKey, of sensor: SensorID) -> Int16? {
        switch key {
        case .number(let number): number
        case .name(let name): channels[sensor]?[name]
        }
    }

    /// Whether each channel of a frame has a number: JSON may name more channels than a sensor can have.
    public func hasChannels(of frame: Frame, sensor: SensorID) -> Bool {
        frame.blocks.allSatisfy { channel($0.channel, of: sensor) != nil }
    }

    /// Reads the numbers that frames need and that are not known yet. A sensor or name that is new is registered.
    /// - Throws: `StoreError`.
    public mutating func load(for frames: some Collection<SensorFrame>, from store: StoreConnection) async throws {
        if sensors.count > Self.sensorsMax || channels.count > Self.sensorsMax { self = SensorNumbers() }
        let unknown = unknownSensors(in: frames)
        if !unknown.isEmpty {
            let numbered = try await store.numberedSensors(for: unknown)
            sensors.merge(numbered.ids) { _, new in new }
            version = version ?? numbered.version
        }
        for (sensor, names) in unknownNames(in: frames) {
            channels[sensor] = try await store.channelNumbers(sensor: sensor, names: names)
        }
    }

    /// The sensors whose numbers are not known, in order.
    func unknownSensors(in frames: some Collection<SensorFrame>) -> [SerialNumber] {
        var unknown: Set<SerialNumber> = []
        for (serial, _) in frames where sensors[serial] == nil { unknown.insert(serial) }
        return unknown.sorted()
    }

    /// The channel names whose numbers are not known, by sensor: the names in the order of their first frames, in which
    /// they get their numbers. Sensors without a number are left out.
    func unknownNames(in frames: some Collection<SensorFrame>) -> [(sensor: SensorID, names: [String])] {
        var wanted: [SensorID: [String]] = [:]
        for (serial, frame) in frames {
            for block in frame.blocks {
                guard case .name(let name) = block.channel, let sensor = sensors[serial],
                    channels[sensor]?[name] == nil
                else { continue }
                if wanted[sensor]?.contains(name) != true { wanted[sensor, default: []].append(name) }
            }
        }
        return wanted.sorted { $0.key < $1.key }.map { (sensor: $0.key, names: $0.value) }
    }
}
