internal import ArgumentParser
internal import Model
internal import Records
internal import Rules
internal import Store
internal import Time

/// `iotctl rule ls`
struct RuleList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the rules.",
        discussion: """
            Examples:
              iotctl rule ls
              iotctl rule ls -o wide
              iotctl rule ls -o name

            ALARMS: active alarms of the rule. CONDITION is shown in short; iotctl rule show
            prints all of a rule.
            """,
        aliases: ["list"])

    @OptionGroup var output: ListOptions

    func run() async throws {
        try await perform {
            let rules = try await Connections().store().rules()
            let table = try Self.table(rules)
            try output.show(rules, name: \.rule.name, view: { RuleView($0) }) { _ in table }
            if rules.isEmpty { Talk.sayOnTerminal("no rules yet: iotctl rule apply --help") }
        }
    }

    private static func table(_ rules: [RuleRecord]) throws -> Table {
        Table(
            columns: [
                .text("NAME"), .text("SEVERITY"), .text("ENABLED"), .number("ALARMS"), .long("CONDITION"),
                .wide("SELECTOR"), .wideNumber("VERSION"), .wide("CHANGED"), .wide("BY"),
            ],
            rows: try rules.map { record in
                [
                    Cell(record.rule.name), Cell(word: record.rule.severity.rawValue),
                    Cell(record.rule.isEnabled ? "yes" : "no"), Cell("\(record.activeAlarms)"),
                    Cell(try JSONValue(encoding: record.rule.condition).sentence),
                    Cell(try JSONValue(encoding: record.rule.selector).sentence), Cell("\(record.version)"),
                    Cell(record.changedAt.short), Cell(record.changedBy),
                ]
            })
    }
}

extension JSONValue {
    /// The value in words: `threshold above 80 hysteresis 2, for 10s`.
    fileprivate var sentence: String {
        switch self {
        case .object(let fields):
            fields.filter { $0.value != .null }.map { field in
                switch field.value {
                case .object(let inner) where inner.allSatisfy(\.value.isScalar):
                    ([field.name] + inner.filter { $0.value != .null }.map { "\($0.name) \($0.value.sentence)" })
                        .joined(separator: " ")
                default: "\(field.name) \(field.value.sentence)"
                }
            }.joined(separator: ", ")
        case .list(let elements): "(\(elements.map(\.sentence).joined(separator: "; ")))"
        case .text(let text): text
        default: json
        }
    }

    private var isScalar: Bool {
        switch self {
        case .object, .list: false
        default: true
        }
    }
}
