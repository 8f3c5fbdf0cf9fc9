internal import Model
internal import Wire

/// The alarms that a client wants to hear of.
struct AlarmSelection: Sendable {
    private let sensors: [SerialPattern]
    private let rules: [SerialPattern]
    private let severities: Set<Alarm.Severity>
    private let edge: Alarm.Edge?

    /// The selection of a request.
    /// - Throws: `ControlError.invalid` for a pattern that matches no serial number, and a word that is none.
    init(_ request: WatchAlarmsRequest) throws(ControlError) {
        sensors = try Self.patterns(ofSerials: request.sensors)
        rules = request.rules.map { SerialPattern($0) }
        if request.rules.contains("") { throw .invalid("rules: an empty name") }
        var severities: Set<Alarm.Severity> = []
        for word in request.severities {
            guard let severity = Alarm.Severity(rawValue: word) else {
                let words = Alarm.Severity.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("severities: '\(word.prefix(64))' is none of \(words)")
            }
            severities.insert(severity)
        }
        self.severities = severities
        edge = Alarm.Edge(rawValue: request.edge)
        if edge == nil, !request.edge.isEmpty {
            throw .invalid("edge: '\(request.edge.prefix(64))' is neither trigger nor clear")
        }
    }

    /// Serial numbers and globs of a request.
    /// - Throws: `ControlError.invalid` for a pattern that matches no serial number.
    static func patterns(ofSerials words: [String]) throws(ControlError) -> [SerialPattern] {
        let patterns = words.map { SerialPattern($0) }
        if let wrong = patterns.first(where: { !$0.isPossible }) {
            throw .invalid("sensors: '\(wrong.text.prefix(64))' is neither a serial number nor a glob of one")
        }
        return patterns
    }

    /// Whether the client wants to hear of this.
    func contains(_ alarm: Alarm, edge: Alarm.Edge, of sensor: SerialNumber) -> Bool {
        (self.edge == nil || self.edge == edge)
            && (severities.isEmpty || severities.contains(alarm.severity))
            && (sensors.isEmpty || sensors.contains { $0.matches(sensor.text) })
            && (rules.isEmpty || rules.contains { $0.matches(alarm.rule) })
    }
}
