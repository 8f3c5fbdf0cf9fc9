import Control
import Model
import Store
import Testing
import Time

@testable import iotctl

@Suite struct AbsenceNoticeTests {
    private func notice(
        _ absent: [AbsentSensor], of count: Int = 1, waitFor: AckLevel = .done, timeout: Duration? = nil
    ) -> String? {
        let expiry = Timestamp(iso8601: "2026-11-21T09:31:00Z") ?? Timestamp(unixNanoseconds: 0)
        return AbsenceNotice(
            absent: absent, count: count, expiry: expiry, waitFor: waitFor, timeout: timeout ?? .seconds(10),
            waitsForOffline: timeout != nil
        ).line
    }

    private let one = AbsentSensor(serial: "lab-1", presence: .offline, age: .seconds(360))
    private let lost = AbsentSensor(serial: "lab-3", presence: .lost, age: .seconds(3))

    @Test func withoutAbsentSensorsThereIsNoLine() { #expect(notice([], of: 3) == nil) }

    @Test func theLineSaysSinceWhenAndUntilWhen() {
        let kept = "lab-1 is offline, last seen 6m ago; the command is kept until 2026-11-21 09:31:00 UTC"
        #expect(notice([one]) == kept + "; not waiting, unless --wait or --timeout is given")
        #expect(notice([one], timeout: .seconds(5)) == kept + "; waiting at most 5s for the answer")
        #expect(notice([one], waitFor: .none, timeout: .seconds(10)) == kept)
        let never = AbsentSensor(serial: "lab-2", presence: .offline, age: nil)
        #expect(notice([never], waitFor: .none)?.hasPrefix("lab-2 is offline, never seen; ") == true)
        #expect(notice([one, never], of: 9, waitFor: .none)?.hasPrefix("2 of 9 sensors are offline; ") == true)
        #expect(notice([one], of: 2, waitFor: .none)?.hasPrefix("1 of 2 sensors are offline; ") == true)
    }

    /// A lost sensor may return, so it is waited for, and the line says what is waited for.
    @Test func aLostSensorIsWaitedFor() {
        let kept = "lab-3 is lost, disconnected 3s ago; the command is kept until 2026-11-21 09:31:00 UTC"
        #expect(notice([lost]) == kept + "; waiting at most 10s for the answer")
        #expect(notice([lost], waitFor: .none) == kept)
        #expect(notice([one, lost], of: 9)?.hasPrefix("1 of 9 sensors are offline, 1 lost; ") == true)
        #expect(notice([one, lost], of: 9)?.hasSuffix("; not waiting, unless --wait or --timeout is given") == true)
        #expect(notice([lost], of: 9)?.hasPrefix("1 of 9 sensors are lost; ") == true)
    }
}
