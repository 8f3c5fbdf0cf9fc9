internal import Model

/// A condition that needs filters or moments of the samples.
struct SignalCondition: Sendable {
    let channel: String?
    let name: String
    let unit: String?
    private let bounds: RuleNode.Bounds

    init?(_ condition: Condition) { return nil }

    func remembersTheSame(as other: SignalCondition) -> Bool { true }

    func limit(_ side: RuleTruth) -> Double? { bounds.limit(of: side) }

    func judge(
        _ samples: Samples, _ moment: borrowing RuleMoment, at base: Int, _ words: inout MutableSpan<UInt64>,
        _ window: inout SignalWindow
    ) -> Bool { false }
}

/// The sums of a window.
enum SignalWindow: Sendable, Equatable {
    case empty

    func write(to writer: inout StateWriter) {}

    init(from reader: inout StateReader) throws(RuleStateError) { self = .empty }
}
