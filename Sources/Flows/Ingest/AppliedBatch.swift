internal import Store

/// What a batch has become: the transaction to commit, the alarms to publish before, and the figures to count after.
struct AppliedBatch: Sendable {
    var ingest: IngestBatch
    var alarms: [AlarmEvent] = []
    var counts = IngestCounts()

    init(ingest: IngestBatch) { self.ingest = ingest }
}
