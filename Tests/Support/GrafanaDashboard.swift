public import Foundation

/// A dashboard's file: what tests look at.
public struct GrafanaDashboard: Sendable {
    /// The name of the file.
    public let file: String
    /// All of it.
    public let text: String
    /// What is in it.
    public let content: Content

    /// Reads a file.
    /// - Throws: `DecodingError` if something is missing or of another type.
    public init(file: String, text: String) throws {
        (self.file, self.text) = (file, text)
        content = try JSONDecoder().decode(Content.self, from: Data(text.utf8))
    }

    /// The files of a folder, by name.
    public static func all(in folder: URL) throws -> [GrafanaDashboard] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "json" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { try GrafanaDashboard(file: $0.lastPathComponent, text: String(contentsOf: $0, encoding: .utf8)) }
    }

    /// A dashboard, as far as tests go.
    public struct Content: Decodable, Sendable {
        var uid: String
        var title: String
        var description: String
        var schemaVersion: Int
        /// The time range.
        public var time: Range
        /// In order of the page.
        public var panels: [Panel]
        var templating: Items<Variable>
        var annotations: Items<Annotation>
        /// In the order in which Grafana asks for them.
        public var variables: [Variable] { templating.list }
        /// Those that ask a data source of ours.
        public var queriedAnnotations: [Annotation] { annotations.list.filter { $0.builtIn != 1 } }
    }

    struct Items<Item: Decodable & Sendable>: Decodable, Sendable { var list: [Item] }

    /// A time range: "now-6h", "now".
    public struct Range: Decodable, Sendable {
        /// Where it begins.
        public var from: String
        var to: String
    }

    struct Source: Decodable, Sendable, Equatable {
        var type: String
        var uid: String
    }

    /// A query.
    public struct Target: Decodable, Sendable {
        var refId: String
        var datasource: Source
        /// `table` or `time_series`.
        public var format: String
        /// With macros and variables.
        public var rawSql: String
    }

    /// A panel, or the heading of a row.
    public struct Panel: Decodable, Sendable {
        var id: Int
        /// `timeseries`, `row` …
        public var type: String
        /// What it is called.
        public var title: String
        var description: String?
        var datasource: Source?
        var gridPos: Position
        var fieldConfig: Fields?
        /// What it asks; nil for a row.
        public var targets: [Target]?
        /// It is there once for each value of this variable; a row together with what follows it.
        public var `repeat`: String?
        /// The smallest `$__interval`.
        public var interval: String?
    }

    struct Position: Decodable, Sendable {
        var x: Int
        var y: Int
        var w: Int
        var h: Int

        func overlaps(_ other: Position) -> Bool {
            x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h
        }
    }

    struct Fields: Decodable, Sendable {
        struct Defaults: Decodable, Sendable { var unit: String? }
        struct Override: Decodable, Sendable { var properties: [Property] }
        /// Only the unit's value is of interest; others may be of any type.
        struct Property: Decodable, Sendable {
            var id: String
            var unit: String?

            private enum Key: String, CodingKey { case id, value }

            init(from decoder: any Decoder) throws {
                let fields = try decoder.container(keyedBy: Key.self)
                id = try fields.decode(String.self, forKey: .id)
                unit = id == "unit" ? try fields.decode(String.self, forKey: .value) : nil
            }
        }

        var defaults: Defaults
        var overrides: [Override]

        var units: [String] { overrides.flatMap(\.properties).compactMap(\.unit) + [defaults.unit].compactMap(\.self) }
    }

    /// A variable.
    public struct Variable: Decodable, Sendable {
        /// Its name in queries.
        public var name: String
        /// `query`, `custom` or `textbox`.
        public var type: String
        /// SQL, or the choices.
        public var query: String
        /// Whether several can be chosen.
        public var multi: Bool?
        /// Whether all can be.
        public var includeAll: Bool?
        /// What stands for all, as it is; nil: each of them.
        public var allValue: String?
        /// What is chosen at first, where the file says so.
        public var current: Current
        var datasource: Source?
        var label: String
        var description: String
    }

    /// The first choice.
    public struct Current: Decodable, Sendable {
        /// The one; nil: none is said, or several.
        public var value: String?

        private enum Key: String, CodingKey { case value }

        /// Takes texts only.
        public init(from decoder: any Decoder) throws {
            value = try? decoder.container(keyedBy: Key.self).decode(String.self, forKey: .value)
        }
    }

    /// What marks times on charts.
    public struct Annotation: Decodable, Sendable {
        /// What it is called.
        public var name: String
        var builtIn: Int?
        var datasource: Source
        /// What it asks; nil for Grafana's own.
        public var target: Target?
    }
}

// MARK: rules

extension GrafanaDashboard {
    private static let database = Source(type: "grafana-postgresql-datasource", uid: "timescaledb")
    /// From Grafana's list (`packages/grafana-data/src/valueFormats/categories.ts`): those that make sense here.
    private static let units: Set = [
        "none", "short", "percentunit", "s", "bytes", "Bps", "hertz", "cps", "degree", "lengthm", "dateTimeAsIso",
        "dateTimeFromNow",
    ]

    /// What is wrong with dashboards that are there together, a line each.
    public static func faults(of dashboards: [GrafanaDashboard]) -> [String] {
        let known = Dictionary(dashboards.map { ($0.content.uid, $0) }) { first, _ in first }
        let names = [(\Content.uid, "uid"), (\Content.title, "title")].flatMap { path, name in
            repeated(dashboards.map { $0.content[keyPath: path] }).map { "\(name) \($0) twice" }
        }
        return names + dashboards.flatMap { board in board.faults(known).map { "\(board.file): \($0)" } }
    }

    private func faults(_ known: [String: GrafanaDashboard]) -> [String] {
        var faults: [String] = []
        if content.uid.wholeMatch(of: /[a-zA-Z0-9_-]{1,40}/) == nil { faults.append("uid \(content.uid)") }
        if content.schemaVersion < 36 { faults.append("schemaVersion \(content.schemaVersion)") }
        if content.description.isEmpty { faults.append("no description") }
        if content.time.from.wholeMatch(of: /now-\d+[mhd]/) == nil || content.time.to != "now" {
            faults.append("time range \(content.time.from) to \(content.time.to)")
        }
        return faults + panelFaults + variableFaults + useFaults + linkFaults(known)
    }

    private var panelFaults: [String] {
        let panels = content.panels
        var faults = Self.repeated(panels.map(\.id)).map { "panel id \($0) twice" }
        for (index, panel) in panels.enumerated() {
            let place = panel.gridPos
            if place.x < 0 || place.y < 0 || place.w < 1 || place.h < 1 || place.x + place.w > 24 {
                faults.append("\(panel.title) is not on the grid of 24 columns")
            }
            faults += panels[(index + 1)...].filter { $0.gridPos.overlaps(place) }
                .map { "\(panel.title) and \($0.title) overlap" }
            if panel.title.isEmpty { faults.append("panel \(panel.id) has no title") }
            if panel.type == "row" { continue }
            if panel.description?.isEmpty != false { faults.append("\(panel.title) has no description") }
            if panel.datasource != Self.database { faults.append("\(panel.title) has no data source, or another") }
            if panel.fieldConfig?.defaults.unit?.isEmpty != false { faults.append("\(panel.title) has no unit") }
            faults += (panel.fieldConfig?.units ?? [])
                .filter { !Self.units.contains($0) && !$0.hasPrefix("suffix:") }
                .map { "\(panel.title): unit \($0) is unknown" }
            if panel.targets?.isEmpty != false { faults.append("\(panel.title) asks nothing") }
            if let interval = panel.interval, GrafanaSQL.milliseconds(interval) == nil {
                faults.append("\(panel.title): interval \(interval)")
            }
            faults += Self.repeated((panel.targets ?? []).map(\.refId)).map { "\(panel.title): refId \($0) twice" }
        }
        let targets = panels.flatMap { $0.targets ?? [] } + content.queriedAnnotations.compactMap(\.target)
        faults += targets.filter { $0.datasource != Self.database }.map { "\($0.refId) asks another data source" }
        faults += targets.filter { !["table", "time_series"].contains($0.format) }.map { "format \($0.format)" }
        faults += content.queriedAnnotations.filter { $0.datasource != Self.database || $0.target == nil }
            .map { "annotation \($0.name) asks nobody" }
        return faults
    }

    private var variableFaults: [String] {
        var faults = Self.repeated(content.variables.map(\.name)).map { "variable \($0) twice" }
        for variable in content.variables {
            if variable.type == "query" && variable.datasource != Self.database {
                faults.append("variable \(variable.name) asks another data source")
            }
            if variable.label.isEmpty || variable.description.isEmpty {
                faults.append("variable \(variable.name) has no label or description")
            }
        }
        let names = content.variables.map(\.name)
        return faults
            + content.panels.compactMap(\.repeat).filter { !names.contains($0) }.map {
                "repeated by \($0), which is none"
            }
    }

    /// SQL of panels, annotations and variables.
    private var queries: [String] {
        content.panels.flatMap { $0.targets ?? [] }.map(\.rawSql)
            + content.queriedAnnotations.compactMap { $0.target?.rawSql }
            + content.variables.filter { $0.type == "query" }.map(\.query)
    }

    /// Whatever looks like a variable is one. In SQL it has a format, as without one releases of Grafana differ.
    private var useFaults: [String] {
        let names = Set(content.variables.map(\.name))
        let uses = Set(text.matches(of: /\$\{?([a-zA-Z_]\w*)/).map { String($0.output.1) })
        var faults = uses.subtracting(names).filter { !$0.hasPrefix("__") }.sorted().map { "no variable \($0)" }
        faults += names.subtracting(uses).sorted().map { "variable \($0) is not used" }
        for sql in queries {
            for use in sql.matches(of: /\$(\w+)|\$\{(\w+)\}/) {
                let name = String(use.output.1 ?? use.output.2 ?? "")
                if names.contains(name) { faults.append("variable \(name) without a format in SQL") }
            }
            if sql.contains("[[") { faults.append("[[ is Grafana's: \(sql.prefix(40))") }
        }
        return faults
    }

    /// Links lead to dashboards that are there, with variables that those have.
    private func linkFaults(_ known: [String: GrafanaDashboard]) -> [String] {
        text.matches(of: /"(\/d\/[^"]*)"/).map { String($0.output.1) }.flatMap { link -> [String] in
            let uid = link.dropFirst(3).prefix { $0 != "?" && $0 != "/" }
            guard let target = known[String(uid)] else { return ["link to \(uid)"] }
            let names = target.content.variables.map(\.name)
            return link.matches(of: /[?&]var-(\w+)=/).map { String($0.output.1) }.filter { !names.contains($0) }
                .map { "link to \(uid) with \($0)" }
        }
    }

    private static func repeated<Item: Hashable>(_ items: [Item]) -> [Item] {
        var seen: Set<Item> = []
        return items.filter { !seen.insert($0).inserted }
    }
}
