import Simulation
import Testing
import Time

/// 2026-11-21T09:30:00Z.
private let now = Timestamp(unixNanoseconds: 1_795_253_400_000_000_000)

/// The one parser and the one printer of times.
@Suite struct TimeTextTests {
    /// Nanoseconds that a format does not show.
    private func step(_ format: Timestamp.Format) -> Int64 {
        switch format {
        case .nanoseconds: 1
        case .microseconds: 1000
        case .milliseconds, .precise: 1_000_000
        case .short: 1_000_000_000
        case .day: 86_400_000_000_000
        }
    }

    @Test(arguments: [
        (Timestamp.Format.nanoseconds, "2026-11-21T09:30:00.123456789Z"),
        (.microseconds, "2026-11-21T09:30:00.123456Z"),
        (.milliseconds, "2026-11-21T09:30:00.123Z"), (.precise, "2026-11-21 09:30:00.123"),
        (.short, "2026-11-21 09:30:00"), (.day, "2026-11-21"),
    ])
    func formats(_ format: Timestamp.Format, _ text: String) {
        #expect(now.advanced(byNanoseconds: 123_456_789).text(format) == text)
    }

    /// Every text in which a time is printed is read as the same time, rounded down to what the format shows.
    @Test(arguments: Timestamp.Format.allCases)
    func whatIsPrintedIsRead(_ format: Timestamp.Format) throws {
        var random = SplitMix64(seed: 14)
        let step = step(format)
        for _ in 0..<1000 {
            // The first day of the range begins before its first nanosecond.
            let time = Timestamp(unixNanoseconds: .random(in: (.min + 86_400_000_000_000)...(.max), using: &random))
            let text = time.text(format)
            let whole = Timestamp(unixNanoseconds: time.unixNanoseconds.flooredDivision(by: step).quotient * step)
            for form in [text, text + (text.hasSuffix("Z") ? "" : " UTC")] {
                // A day has no time of day that a zone could follow.
                if format == .day, form != text { continue }
                let read = Timestamp(commandLine: form, now: now)
                guard read == whole else {
                    Issue.record("\(form) was read as \(read?.description ?? "nil")")
                    return
                }
            }
        }
    }

    @Test(arguments: [
        ("now", 0), ("2h", -7_200_000_000_000), ("2h ago", -7_200_000_000_000), ("-2h", -7_200_000_000_000),
        ("1.5m ago", -90_000_000_000), ("1.000000001s", -1_000_000_001), ("500ms", -500_000_000),
        ("7d", -604_800_000_000_000), ("2026-11-21 09:30", 0), ("2026-11-21T09:30", 0),
        ("2026-11-21", -34_200_000_000_000),
        ("2026-11-21 10:30 +01:00", 0), ("2026-11-21 09:30:00.000000001", 1), ("2026-11-21 09:30:00+00", 0),
        ("1795253400", 0), ("1795253400.000000001", 1), ("1795253400001", 1_000_000), ("1795253400000001", 1000),
        ("1795253400000000001", 1),
    ])
    func formsOfTheCommandLine(_ text: String, _ offset: Int64) {
        #expect(Timestamp(commandLine: text, now: now)?.nanoseconds(since: now) == offset)
    }

    @Test(arguments: [
        "", "ago", " ago", "2h  ago", "2", "2 h", "--2h", "-2h ago", "in 2h", "tomorrow", "20261121", "202611210930",
        "1795253400x", "1795253400.", "99999999999", "11y", "4000d", "2026-02-29", "2026-11-31 10:00",
        "2026-11-21 9:30",
        "2026-11-21 09:30 +25:00", "2026-11-21 09:30 +01:99", "2026-11-21 UTC",
    ])
    func whatIsNoTimeIsRefused(_ text: String) {
        #expect(Timestamp(commandLine: text, now: now) == nil)
    }

    /// Devices must write the zone; everything else is the same parser.
    @Test(arguments: [
        ("2026-11-21T09:30:00Z", true), ("2026-11-21t09:30:00z", true), ("2026-11-21 09:30:00.5+0000", true),
        ("2026-11-21T10:30:00+01", true), ("2026-11-21T09:30:00 UTC", true), ("2026-11-21T09:30:00", false),
        ("2026-11-21T09:30Z", false), ("2026-11-21", false), ("2026-11-21Z", false), ("now", false), ("2h", false),
    ])
    func withoutLeniencyNothingMayBeMissing(_ text: String, _ isRead: Bool) {
        #expect((Timestamp(iso8601: text, lenient: .none) != nil) == isRead)
    }

    @Test func aDayHasAsManyHoursAsItsMonthHasDays() {
        #expect(Timestamp(iso8601: "2024-02-29T00:00:00Z") != nil)
        #expect(Timestamp(iso8601: "2100-02-29T00:00:00Z") == nil)
        #expect(Timestamp(iso8601: "2000-02-29T00:00:00Z") != nil)
        // A leap second is the first of the next minute.
        #expect(Timestamp(iso8601: "2016-12-31T23:59:60Z") == Timestamp(iso8601: "2017-01-01T00:00:00Z"))
    }

    @Test(arguments: [
        ("500ms", 500_000_000), ("0.3s", 300_000_000), ("1.5h", 5_400_000_000_000), (".5s", 500_000_000),
        ("0.000001ms", 1), ("3650d", 315_360_000_000_000_000), ("100000.000000001s", 100_000_000_000_001),
    ])
    func durationsAreExact(_ text: String, _ nanoseconds: Int64) {
        #expect(Duration(commandLine: text) == .nanoseconds(nanoseconds))
    }

    @Test(arguments: ["10s", "500ms", "90s", "2m", "36h", "7d", "0s", "1001ms"])
    func aDurationIsWrittenAsItIsRead(_ text: String) {
        #expect(Duration(commandLine: text)?.commandLineText == text)
    }

    @Test(arguments: ["", "s", "1", "1x", "-1s", "1.2.3s", ".s", "3704d", "1e3s", "١s", "99999999999999999999d"])
    func whatIsNoDurationIsRefused(_ text: String) { #expect(Duration(commandLine: text) == nil) }

    @Test(arguments: [
        ("1.5", 1_000_000_000, 1_500_000_000), ("-1.5", 1000, -1500), ("0.0000000005", 1_000_000_000, 1),
        ("-0.25", 1_000_000_000, -250_000_000), ("9223372036.854775807", 1_000_000_000, Int64.max),
    ])
    func decimalsAreExact(_ text: String, _ unit: Int64, _ value: Int64) {
        #expect(Int64(decimal: text, times: unit) == value)
    }

    @Test(arguments: ["", "-", ".", "1.5e3", "1,5", "9223372036.854775808", "99999999999999999999"])
    func whatIsNoDecimalIsRefused(_ text: String) { #expect(Int64(decimal: text, times: 1_000_000_000) == nil) }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 +0000"),
        ("1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 +0000"),
        ("2026-11-21T09:30:00.9Z", "Sat, 21 Nov 2026 09:30:00 +0000"),
        ("2000-02-29T12:00:00Z", "Tue, 29 Feb 2000 12:00:00 +0000"),
    ])
    func mailsHaveTheirOwnForm(_ text: String, _ mail: String) throws {
        #expect(try #require(Timestamp(iso8601: text)).mailText == mail)
    }
}
