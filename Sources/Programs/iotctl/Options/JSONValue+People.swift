internal import Records

extension JSONValue {
    /// The value as it appears in a table: a text without quotes, anything else as JSON.
    var plain: String {
        if case .text(let text) = self { text } else { json }
    }

    /// The leaves of an object with their paths, for people: "rate_hz=1000 gain=2".
    func flat(separator: String) -> String {
        leaves.filter { !$0.path.isEmpty }.map { "\($0.path)=\($0.value.plain)" }.joined(separator: separator)
    }
}
