/// The result of examining one thing.
enum Fact<Value: Sendable>: Sendable {
    /// The value.
    case known(Value)
    /// The question failed, with this reason.
    case failed(String)
    /// The server did not answer within this time.
    case tooSlow(Duration)
    /// The question was not asked, because of what the check with this name found: "broker", "database" …
    case notAsked(because: String)

    /// The value, if it is known.
    var value: Value? {
        if case .known(let value) = self { value } else { nil }
    }
}
