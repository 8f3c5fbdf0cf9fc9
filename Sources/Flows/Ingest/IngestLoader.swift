internal import Model
internal import Postgres
internal import Store

/// Reads the look-ups of a partition's batches from the database.
struct IngestLoader {
    let store: StoreConnection
    /// The partition.
    let stream: String

    /// Reads what a batch needs and `state` does not know yet. New sensors and channels are registered.
    /// - Returns: the sensors with a row that cannot be decoded, by number. `state` does not get to know these rows, so that
    ///   the next batch reads them again.
    /// - Throws: `StoreError`.
    func load(into state: inout IngestState, for batch: FrameBatch) async throws -> [SensorID: StoreError] {
        let frames = batch.frames.lazy.map { (serial: $0.serial, frame: $0.frame) }
        try await state.numbers.load(for: frames, from: store)
        let missing = state.missing(for: batch)
        if missing.holes { state.load(try await store.holes(of: stream)) }
        var unreadable: [SensorID: StoreError] = [:]
        for (key, error) in try await Self.read(
            missing.ledgers[...],
            { keys in state.load(try await store.ledgers(for: Array(keys), stream: stream)) }
        ) { unreadable[key.sensor] = error }
        for (sensor, error) in try await Self.read(
            missing.places[...],
            { sensors in state.load(try await store.lastPlaces(of: Array(sensors))) }
        ) { unreadable[sensor] = error }
        return unreadable
    }

    /// Reads the rows of many keys at once, or of halves of them where one cannot be decoded, down to the single key.
    /// - Parameter load: reads the rows of keys, and takes all of them or throws.
    /// - Returns: the keys whose rows cannot be decoded.
    /// - Throws: each other error of `load`.
    static func read<Key>(
        _ keys: ArraySlice<Key>, _ load: (ArraySlice<Key>) async throws -> Void
    ) async throws -> [(key: Key, error: StoreError)] {
        guard let first = keys.first else { return [] }
        do {
            try await load(keys)
            return []
        } catch let error as StoreError {
            guard case .undecodable = error else { throw error }
            if keys.count == 1 { return [(first, error)] }
        }
        let middle = keys.startIndex + keys.count / 2
        return try await read(keys[..<middle], load) + read(keys[middle...], load)
    }
}
