import Model
import Rules
import Testing
import Time

@Suite struct RuleCommandTests {
    private func alarm(_ id: String, rule: String = "hot") -> Alarm {
        Alarm(
            id: id, rule: rule, channel: 0, value: 1, limit: 0, at: Timestamp(unixMilliseconds: 1000), position: nil,
            text: "")
    }

    @Test func theCommandFollowsFromTheAlarm() {
        let action = RuleAction.Command(
            name: "shutter", arguments: ["a": "1.5", "b": "true", "c": "false", "d": "1 Hz", "e": "nan", "f": ""],
            moment: .clear)
        let now = Timestamp(unixMilliseconds: 3000)
        let command = action.message(for: alarm("x"), index: 2, now: now)
        #expect(command == action.message(for: alarm("x"), index: 2, now: now))
        #expect(command.name == "shutter" && command.issuer == "rule:hot")
        #expect(
            command.arguments == [
                "a": .number(1.5), "b": .flag(true), "c": .flag(false), "d": .text("1 Hz"), "e": .text("nan"),
                "f": .text(""),
            ])
        #expect(command.issued == now && command.expires == Timestamp(unixMilliseconds: 61_000))
        #expect(command.id.hasPrefix("rule:") && command.id.hasSuffix(":clear:2"))
    }

    /// Other alarms, edges and actions have other ids, of the same length, within the limit of a command's id.
    @Test func idsAreDistinctAndShort() {
        var ids = Set<String>()
        for number in 0..<2000 {
            for (index, moment) in RuleAction.Moment.allCases.enumerated() {
                let id = RuleAction.Command(name: "sleep", moment: moment).message(
                    for: alarm("lab-1/0/high/\(1_790_000_000_000_000_000 + number * 100_000_000)"), index: index,
                    now: .now
                ).id
                #expect(id.utf8.count == "rule:0123456789abcdef:\(moment.rawValue):\(index)".utf8.count)
                ids.insert(id)
            }
        }
        #expect(ids.count == 4000)
        let long = RuleAction.Command(name: "sleep").message(
            for: alarm(String(repeating: "a", count: 160), rule: String(repeating: "r", count: 200)), index: 63,
            now: .now)
        #expect(long.id.utf8.count <= 64 && long.issuer.utf8.count == 128)
    }
}
