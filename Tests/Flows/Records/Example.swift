import Records
import Testing

/// A view, with what is printed of it.
struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    /// Its paragraph of docs/iotctl-json.md; nil: it has none of its own.
    let title: String?
    /// On one line.
    let json: String
    /// What the encoder makes of the view now.
    let tree: @Sendable () throws -> JSONValue
    /// Whether `json` is read as that view.
    let isReadBack: @Sendable () throws -> Bool

    var testDescription: String { name }

    init<View: Codable & Equatable & Sendable>(_ name: String, _ title: String?, _ view: View, _ json: String) {
        self.name = name
        self.title = title
        self.json = json
        tree = { try JSONValue(encoding: view) }
        isReadBack = { try JSON.read(View.self, from: json) == view }
    }

    static let all = alarms + rules + commands + sensors + targets + storage + quarantine + samples + system
}
