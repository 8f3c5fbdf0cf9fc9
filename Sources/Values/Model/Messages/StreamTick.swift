public import Time

/// What the owner of a partition says in the partition's own stream: that time goes on, and which rules hold from here on.
///
/// The time of a tick is the broker's stamp, so that every reader of the stream has the same one.
public struct StreamTick: Sendable, Equatable {
    /// The number of the newest rule revision that the owner has read; 0: none.
    public var revision: Int64
    /// The epoch of the owner's lease.
    public var epoch: Int64
    /// The owner's clock. It says nothing to a reader; it makes any two ticks different messages, by which a recreated stream
    /// is recognized.
    public var sent: Timestamp

    /// A tick of these parts.
    public init(revision: Int64, epoch: Int64, sent: Timestamp) {
        self.revision = revision
        self.epoch = epoch
        self.sent = sent
    }
}
