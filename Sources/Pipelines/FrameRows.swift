internal import Sensors
internal import Store

/// Frames as rows, outside of an ingester: numbers of sensors and channels are looked up, those that are new are given.
struct FrameRows {
    /// Most sensors that are kept in memory; beyond it they are looked up again.
    private static let cacheMax = 200_000

    private let cutter = RowCutter(clockRule: ClockRule())
    private var ids: [SerialNumber: Int32] = [:]
    private var channels: [Int32: [String: Int16]] = [:]

    /// Looks up what `frames` need and is not known yet.
    mutating func load(_ frames: [(serial: SerialNumber, frame: Frame)], from store: StoreConnection) async throws {
        if ids.count > Self.cacheMax {
            ids = [:]
            channels = [:]
        }
        let unknown = Set(frames.map(\.serial)).filter { ids[$0] == nil }
        if !unknown.isEmpty { ids.merge(try await store.sensorIDs(for: unknown.sorted())) { _, new in new } }
        var wanted: [Int32: Set<String>] = [:]
        for (serial, frame) in frames {
            guard let sensor = ids[serial] else { continue }
            for case .name(let name) in frame.blocks.map(\.channel) where channels[sensor]?[name] == nil {
                wanted[sensor, default: []].insert(name)
            }
        }
        for (sensor, names) in wanted.sorted(by: { $0.key < $1.key }) {
            channels[sensor] = try await store.channelNumbers(sensor: sensor, names: names.sorted())
        }
    }

    /// The number of a sensor that was loaded.
    subscript(serial: SerialNumber) -> Int32? { ids[serial] }

    /// Whether all channels of a frame have numbers: a device's JSON may have more than 64.
    func hasNumbers(_ frame: Frame, _ sensor: Int32) -> Bool {
        frame.blocks.allSatisfy { number($0.channel, sensor) != nil }
    }

    /// Gives the rows of a loaded frame to `emit`.
    /// - Returns: the trusted time of its first sample.
    func cut(
        _ frame: Frame, sensor: Int32, received: Timestamp, into emit: (MeasurementRow) -> Void
    ) -> Timestamp {
        cutter.cut(
            frame, sensor: sensor, received: received, channelNumber: { number($0, sensor) }, into: emit
        ).time
    }

    private func number(_ channel: ChannelKey, _ sensor: Int32) -> Int16? {
        switch channel {
        case .number(let number): number
        case .name(let name): channels[sensor]?[name]
        }
    }
}
