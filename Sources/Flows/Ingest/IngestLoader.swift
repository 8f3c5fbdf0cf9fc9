internal import Postgres
internal import Store

/// Reads the look-ups of a partition's batches from the database.
struct IngestLoader {
    let store: StoreConnection
    /// The partition.
    let stream: String

    /// Reads what a batch needs and `state` does not know yet. New sensors and channels are registered.
    /// - Throws: `StoreError`.
    func load(into state: inout IngestState, for batch: FrameBatch, limits: ActiveLimits) async throws {
        let frames = batch.frames.lazy.map { (serial: $0.serial, frame: $0.frame) }
        try await state.numbers.load(for: frames, from: store)
        let missing = state.missing(for: batch, limits: limits)
        if missing.holes { state.load(try await store.holes(of: stream)) }
        if !missing.ledgers.isEmpty { state.load(try await store.ledgers(for: missing.ledgers, stream: stream)) }
        if !missing.places.isEmpty { state.load(try await store.lastPlaces(of: missing.places)) }
        if !missing.limitStates.isEmpty {
            state.load(try await store.limitStates(of: missing.limitStates), of: missing.limitStates)
        }
    }
}
