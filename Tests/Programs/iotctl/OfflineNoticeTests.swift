import Control
import Store
import Testing
import Time

@testable import iotctl

@Suite struct OfflineNoticeTests {
    private func notice(
        _ offline: [OfflineSensor], of count: Int = 1, waitFor: AckLevel = .done, timeout: Duration? = nil
    ) -> String? {
        let expiry = Timestamp(iso8601: "2026-11-21T09:31:00Z") ?? Timestamp(unixNanoseconds: 0)
        return OfflineNotice(offline: offline, count: count, expiry: expiry, waitFor: waitFor, timeout: timeout).line
    }

    private let one = OfflineSensor(serial: "lab-1", lastSeenAge: .seconds(360))

    @Test func withoutOfflineSensorsThereIsNoLine() { #expect(notice([], of: 3) == nil) }

    @Test func theLineSaysSinceWhenAndUntilWhen() {
        let kept = "lab-1 is offline, last seen 6m ago; the command is kept until 2026-11-21 09:31:00 UTC"
        #expect(notice([one]) == kept + "; not waiting, unless --wait or --timeout is given")
        #expect(notice([one], timeout: .seconds(10)) == kept + "; waiting at most 10s for the answer")
        #expect(notice([one], waitFor: .none, timeout: .seconds(10)) == kept)
        let never = OfflineSensor(serial: "lab-2", lastSeenAge: nil)
        #expect(notice([never], waitFor: .none)?.hasPrefix("lab-2 is offline, never seen; ") == true)
        #expect(notice([one, never], of: 9, waitFor: .none)?.hasPrefix("2 of 9 sensors are offline; ") == true)
        #expect(notice([one], of: 2, waitFor: .none)?.hasPrefix("1 of 2 sensors are offline; ") == true)
    }
}
