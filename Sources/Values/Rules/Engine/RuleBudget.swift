/// How much work one rule may cause with one message. It counts operations and no time, so that whether a rule exceeds it is
/// a function of the stream.
public struct RuleBudget: Sendable, Equatable {
    /// The most operations of a rule for one message.
    public var operationsMax: Int
    /// What a condition costs for each block of a frame that it judges by statistics alone.
    public var perBlock: Int
    /// What a condition costs for each sample that it touches, on top of that.
    public var perSample: Int
    /// What a filter or transform costs for each sample, on top of that.
    public var perFilteredSample: Int

    /// A budget; by default a rule may filter some 10 full blocks of 65,536 samples with one message.
    public init(
        operationsMax: Int = 20_000_000, perBlock: Int = 1, perSample: Int = 1, perFilteredSample: Int = 32
    ) {
        self.operationsMax = operationsMax
        self.perBlock = perBlock
        self.perSample = perSample
        self.perFilteredSample = perFilteredSample
    }
}
