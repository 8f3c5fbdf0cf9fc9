import Simulation
import Testing
import Time

/// 2026-11-21T09:30:00Z.
private let now = Timestamp(unixNanoseconds: 1_795_253_400_000_000_000)

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-1_000_000_000, "1969-12-31T23:59:59.000000000Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        (951_868_800_000_000_000, "2000-03-01T00:00:00.000000000Z"),
        (1_000_000_000_000_000_000, "2001-09-09T01:46:40.000000000Z"),
        (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999999999Z"),
        (1_795_253_400_000_000_001, "2026-11-21T09:30:00.000000001Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        (-2_203_891_200_000_000_000, "1900-03-01T00:00:00.000000000Z"),
        (-2_208_988_800_000_000_000, "1900-01-01T00:00:00.000000000Z"),
        (Int64.max, "2262-04-11T23:47:16.854775807Z"),
        (Int64.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func knownDates(nanoseconds: Int64, text: String) {
        #expect(Timestamp(unixNanoseconds: nanoseconds).description == text)
        #expect(Timestamp(iso8601: text)?.unixNanoseconds == nanoseconds)
    }

    @Test(arguments: [
        ("2026-11-21T09:30:00Z", 1_795_253_400_000_000_000), ("2026-11-21 09:30:00.5", 1_795_253_400_500_000_000),
        ("2026-11-21T11:00:00.000000001999+01:30", 1_795_253_400_000_000_001),
        ("2026-11-21T08:30:00-0100", 1_795_253_400_000_000_000), ("1969-12-31T23:59:59.999999999Z", -1),
    ])
    func otherFormsAreRead(text: String, nanoseconds: Int64) {
        #expect(Timestamp(iso8601: text)?.unixNanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-11-21", "2026-11-21T09:30Z", "2026-13-21T09:30:00Z", "2026-11-32T09:30:00Z",
        "2026-11-21T24:30:00Z", "2026-11-21T09:60:00Z", "2026-11-21T09:30:00.Z", "2026-11-21T09:30:00Zx",
        "2026-11-21T09:30:00+1", "1677-09-21T00:12:43.145224191Z", "2262-04-11T23:47:16.854775808Z",
        "1600-01-01T00:00:00Z", "2500-01-01T00:00:00Z", "20٢6-11-21T09:30:00Z",
    ])
    func whatIsNoTimeIsRefused(text: String) {
        #expect(Timestamp(iso8601: text) == nil)
    }

    /// A calendar that counts day by day, over a whole cycle of leap years and more.
    @Test func everyDayFrom1890To2261() {
        var (year, month, day) = (1890, 1, 1)
        var seconds: Int64 = -2_524_521_600
        while year < 2262 {
            let text = Timestamp(unixNanoseconds: seconds * 1_000_000_000).description.prefix(10)
            let expected = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
            guard text == expected else {
                Issue.record("\(text) instead of \(expected)")
                return
            }
            seconds += 86_400
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    @Test(arguments: [
        (0, 0, 0), (999, 0, 999), (1000, 1, 0), (-1, -1, 999), (-999, -1, 1), (-1000, -1, 0), (-1001, -2, 999),
        (Int64.max, 9_223_372_036_854_775, 807), (Int64.min + 192, -9_223_372_036_854_776, 384),
        (Int64.min, -9_223_372_036_854_776, 192),
    ])
    func microsecondsAreCutDownwards(nanoseconds: Int64, microseconds: Int64, rest: Int16) {
        let time = Timestamp(unixNanoseconds: nanoseconds)
        #expect(time.unixMicroseconds == microseconds)
        #expect(time.nanosecondsBelowMicrosecond == rest)
    }

    @Test func microsecondsAndRestGiveTheTimeBack() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<10_000 {
            let time = Timestamp(unixNanoseconds: .random(in: (.min + 1000)...(.max), using: &random))
            #expect((0..<1000).contains(time.nanosecondsBelowMicrosecond))
            #expect(time.unixMicroseconds * 1000 + Int64(time.nanosecondsBelowMicrosecond) == time.unixNanoseconds)
        }
    }

    @Test func arithmeticStopsAtTheEnds() {
        let last = Timestamp(unixNanoseconds: .max)
        let first = Timestamp(unixNanoseconds: .min)
        #expect(last.advanced(byNanoseconds: 1) == last)
        #expect(first.advanced(byNanoseconds: -1) == first)
        #expect(now.advanced(bySeconds: .max) == last)
        #expect(now.advanced(bySeconds: .min) == first)
        #expect(now.advanced(bySeconds: 60).nanoseconds(since: now) == 60_000_000_000)
        #expect(last.nanoseconds(since: first) == .max)
        #expect(first.nanoseconds(since: last) == .min)
        #expect(now.advanced(bySeconds: -2).seconds(since: now) == -2)
        #expect(Timestamp(unixMilliseconds: .max) == last)
        #expect(Timestamp(unixMilliseconds: .min) == first)
        #expect(Timestamp(unixMilliseconds: 1_795_253_400_000) == now)
        #expect(first < now && now < last)
    }
}
