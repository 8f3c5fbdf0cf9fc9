import Testing
import Time

@testable import Postgres

@Suite struct SQLValueTests {
    private static func time(_ nanoseconds: Int64) -> Timestamp { Timestamp(unixNanoseconds: nanoseconds) }

    @Test(
        arguments: [
            (.integer(-5), "-5"), (.integer(Int64.min), "-9223372036854775808"), (.double(1.5), "1.5"),
            (.double(1e-7), "1e-07"),
            (.double(-0.0), "-0.0"), (.double(0.1), "0.1"), (.double(.nan), "NaN"), (.double(.infinity), "Infinity"),
            (.double(-.infinity), "-Infinity"), (.flag(true), "t"), (.flag(false), "f"), (.text(""), ""),
            (.text(#"it's "quoted" \ here"#), #"it's "quoted" \ here"#), (.text("a\0b"), "a\u{FFFD}b"),
            (.text("\0\u{301}"), "\u{FFFD}\u{301}"),
        ] as [(SQLValue, String)])
    func plainValues(value: SQLValue, text: String) throws {
        #expect(Array(try #require(value.textForm).unicodeScalars) == Array(text.unicodeScalars))
    }

    @Test(arguments: [SQLValue.null, .bytes([1])])
    func nullsAndBytesHaveNoText(value: SQLValue) {
        #expect(value.textForm == nil)
    }

    /// Cut to the microsecond below, also before 1970.
    @Test(arguments: [
        (1_795_253_400_123_456_789, "2026-11-21T09:30:00.123456Z"), (999, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"), (-1000, "1969-12-31T23:59:59.999999Z"),
        (-1001, "1969-12-31T23:59:59.999998Z"),
        (Int64.min, "1677-09-21T00:12:43.145224Z"), (Int64.max, "2262-04-11T23:47:16.854775Z"),
    ])
    func timesAreCutToMicroseconds(nanoseconds: Int64, text: String) {
        #expect(SQLValue.time(Self.time(nanoseconds)).textForm == text)
    }

    @Test(
        arguments: [
            (.integers([]), "{}"), (.integers([1, nil, -3]), "{1,NULL,-3}"),
            (.doubles([1, nil, .nan, -.infinity]), "{1.0,NULL,NaN,-Infinity}"),
            (.texts([nil, "", "NULL", "a,b", "{}"]), #"{NULL,"","NULL","a,b","{}"}"#),
            (.texts([#"a"b"#, #"c\d"#, #"\""#]), #"{"a\"b","c\\d","\\\""}"#),
            (.texts(["a\0b", "é\n"]), "{\"a\u{FFFD}b\",\"é\n\"}"),
            (.texts(["\"\u{301}"]), "{\"\\\"\u{301}\"}"),
            (.times([time(-1), nil]), #"{"1969-12-31T23:59:59.999999Z",NULL}"#),
        ] as [(SQLValue, String)])
    func arrays(value: SQLValue, text: String) throws {
        #expect(Array(try #require(value.textForm).unicodeScalars) == Array(text.unicodeScalars))
    }

    /// As the simple query protocol needs them, which has no parameters.
    @Test(
        arguments: [
            (.null, "NULL"), (.integer(7), "7"), (.integer(-7), "(-7)"), (.double(-1.5), "'-1.5'"),
            (.flag(true), "'t'"),
            (.text("it's"), "'it''s'"), (.text(#"a\b'c"#), #"E'a\\b''c'"#), (.text("a\0b"), "'a\u{FFFD}b'"),
            (.text("'\u{301}"), "'''\u{301}'"), (.bytes([0, 0x0F, 0xA0]), #"'\x000fa0'"#),
            (.time(time(999)), "'1970-01-01T00:00:00.000000Z'"), (.integers([1, nil]), "'{1,NULL}'"),
            (.texts(["a'b"]), #"'{"a''b"}'"#),
        ] as [(SQLValue, String)])
    func literals(value: SQLValue, text: String) {
        #expect(Array(value.literal.unicodeScalars) == Array(text.unicodeScalars))
    }
}

@Suite struct StoreErrorTests {
    /// Only an error of the data itself is given up; all other errors are retried until an operator fixes the cause.
    @Test(
        arguments: [
            ("08000", .retry), ("08006", .retry), ("40001", .retry), ("40P01", .retry), ("57014", .retry),
            ("57P01", .retry), ("57P02", .retry), ("57P03", .retry), ("53100", .retry), ("53300", .retry),
            ("53400", .retry), ("55P03", .retry), ("25P02", .retry), ("25P04", .retry), ("42P01", .retry),
            ("42501", .retry), ("XX000", .retry), ("", .retry), ("53200", .halve), ("54000", .halve), ("54001", .halve),
            ("54011", .halve), ("22003", .giveUp), ("22021", .giveUp), ("23503", .giveUp), ("23505", .giveUp),
            ("23514", .giveUp),
        ] as [(String, StoreError.Advice)])
    func adviceBySQLState(sqlState: String, advice: StoreError.Advice) {
        let error = StoreError.failed(operation: "copy", sqlState: sqlState, message: "m")
        #expect(error.advice == advice && error.sqlState == sqlState)
        #expect(error.description == "copy: \(sqlState) m")
    }

    @Test func adviceForTheRest() {
        #expect(StoreError.unreachable("u").advice == .retry && StoreError.refused("r").advice == .retry)
        #expect(StoreError.lost(operation: "commit", "gone").advice == .retry)
        #expect(StoreError.unexpected("x").advice == .giveUp && StoreError.unexpected("x").sqlState == nil)
        #expect(StoreError.lost(operation: "commit", "gone").description == "commit: gone")
        let undecodable = StoreError.undecodable(
            column: "sends", expected: "Int64", found: "\"x\"", statement: "SELECT sends FROM command")
        #expect(undecodable.advice == .giveUp && undecodable.sqlState == nil)
        #expect(
            undecodable.description
                == "column sends: expected Int64, found \"x\", in the result of: SELECT sends FROM command")
        let missing = StoreError.missingColumn("sends", found: ["a", "b"], statement: "SELECT * FROM command")
        #expect(missing.advice == .retry && missing.sqlState == nil)
        #expect(missing.description == "column sends: not among a, b, in the result of: SELECT * FROM command")
    }
}
