import Records
import Testing
import Time

/// How values become JSON, and back.
@Suite struct JSONTests {
    private struct Everything: Codable, Equatable {
        struct Inner: Codable, Equatable {
            var zebra: Int?
            var ape: UInt64 = .max
        }

        var flag: Bool? = true
        var float: Float? = 1.5
        var small: Int8? = -1
        var time: Timestamp? = Timestamp(unixNanoseconds: 1)
        var inner: Inner? = Inner()
        var list: [Inner?] = [nil, Inner(zebra: 2, ape: 3)]
        var counts: [String: Int] = ["z": 1, "a": 2, "m": 3]
        var none = Nothing()

        struct Nothing: Codable, Equatable {
            var flag: Bool?
            var text: String?
            var number: Double?
            var float: Float?
            var whole: Int?
            var whole8: Int8?
            var whole16: Int16?
            var whole32: Int32?
            var whole64: Int64?
            var natural: UInt?
            var natural8: UInt8?
            var natural16: UInt16?
            var natural32: UInt32?
            var natural64: UInt64?
            var inner: Inner?
            var time: Timestamp?
        }
    }

    @Test func fieldsKeepTheirOrderAndAreAlwaysThere() throws {
        let nothing = """
            {"flag":null,"text":null,"number":null,"float":null,"whole":null,"whole8":null,"whole16":null,\
            "whole32":null,"whole64":null,"natural":null,"natural8":null,"natural16":null,"natural32":null,\
            "natural64":null,"inner":null,"time":null}
            """
        #expect(
            try JSON.line(Everything()) == """
                {"flag":true,"float":1.5,"small":-1,"time":"1970-01-01T00:00:00.000000001Z",\
                "inner":{"zebra":null,"ape":1.8446744073709552e+19},"list":[null,{"zebra":2,"ape":3}],\
                "counts":{"a":2,"m":3,"z":1},"none":\(nothing)}
                """)
        #expect(try JSON.read(Everything.Nothing.self, from: nothing) == Everything.Nothing())
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "0"), (1000, "1000"), (0.1, "0.1"), (-2.5e-7, "-2.5e-07"),
        (999_999_999_999_999, "999999999999999"),
        (1e15, "1000000000000000.0"), (1.7976931348623157e308, "1.7976931348623157e+308"), (.nan, "null"),
        (.infinity, "null"),
    ])
    func numbersAreShortAndExact(_ number: Double, _ text: String) throws {
        #expect(try JSON.line([number]) == "[\(text)]")
        #expect(JSONValue.number(number).json == text)
    }

    @Test(arguments: [Int64.max, .min, 9_007_199_254_740_993, 0])
    func wholeNumbersAreExact(_ number: Int64) throws {
        #expect(try JSON.line(["n": number]) == "{\"n\":\(number)}")
        #expect(try JSON.read([Int64].self, from: "[\(number)]") == [number])
        #expect(JSONValue(json: "\(number)") == .integer(number))
    }

    @Test func whatATerminalWouldObeyIsEscaped() throws {
        let text = "\"\\\n\t\r\u{0}\u{1B}[31m\u{7F}\u{9B}é🙂/"
        let json = #"["\"\\\n\t\r\u0000\u001b[31m\u007f\u009bé🙂/"]"#
        #expect(try JSON.line([text]) == json)
        #expect(try JSON.read([String].self, from: json) == [text])
    }

    @Test func manyLinesAreForPeople() throws {
        struct Row: Encodable {
            var name = "a"
            var list: [Int] = []
            var rows = [1, 2]
            var tags: [String: String] = [:]
        }
        #expect(
            try JSON.pretty([Row()]) == """
                [
                  {
                    "name": "a",
                    "list": [],
                    "rows": [
                      1,
                      2
                    ],
                    "tags": {}
                  }
                ]
                """)
        #expect(try JSON.pretty([Row]()) == "[]")
    }

    @Test func jsonIsReadWithItsFieldsByName() throws {
        let value = try #require(JSONValue(json: #"{"b": [1, 2.5, null, true, "x"], "a": {"d": 1000.0, "c": {}}}"#))
        #expect(value.json == #"{"a":{"c":{},"d":1000},"b":[1,2.5,null,true,"x"]}"#)
        #expect(value["b"] == .list([.integer(1), .number(2.5), .null, .flag(true), .text("x")]))
        #expect(value["c"] == nil && JSONValue.null["a"] == nil)
        #expect(value.leaves.map(\.path) == ["a.d", "b"])
        #expect(JSONValue.flag(true).leaves.map(\.path) == [""])
        for text in ["", "{", "no", "[1,]x", "nul"] { #expect(JSONValue(json: text) == nil, "\(text)") }
        #expect(try JSONValue(encoding: value) == value)
    }

    @Test func thereIsOneKindOfNumbers() {
        #expect(JSONValue.integer(1000) == .number(1000) && JSONValue.number(1000) == .integer(1000))
        #expect(JSONValue.integer(1000) != .number(1000.5) && JSONValue.integer(1) != .flag(true))
        // No Double is this one.
        #expect(JSONValue.integer(9_007_199_254_740_993) != .number(9_007_199_254_740_992))
        #expect(JSONValue.number(.nan) != .null && JSONValue.text("1") != .integer(1))
        #expect(JSONValue.list([.integer(1)]) == .list([.number(1)]) && JSONValue.list([]) != .object([]))
    }

    @Test func aListThatIsWrittenInPartsIsWhole() throws {
        struct Parts: Encodable {
            func encode(to encoder: any Encoder) throws {
                var list = encoder.unkeyedContainer()
                try list.encodeNil()
                try list.encode(contentsOf: [1, 2])
                var inner = list.nestedUnkeyedContainer()
                try inner.encode("x")
                var object = list.nestedContainer(keyedBy: Key.self)
                try object.encode(1.0, forKey: .b)
                var deep = object.nestedContainer(keyedBy: Key.self, forKey: .a)
                try deep.encodeNil(forKey: .a)
                var more = object.nestedUnkeyedContainer(forKey: .c)
                try more.encode(true)
                try Key.a.rawValue.encode(to: list.superEncoder())
                #expect(list.count == 6)
            }

            enum Key: String, CodingKey {
                case a
                case b
                case c
            }
        }
        #expect(try JSON.line(Parts()) == #"[null,1,2,["x"],{"b":1,"a":{"a":null},"c":[true]},"a"]"#)
    }
}
