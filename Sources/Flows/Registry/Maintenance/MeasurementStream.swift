internal import Management
internal import Model
internal import Postgres
internal import Store
internal import Wire

/// A stream of measurements as the management API shows it.
struct MeasurementStream {
    /// The stream's name.
    var name: String
    /// The number of messages, some seconds old.
    var messages: Int64
    /// An upper estimate of the size in bytes: the API gives no bytes, so all segments count as full.
    var bytes: Int64
    /// The size of a full segment in bytes.
    var segmentBytes: Int64
    /// `max-age` in seconds; nil: none.
    var secondsMax: Double?
    /// `max-length-bytes`; nil: none.
    var bytesMax: Int64?

    /// The streams of all partitions.
    /// - Throws: `StoreError`, `ManagementAPI.RequestError`.
    static func all(_ store: StoreConnection, _ management: ManagementAPI) async throws -> [MeasurementStream] {
        let names = Set((0..<(try await store.partitionCount() ?? 0)).map(Routing.stream))
        return try await management.queues().filter { names.contains($0.name) }.map { queue in
            let definition = queue.effectivePolicyDefinition
            let segmentBytes = definition?.segmentBytes ?? StreamBacklog.segmentBytesDefault
            return MeasurementStream(
                name: queue.name, messages: queue.messages ?? 0, bytes: (queue.segments ?? 0) * segmentBytes,
                segmentBytes: segmentBytes, secondsMax: definition?.maxAge.flatMap(StreamBacklog.seconds(maxAge:)),
                bytesMax: definition?.maxLengthBytes)
        }
    }
}
