internal import Records
internal import Yams

extension JSONValue {
    /// The value as a YAML document.
    /// - Parameter isPartOfStream: whether other documents follow, so that this one begins with `---`.
    func yaml(isPartOfStream: Bool = false) throws -> String {
        try Yams.serialize(node: node, width: -1, allowUnicode: true, explicitStart: isPartOfStream)
    }

    private var node: Node {
        switch self {
        case .null, .flag, .integer, .number: Node(json)
        case .text(let text): .scalar(text.represented())
        case .list(let values): Node(values.map(\.node))
        case .object(let fields): Node(fields.map { (.scalar($0.name.represented()), $0.value.node) })
        }
    }
}
