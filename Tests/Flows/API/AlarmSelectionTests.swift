import Model
import Testing
import Time
import Wire

@testable import API

@Suite struct AlarmSelectionTests {
    /// A `WatchAlarmsRequest` with texts by their field numbers: 3 sensors, 4 severities, 5 rules, 6 edge.
    private func request(_ fields: [(number: UInt8, text: String)]) throws -> WatchAlarmsRequest {
        let bytes = fields.flatMap { [$0.number << 3 | 2, UInt8($0.text.utf8.count)] + Array($0.text.utf8) }
        return unsafe try ControlCodec.watchAlarms(bytes.span.bytes)
    }

    private func alarm(_ rule: String, _ severity: Alarm.Severity) -> Alarm {
        Alarm(
            id: "a", rule: rule, severity: severity, channel: 0, value: 1, limit: 0,
            at: Timestamp(unixMilliseconds: 0), position: nil, text: "")
    }

    @Test func anEmptyRequestSelectsEverything() throws {
        let selection = try AlarmSelection(request([]))
        let sensor = try #require(SerialNumber("lab-1"))
        for edge in Alarm.Edge.allCases {
            for severity in Alarm.Severity.allCases {
                #expect(selection.contains(alarm("hot", severity), edge: edge, of: sensor))
            }
        }
    }

    @Test(arguments: [
        ("lab-1", "hot", Alarm.Severity.critical, Alarm.Edge.trigger, true),
        ("lab-2", "limit:x:high", .info, .trigger, true), ("Lab-2", "hot", .info, .trigger, false),
        ("lab-1", "hotter", .critical, .trigger, false), ("lab-1", "hot", .warning, .trigger, false),
        ("lab-1", "hot", .critical, .clear, false),
    ])
    func everyConditionMustHold(
        _ sensor: String, _ rule: String, _ severity: Alarm.Severity, _ edge: Alarm.Edge, _ isWanted: Bool
    ) throws {
        let selection = try AlarmSelection(
            request([
                (3, "oven"), (3, "lab-*"), (4, "critical"), (4, "info"), (5, "hot"), (5, "limit:*"), (6, "trigger"),
            ]))
        let serial = try #require(SerialNumber(sensor))
        #expect(selection.contains(alarm(rule, severity), edge: edge, of: serial) == isWanted)
    }

    @Test(arguments: [(UInt8(3), "a.b"), (3, ""), (4, "loud"), (5, ""), (6, "both")])
    func whatIsNoneIsRefused(_ field: UInt8, _ text: String) throws {
        let request = try request([(field, text)])
        #expect(throws: ControlError.self) { try AlarmSelection(request) }
    }

    @Test func bytesThatAreNoRequestAreRefused() {
        #expect(throws: Rejection.self) { unsafe try ControlCodec.watchAlarms([0xff].span.bytes) }
        let many = (0...ControlCodec.listMax).flatMap { _ in [UInt8(3 << 3 | 2), 1, UInt8(ascii: "a")] }
        #expect(throws: Rejection.self) { unsafe try ControlCodec.watchAlarms(many.span.bytes) }
    }
}
