import Records
import Testing

@Suite struct DriftViewTests {
    private func paths(_ desired: String, _ reported: String) -> [String] {
        DriftView.between(desiredJSON: desired, reportedJSON: reported).map(\.path)
    }

    @Test func whatIsWantedAndNotReportedSoIsDrift() {
        #expect(paths(#"{"rate_hz": 1000, "gain": 2}"#, #"{"rate_hz": 1000.0, "gain": 3}"#) == ["gain"])
        #expect(paths(#"{"location": {"name": "a", "hall": 3}}"#, #"{"location": {"hall": 3}}"#) == ["location.name"])
        #expect(paths(#"{"a": true, "b": null}"#, "{}") == ["a"])
        #expect(paths("{}", #"{"rate_hz": 1000}"#) == [] && paths("no JSON", "{}") == [])
    }

    @Test func limitsAreNoDrift() {
        #expect(paths(#"{"limits": {"x": {"high": 5}}, "limit": 1}"#, "{}") == ["limit"])
        #expect(paths(#"{"limits": 5}"#, "{}") == [])
    }

    @Test func bothSidesAreShown() {
        let drift = DriftView.between(desiredJSON: #"{"gain": 2}"#, reportedJSON: "{}")
        #expect(drift.count == 1 && drift.first?.desired == .integer(2) && drift.first?.reported == .null)
    }
}
