internal import Store

/// What a batch has become: the transaction to commit, and the figures to count after.
struct AppliedBatch: Sendable {
    var ingest: IngestBatch
    var counts = IngestCounts()

    init(ingest: IngestBatch) { self.ingest = ingest }
}
