internal import Model
internal import Time

extension RuleNode {
    /// The limit that a value was compared with.
    /// - Parameter stored: the third word of the state, where a limit that moves is.
    func limit(_ side: RuleTruth, value: Double, stored: Double) -> Double {
        switch operation {
        case .threshold(_, let bounds), .held(let bounds, _), .rate(let bounds, _, _), .counter(let bounds, _, _, _):
            bounds.limit(of: side) ?? value
        case .silence(let after, _): Double(after) / 1e9
        case .baseline: stored
        case .flatline(_, let within): within
        case .clipping(_, _, let share): share
        case .shift(let by, _, _): value < 0 ? -by : by
        case .dead(let below, _): below
        case .place: 0
        case .signal(let condition): condition.limit(side) ?? value
        case .all, .any, .not, .sustained: value
        }
    }
}

/// The words for people in an alarm.
struct RuleWords {
    let program: RuleProgram
    /// The condition that decided.
    let node: RuleNode
    let serial: SerialNumber
    /// The channel that it is about.
    let channel: RuleRevision.Channel?
    let value: Double
    let limit: Double

    /// The unit of value and limit; empty if unknown.
    var unit: String {
        let unit = channel?.unit ?? ""
        switch node.operation {
        case .silence: return "s"
        case .place: return "m"
        case .clipping: return ""
        case .rate(_, let per, _), .counter(_, let per, _, _):
            let time = Duration.nanoseconds(Int64(per * 1e9)).commandLineText
            return "\(unit)/\(time == "1s" ? "s" : time)"
        case .signal(let condition): return condition.unit ?? unit
        case .threshold, .held, .baseline, .flatline, .shift, .dead, .all, .any, .not, .sustained: return unit
        }
    }

    /// The rule's template, or a sentence about value and limit.
    func text(_ edge: Alarm.Edge, _ side: RuleTruth) -> String {
        guard let template = program.rule.message else { return sentence(edge, side) }
        return Self.fill(template) { name in
            switch name {
            case "rule": program.rule.name
            case "severity": program.rule.severity.rawValue
            case "sensor": serial.text
            case "channel": channel?.name ?? ""
            case "value": Self.text(value)
            case "limit": Self.text(limit)
            case "unit": unit
            default: nil
            }
        }
    }

    /// The placeholders of templates.
    static let placeholders = ["rule", "severity", "sensor", "channel", "value", "limit", "unit"]

    /// The names in braces of a template.
    static func names(in template: String) -> [String] {
        var names: [String] = []
        _ = fill(template) {
            names.append($0)
            return nil
        }
        return names
    }

    /// Replaces names in braces; those without a value stay.
    private static func fill(_ template: String, _ value: (String) -> String?) -> String {
        var text = ""
        var rest = Substring(template)
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let name = String(rest[rest.index(after: open)..<close])
            text += rest[..<open]
            text += value(name) ?? String(rest[open...close])
            rest = rest[rest.index(after: close)...]
        }
        return text + rest
    }

    private func sentence(_ edge: Alarm.Edge, _ side: RuleTruth) -> String {
        let subject = channel.map { "\(serial) \($0.name)" } ?? serial.text
        if program.rule.isLimit {
            return "\(subject) is \(value), \(side == .low ? "low" : "high") limit \(limit)"
        }
        let unit = self.unit.isEmpty ? "" : " \(self.unit)"
        let numbers = "\(Self.text(value))\(unit), limit \(Self.text(limit))"
        switch node.operation {
        case .silence:
            return edge == .trigger
                ? "\(subject) has sent no data for \(Self.text(value)) s" : "\(subject) sends data again"
        case .threshold(of: .sample, _): return "\(subject) is \(numbers)"
        case .threshold(let statistic, _): return "\(statistic.rawValue) of \(subject) is \(numbers)"
        case .held(_, let nanoseconds):
            return "\(subject) is \(numbers) for \(Duration.nanoseconds(nanoseconds).commandLineText)"
        case .rate: return "\(subject) changes by \(numbers)"
        case .counter: return "\(subject) counts \(numbers)"
        case .baseline(let baseline): return "\(baseline.of.rawValue) of \(subject) is \(numbers) of what is usual"
        case .flatline: return "\(subject) spans \(numbers)"
        case .clipping: return "\(subject) has \(Self.text(value * 100)) % of its samples at the rails"
        case .shift: return "mean of \(subject) moved by \(numbers)"
        case .dead: return "\(subject) has a signal of \(numbers)"
        case .place(_, let isOutside, _):
            let metres = Self.text(abs(value).rounded())
            return "\(subject) is \(metres) m \((value > 0) == isOutside ? "outside" : "inside") of the place"
        case .signal(let condition): return "\(condition.name) of \(subject) is \(numbers)"
        case .all, .any, .not, .sustained: return "\(program.rule.name) on \(subject)"
        }
    }

    /// A number with about six digits.
    static func text(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        var scale = 1.0
        while abs(value) * scale < 100_000, scale < 1e15 { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int64(rounded))" : "\(rounded)"
    }
}
