import Foundation
import Model
import Rules
import Testing

/// Rules as JSON: canonical, strict, and errors that name the field.
@Suite struct RuleJSONTests {
    private func json(_ rule: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(rule), as: UTF8.self)
    }

    private func rule(_ json: String) throws -> Rule { try JSONDecoder().decode(Rule.self, from: Data(json.utf8)) }

    /// One condition of every kind, with all fields.
    static let conditions: [Condition] = [
        .threshold(.init(of: .rms, above: 1, below: -1, hysteresis: 0.5, channel: "x")),
        .rateOfChange(.init(above: 1, below: -1, per: .seconds(60), over: .seconds(10), hysteresis: 1, channel: "x")),
        .noData(.init(after: .seconds(90), channel: "x")),
        .band(.init(from: 10, to: 1000, above: 4.5, below: 0.1, hysteresis: 1, window: .seconds(2), channel: "x")),
        .machine(.init(group: .mediumRigid, zone: .c, unit: .g, hysteresis: 0.1, window: .seconds(1), channel: "x")),
        .machine(
            .init(borders: .init(ab: 1, bc: 2, cd: 3), zone: .d, unit: .metresPerSecondSquared, isSlow: true)),
        .particleVelocity(.init(standard: "din-4150-3-line-2", unit: .g)),
        .crestFactor(.init(above: 6, hysteresis: 1, window: .seconds(1), channel: "x")),
        .kurtosis(.init(above: 6, hysteresis: 1, window: .seconds(1), channel: "x")),
        .particleVelocity(
            .init(
                curve: [.init(hertz: 10, limit: 3), .init(hertz: 50, limit: 8)], interpolation: .logarithmic,
                unit: .millimetresPerSecond,
                share: 0.8,
                hysteresis: 0.1, channel: "x")),
        .baseline(
            .init(
                of: .rms, sigmas: 4, window: .seconds(86_400), byHour: true, zone: "Europe/Berlin", side: .above,
                minimum: 30, channel: "x")),
        .flatline(.init(after: .seconds(10), within: 0.5, channel: "x")),
        .clipping(.init(low: -1, high: 1, share: 0.1, channel: "x")),
        .shift(.init(by: 1, window: .seconds(600), hysteresis: 0.5, channel: "x")),
        .dead(.init(below: 0.1, hysteresis: 0.1, channel: "x")),
        .place(.init(when: .outside, circle: .init(latitude: 50, longitude: 8, radius: 100), margin: 10)),
        .place(
            .init(
                when: .inside,
                polygon: [
                    .init(latitude: 1, longitude: 2), .init(latitude: 3, longitude: 4),
                    .init(latitude: 5, longitude: 6),
                ])),
        .counter(
            .init(
                above: 1, below: 0.5, per: .seconds(1), over: .seconds(60), hysteresis: 0.1, wrapsAt: 65_536,
                channel: "x")),
        .all([.threshold(.init(above: 1)), .not(.any([.dead(.init(below: 1)), .flatline(.init(after: .seconds(1)))]))]),
        .sustained(.threshold(.init(above: 1)), for: .seconds(10)),
        .sustained(.any([.sustained(.threshold(.init(above: 1)), for: .seconds(10))]), for: .seconds(20)),
        .several(.init(count: 2, condition: .threshold(.init(above: 1)))),
        .word(.init(property: "state", isOneOf: ["asleep"])),
    ]

    @Test(arguments: conditions)
    func everyConditionIsReadAsItWasWritten(condition: Condition) throws {
        let written = Rule(name: "r", condition: condition)
        let text = try json(written)
        #expect(try rule(text) == written)
        #expect(try json(try rule(text)) == text)
    }

    @Test func everyKindHasAnExample() {
        func kinds(_ condition: Condition) -> Set<String> {
            condition.parts.reduce(into: [condition.kind]) { $0.formUnion(kinds($1)) }
        }
        #expect(Self.conditions.reduce(into: Set<String>()) { $0.formUnion(kinds($1)) } == Set(Condition.kinds))
    }

    @Test func aWholeRule() throws {
        let text = """
            {"actions":[{"command":{"arguments":{"hertz":"1000"},"name":"change_frequency"}},\
            {"command":{"name":"sleep","on":"clear"}}],"enabled":false,\
            "message":"{sensor} is hot","name":"pump-hot","runbook":"https://example.com/hot",\
            "schedule":{"maintenance":[{"days":["sun"],"from":"22:00","to":"06:00"}],\
            "maintenance_windows":[{"from":"2026-12-24T00:00:00.000000000Z","to":"2026-12-25T00:00:00.000000000Z"}],\
            "quiet":[{"from":"00:00","to":"24:00"}],"zone":"Europe/Berlin"},\
            "selector":{"channels":["temp*"],"kind":"climate","sensors":["pump-*"],"tags":{"hall":"3"},"target":"press"},\
            "severity":"critical","when":{"for":"10s","threshold":{"above":80,"hysteresis":5}}}
            """
        let read = try rule(text)
        #expect(read.problems == [])
        #expect(try json(read) == text)
        #expect(read.condition == .sustained(.threshold(.init(above: 80, hysteresis: 5)), for: .seconds(10)))
        #expect(read.selector.selectorText == "kind=climate,target=press,hall=3")
        #expect(!read.isEnabled && read.severity == .critical)
    }

    @Test func durationsAreExactToTheMillisecond() throws {
        for text in ["500ms", "1500ms", "10s", "90s", "2m", "1h", "7d"] {
            let duration = try JSONDecoder().decode([RuleDuration].self, from: Data("[\"\(text)\"]".utf8))
            #expect(try json(duration) == "[\"\(text)\"]")
        }
    }

    /// A file that cannot be read: the field and the reason.
    @Test(arguments: [
        (#"{"when":{"threshold":{"above":1}}}"#, "name: missing"),
        (#"{"name":"r"}"#, "when: missing"),
        (#"{"name":"r","when":{"threshold":{"abvoe":1}}}"#, "when.threshold.abvoe: unknown; possible here: of, above"),
        (#"{"name":"r","when":{"treshold":{"above":1}}}"#, "when.treshold: unknown; possible here: threshold,"),
        (#"{"name":"r","when":{"threshold":{"above":"hot"}}}"#, "when.threshold.above: is no number"),
        (#"{"name":"r","when":{"for":"10s"}}"#, "when.for: no condition; one of threshold"),
        (
            #"{"name":"r","when":{"flatline":{"after":"1s"},"dead":{"below":1}}}"#,
            "when.flatline: a second condition (dead, flatline); join them with all or any"
        ),
        (#"{"name":"r","when":{"no_data":{"after":"soon"}}}"#, "when.no_data.after: 'soon' is no duration"),
        (
            #"{"name":"r","when":{"all":[{"threshold":{"above":1}},{"band":{"from":1}}]}}"#,
            "when.all[1].band.to: missing"
        ),
        (#"{"name":"r","severity":"high","when":{"dead":{"below":1}}}"#, "severity: "),
        (
            #"{"name":"r","schedule":{"quiet":[{"from":"7:30","to":"08:00"}]},"when":{"dead":{"below":1}}}"#,
            "schedule.quiet[0].from: '7:30' is no time of day"
        ),
        (#"{"name":"r","actions":[{"mail":{}}],"when":{"dead":{"below":1}}}"#, "actions[0].mail: unknown"),
        (#"{"name":"r","selector":{"serial":"x"},"when":{"dead":{"below":1}}}"#, "selector.serial: unknown"),
        (
            #"{"name":"r","when":{"place":{"when":"inside","circle":{"latitude":1,"lon":2,"radius":3}}}}"#,
            "when.place.circle.lon: unknown"
        ),
    ])
    func whatCannotBeReadIsNamed(text: String, problem: String) throws {
        do {
            _ = try rule(text)
            Issue.record("read \(text)")
        } catch let error as DecodingError {
            #expect("\(RuleProblem(error))".hasPrefix(problem), "\(RuleProblem(error))")
        }
    }

    /// A rule that can be read and not be evaluated: the field and the reason.
    @Test(arguments: [
        (Rule(name: "Hot", condition: .dead(.init(below: 1))), "name: is no name"),
        (Rule(name: "limit:x", condition: .dead(.init(below: 1))), "name: is no name"),
        (Rule(name: "", condition: .dead(.init(below: 1))), "name: is no name"),
        (Rule(name: String(repeating: "a", count: 65), condition: .dead(.init(below: 1))), "name: is no name"),
        (Rule(name: "r", condition: .threshold(.init())), "when.threshold: needs above or below"),
        (
            Rule(name: "r", condition: .threshold(.init(above: 1, below: 2))),
            "when.threshold.below: is not less than above"
        ),
        (
            Rule(name: "r", condition: .any([.threshold(.init(above: 1, hysteresis: -1))])),
            "when.any[0].threshold.hysteresis: is below 0"
        ),
        (Rule(name: "r", condition: .all([])), "when.all: has 0 conditions"),
        (Rule(name: "r", condition: .not(.dead(.init(below: 0)))), "when.not.dead.below: is not above 0"),
        (
            Rule(name: "r", condition: .sustained(.dead(.init(below: 1)), for: .seconds(0))), "when.for: is not above 0"
        ),
        (
            Rule(name: "r", condition: .sustained(.noData(.init(after: .seconds(1))), for: .seconds(1))),
            "when.for: cannot be joined with no_data"
        ),
        (Rule(name: "r", condition: .band(.init(from: 10, to: 10, above: 1))), "when.band.to: is not above from"),
        (
            Rule(name: "r", condition: .baseline(.init(of: .sample, sigmas: 1, window: .seconds(1)))),
            "when.baseline.of: cannot be sample"
        ),
        (Rule(name: "r", condition: .place(.init(when: .inside))), "when.place: needs either a circle or a polygon"),
        (
            Rule(
                name: "r", condition: .place(.init(when: .inside, circle: .init(latitude: 91, longitude: 0, radius: 1)))
            ),
            "when.place.circle.latitude: is not in -90…90"
        ),
        (
            Rule(
                name: "r",
                condition: .particleVelocity(
                    .init(curve: [.init(hertz: 2, limit: 1), .init(hertz: 1, limit: 1)], unit: .g))),
            "when.particle_velocity.curve[1].hertz: is not above"
        ),
        (
            Rule(name: "r", condition: .particleVelocity(.init(standard: "din", unit: .g))),
            "when.particle_velocity.standard: 'din' is unknown; possible: bs-7385-2-line-1"
        ),
        (Rule(name: "r", condition: .machine(.init(zone: .c, unit: .g))), "when.machine: needs either a group"),
        (
            Rule(name: "r", condition: .several(.init(count: 2, condition: .dead(.init(below: 1))))),
            "when.several: is not evaluated yet"
        ),
        (
            Rule(name: "r", condition: .word(.init(property: "state", isOneOf: ["asleep"]))),
            "when.word: is not evaluated yet"
        ),
        (
            Rule(name: "r", selector: .init(sensors: ["a.b"]), condition: .dead(.init(below: 1))),
            "selector.sensors[0]: 'a.b' can be no serial number"
        ),
        (
            Rule(name: "r", condition: .dead(.init(below: 1)), message: "{temperature}"),
            "message: {temperature} is unknown"
        ),
        (
            Rule(
                name: "r", condition: .dead(.init(below: 1)),
                actions: [.command(.init(name: ""))]),
            "actions[0].command.name: is empty"
        ),
    ])
    func whatCannotBeEvaluatedIsNamed(rule: Rule, problem: String) throws {
        let first = try #require(rule.problems.first)
        #expect("\(first)".hasPrefix(problem), "\(first)")
    }

    @Test func globsMatchWholeNames() {
        #expect(
            SerialPattern("*").matches("") && SerialPattern("a*c").matches("abbc")
                && SerialPattern("a?c").matches("abc"))
        #expect(SerialPattern("*a*b*").matches("xxaxxbxx") && SerialPattern("abc").matches("abc"))
        #expect(
            !SerialPattern("a?c").matches("ac") && !SerialPattern("a*c").matches("abcd")
                && !SerialPattern("").matches("a"))
        #expect(!SerialPattern("ab").matches("abc") && !SerialPattern("*ab").matches("abc"))
    }

    @Test func aRevisionIsReadAsItWasWritten() throws {
        let revision = RuleRevision(
            number: 7, rules: [Rule(name: "r", condition: .dead(.init(below: 1)))],
            sensors: [
                .init(
                    serial: "pump", target: "press",
                    channels: [.init(name: "x", number: 3, unit: "g"), .init(name: "y")],
                    rules: [.init(rule: 0, channels: [0, 1])], limits: [.init(channel: 1, high: 2)])
            ], deleted: ["old"], zones: ["Europe/Berlin": .init(changes: [.init(from: morning, seconds: 3600)])])
        #expect(try JSONDecoder().decode(RuleRevision.self, from: Data(try json(revision).utf8)) == revision)
    }
}
