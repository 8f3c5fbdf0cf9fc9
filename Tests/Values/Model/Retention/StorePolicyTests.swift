import Testing

@testable import Model
@testable import Time

@Suite struct StorePolicyTests {
    /// Data that are dropped before they are compressed are never compressed.
    @Test func aColumnstoreBehindTheRetentionIsRefused() throws {
        func check(_ words: String...) throws {
            let changes = try words.map { word in
                try PolicyChange(word) { text in Int64(text.dropLast()).map { .seconds($0 * 86_400) } }
            }
            let days = { (count: Int64) in Duration.seconds(count * 86_400) }
            try PolicyContradiction.check(
                changes,
                on: [(.measurement, days(30), days(7)), (.log, days(3), days(7)), (.days, nil, days(90))])
        }
        let error = #expect(throws: PolicyContradiction.self) { try check("measurement=3d") }
        #expect(error?.description.hasPrefix("measurement would be dropped before it is compressed; ") == true)
        #expect(throws: PolicyContradiction.self) { try check("measurement.columnstore=31d") }
        #expect(throws: PolicyContradiction.self) { try check("measurement_1d=80d") }
        try check("measurement=7d")
        try check("measurement=3d", "measurement.columnstore=2d")
        try check("measurement=3d", "measurement.columnstore=never")
        try check("measurement_1d=forever")
        // What is not touched is not refused.
        try check("measurement=8d")
        #expect(throws: PolicyContradiction.self) { try check("sensor_log=4d") }
    }

    private static func days(_ text: String) -> Duration? {
        text.hasSuffix("d") ? Double(text.dropLast()).map { .seconds($0 * 86_400) } : nil
    }

    private func read(_ text: String) throws(PolicyChange.Unreadable) -> PolicyChange {
        try PolicyChange(text, duration: Self.days)
    }

    @Test func readsWhatPeopleWrite() throws {
        #expect(try read("measurement=30d") == PolicyChange(tier: .measurement, duration: .seconds(30 * 86_400)))
        #expect(try read("measurement_1d=forever") == PolicyChange(tier: .days, duration: nil))
        #expect(
            try read("sensor_log.columnstore=2d")
                == PolicyChange(tier: .log, aspect: .columnstoreAfter, duration: .seconds(2 * 86_400)))
        #expect(
            try read("measurement.columnstore=never")
                == PolicyChange(tier: .measurement, aspect: .columnstoreAfter, duration: nil))
    }

    @Test(
        arguments: [
            ("measurement", "like measurement=30d"), ("samples=3d", "no policy for samples"), ("=3d", "no policy for"),
            ("alarm.columnstore=2d", "alarm has no columnstore"), ("measurement.color=2d", "has no color"),
            ("measurement=never", "or forever"), ("measurement=0.01d", "1h or more"), ("measurement=", "1h or more"),
            ("measurement.columnstore=forever", "or never"), ("measurement=3d=4d", "1h or more"),
        ])
    func refusesTheRestInWords(_ text: String, _ words: String) {
        let error = #expect(throws: PolicyChange.Unreadable.self) { _ = try read(text) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    private func point(_ hours: Double, _ bytes: Int64, _ free: Int64? = nil) -> StorageForecast.Point {
        StorageForecast.Point(
            at: Timestamp(unixMilliseconds: Int64(hours * 3_600_000)), bytes: bytes, freeBytes: free)
    }

    @Test func growthIsThatOfTheLastWeek() {
        #expect(StorageForecast([]).bytesPerDay == nil)
        #expect(StorageForecast([point(0, 5)]).bytesPerDay == nil)
        #expect(StorageForecast([point(0, 5), point(1, 50)]).bytesPerDay == nil)
        // Twelve hours, in any order.
        let half = StorageForecast([point(12, 600, 3000), point(0, 100, 9), point(6, 900, 9)])
        #expect(half.bytesPerDay == 1000 && half.daysLeft == 3 && half.hours == 12)
        // What was before the last week does not count.
        let old = StorageForecast([point(0, 1_000_000), point(240, 1000), point(264, 1100, 200)])
        #expect(old.bytesPerDay == 100 && old.daysLeft == 2)
    }

    @Test func aStoreThatShrinksIsNeverFull() {
        let forecast = StorageForecast([point(0, 1000, 5), point(24, 900, 5)])
        #expect(forecast.bytesPerDay == -100 && forecast.daysLeft == nil)
    }
}
