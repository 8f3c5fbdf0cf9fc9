import Sensors
import Testing

@testable import Store

@Suite struct SelectionTests {
    /// What people wrote is in parameters only.
    @Test func theStatementHoldsOnlyOurOwnWords() throws {
        let evil = "x'); DROP TABLE sensor; --"
        let selector = try SensorSelector("kind=\(evil),evil.tag!=\(evil),line,!line,serial=a_b*,target=\(evil)")
        let (condition, parameters) = selector.sql(first: 3)
        for word in ["DROP", "evil", "line", "a_b", "x'"] { #expect(!condition.contains(word), "\(condition)") }
        #expect(
            parameters == [
                .text(evil), .texts(["evil", "tag"]), .text(evil), .texts(["line"]), .texts(["line"]),
                .text("a\\_b%"), .text(evil),
            ])
        for number in 3..<10 { #expect(condition.contains("$\(number)")) }
        #expect(!condition.contains("$2") && !condition.contains("$10"))
    }

    @Test func noConditionIsAlwaysTrue() {
        #expect(SensorSelector.all.sql().condition == "true")
        #expect(SensorSelector.all.sql().parameters.isEmpty)
    }
}
