import Model
import Postgres
import Testing

@testable import Store

@Suite struct SelectionTests {
    /// What people wrote is in parameters only.
    @Test func theStatementHoldsOnlyOurOwnWords() throws {
        let evil = "x'); DROP TABLE sensor; --"
        let selector = try SensorSelector("kind=\(evil),evil.tag!=\(evil),line,!line,serial=a_b*,target=\(evil)")
        let sql = selector.sql
        for word in ["DROP", "evil", "line", "a_b", "x'"] { #expect(!sql.text.contains(word), "\(sql)") }
        #expect(
            sql.parameters == [
                .text(evil), .texts(["evil", "tag"]), .text(evil), .texts(["line"]), .texts(["line"]),
                .text("a\\_b%"), .text(evil),
            ])
    }

    @Test func aFieldThatIsNotKnownIsAbsent() throws {
        let sql = try SensorSelector("!state,kind").sql
        #expect(sql.text == "NOT (nullif(s.state, $1) IS NOT NULL) AND nullif(s.kind, $2) IS NOT NULL")
        #expect(sql.parameters == [.text("unknown"), .text("")])
    }

    @Test func noConditionIsAlwaysTrue() {
        #expect(SensorSelector.all.sql == "true")
    }
}
