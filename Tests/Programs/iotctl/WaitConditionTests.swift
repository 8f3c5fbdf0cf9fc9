import Testing

@testable import Store
@testable import iotctl

@Suite struct WaitConditionTests {
    private let twin = TwinRecord(
        desired: DesiredRecord(serial: "a", json: #"{"rate_hz": 500, "limits": {"x": {"high": 5}}}"#, version: 1),
        reportedJSON: #"{"rate_hz": 1000.0, "location": {"name": "Hall 3"}, "ok": true}"#, state: "awake",
        presence: "online", activeAlarms: 0)

    @Test(arguments: [
        ("state=awake", true), ("state=asleep", false), ("presence=online", true), ("presence=lost", false),
        ("drift=some", true), ("drift=none", false), ("alarms=none", true), ("alarms=active", false),
        ("reported.rate_hz=1000", true), ("reported.rate_hz=1000.0", true), ("reported.rate_hz=999", false),
        ("reported.location.name=Hall 3", true), ("reported.ok=true", true), ("reported.ok=\"true\"", false),
        ("reported.nothing=1", false), ("reported.nothing=null", true),
    ])
    func conditionsHoldOrNot(_ text: String, _ holds: Bool) throws {
        #expect(try WaitCondition(text).isMet(by: twin) == holds)
    }

    @Test func limitsAreNoDrift() throws {
        var twin = twin
        twin.desired.json = #"{"rate_hz": 1000, "limits": {"x": {"high": 5}}}"#
        #expect(try WaitCondition("drift=none").isMet(by: twin))
        twin.activeAlarms = 1
        #expect(try WaitCondition("alarms=active").isMet(by: twin))
        #expect(try WaitCondition("state=asleep").instead(twin) == "state=asleep (awake)")
    }

    @Test(arguments: [
        ("state", "name=value"), ("=awake", "name=value"), ("state=awak", "did you mean awake"),
        ("stat=awake", "did you mean state"), ("colour=red", "expected one of state, presence, drift, alarms"),
        ("presence=purple", "expected one of unknown, online, lost, offline"), ("reported.=1", "expected one of"),
    ])
    func whatIsNoConditionIsExplained(_ text: String, _ part: String) {
        do {
            _ = try WaitCondition(text)
            Issue.record("\(text) was read")
        } catch { #expect(error.description.contains(part), "\(error.description)") }
    }
}
