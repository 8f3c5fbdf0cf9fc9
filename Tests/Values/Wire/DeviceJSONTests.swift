import Model
import Simulation
import Testing
import Time

@testable import Wire

@Suite struct DeviceJSONTests {
    private func read(_ text: String) -> Result<Frame, Rejection> { DataPayload.read(Array(text.utf8)) }

    /// Names and values of a frame.
    private func values(_ text: String) throws -> [String: Double] {
        var values: [String: Double] = [:]
        for block in try read(text).get().blocks {
            guard case .name(let name) = block.channel, case .value(let value) = block.samples else {
                Issue.record("\(block)")
                continue
            }
            values[name] = value
        }
        return values
    }

    private func rejection(_ bytes: [UInt8]) -> Rejection? {
        if case .failure(let rejection) = DataPayload.read(bytes) { rejection } else { nil }
    }

    /// Times without a fraction below the microsecond are exact to the nanosecond.
    @Test(
        arguments: [
            (#""2026-11-21T09:30:00Z""#, 1_795_253_400_000_000_000),
            (#""2026-11-21T09:30:00.5Z""#, 1_795_253_400_500_000_000),
            (#""2026-11-21T09:30:00.123Z""#, 1_795_253_400_123_000_000),
            (#""2026-11-21T10:30:00+01:00""#, 1_795_253_400_000_000_000),
            (#""2026-11-21T10:30:00.250+01:00""#, 1_795_253_400_250_000_000),
            (#""2026-11-21T04:00:00-05:30""#, 1_795_253_400_000_000_000),
            (#""1969-12-31T23:59:59Z""#, -1_000_000_000),
            ("1795253400", 1_795_253_400_000_000_000),
            ("1795253400123", 1_795_253_400_123_000_000),
            ("1795253400123456", 1_795_253_400_123_456_000),
            ("1795253400123456789", 1_795_253_400_123_456_789),
            ("1795253400.25", 1_795_253_400_250_000_000),
            ("1795253400123.5", 1_795_253_400_123_500_000),
            ("1.7952534e9", 1_795_253_400_000_000_000),
            ("0", 0), ("-1", -1_000_000_000),
        ] as [(String, Int64)])
    func timesOfEveryForm(time: String, nanoseconds: Int64) {
        for field in DeviceJSON.timeFields {
            let frame = Result { () throws(Rejection) in try read(#"{"\#(field)":\#(time),"t":1}"#).get() }
            #expect((try? frame.get())?.start == Timestamp(unixNanoseconds: nanoseconds), "\(frame)")
        }
    }

    @Test(arguments: [
        #""yesterday""#, #""""#, #""2026-13-01T00:00:00Z""#, #""1795253400""#, "1e300", "9223372036854775807000",
        "99999999999",
    ])
    func timesThatAreNoneAreRefused(time: String) {
        #expect(rejection(Array(#"{"time":\#(time),"t":1}"#.utf8))?.reason == .invalidFrame)
    }

    @Test(arguments: ["null", "[1]", #"{"s":1}"#])
    func aTimeOfAnotherTypeIsNone(time: String) throws {
        let frame = try read(#"{"time":\#(time),"t":1}"#).get()
        #expect(frame.start == nil && frame.blocks.count == 1)
    }

    @Test func theFirstTimeFieldCountsAndOthersAreChannels() throws {
        let frame = try read(#"{"ts":3,"timestamp":2,"time":1}"#).get()
        #expect(frame.start == Timestamp(unixNanoseconds: 1_000_000_000))
        #expect(try values(#"{"ts":3,"timestamp":2,"time":1}"#) == ["ts": 3, "timestamp": 2])
        #expect(try read(#"{"t":3}"#).get().start == nil)
    }

    @Test func numbersAndBooleansAreChannelsInOrderOfTheirNames() throws {
        let frame = try read(#"{"z":1,"on":true,"off":false,"a":-2.5e-3,"big":12345678901234567890,"ü":7}"#).get()
        #expect(frame.blocks.map(\.channel) == ["a", "big", "off", "on", "z", "ü"].map { .name($0) })
        #expect(frame.blocks.map(\.samples) == [-2.5e-3, 12_345_678_901_234_567_168, 0, 1, 1, 7].map { .value($0) })
        #expect(frame.position == nil && frame.rate == nil && frame.place == nil)
    }

    @Test func everythingElseIsPassedOver() throws {
        #expect(
            try values(#"{"t":1,"s":"21.5","n":null,"o":{"x":2},"a":[1,2],"e":{},"d":{"o":{"x":[{}]}}}"#) == ["t": 1])
    }

    @Test(arguments: ["{}", #"{"time":1}"#, #"{"a":"1"}"#, #"{"a":null}"#, #"{"a":{"b":1}}"#, #"{"a":[1]}"#])
    func withoutANumberThereIsNothingToStore(text: String) {
        #expect(rejection(Array(text.utf8))?.reason == .noNumericFields)
    }

    @Test(arguments: [
        "", " ", "[]", "[1]", "1", "null", #""{""#, "{", #"{"a""#, #"{"a":}"#, #"{"a":1"#, #"{"a":1}}"#, #"{"a":1} x"#,
        #"{"a":NaN}"#, #"{"a":Infinity}"#, #"{'a':1}"#,
    ])
    func whatIsNoObjectIsUndecodable(text: String) {
        #expect(rejection(Array(text.utf8))?.reason == .undecodable)
    }

    @Test func bytesThatAreNoTextAreUndecodable() {
        #expect(rejection(Array(#"{"a":1,""#.utf8) + [0xFF, 0xFE] + Array(#"":2}"#.utf8))?.reason == .undecodable)
        #expect(rejection([0x7B, 0x80])?.reason == .undecodable)
        // A byte order mark: neither a Frame nor the beginning of an object.
        #expect(rejection([0xEF, 0xBB, 0xBF] + Array(#"{"a":1}"#.utf8))?.reason == .undecodable)
    }

    @Test func leadingWhiteSpaceIsAllowed() throws {
        #expect(try values("\r\n\t {\"a\":1}\n") == ["a": 1])
    }

    @Test func deepNestingIsRefused() {
        let depth = 100_000
        #expect(rejection(Array(repeating: UInt8(ascii: "["), count: depth))?.reason == .undecodable)
        #expect(rejection(Array((#"{"a":"# + String(repeating: "[", count: depth)).utf8))?.reason == .undecodable)
        let closed =
            #"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + ",\"t\":1}"
        #expect(rejection(Array(closed.utf8))?.reason == .undecodable)
        #expect(rejection(Array(String(repeating: #"{"a":"#, count: depth).utf8))?.reason == .undecodable)
    }

    private func object(fields: Int) -> String {
        "{\"time\":1," + (0..<fields).map { "\"f\($0)\":\($0)" }.joined(separator: ",") + "}"
    }

    @Test func atMost64Channels() throws {
        #expect(try read(object(fields: 64)).get().blocks.count == 64)
        #expect(read(object(fields: 65)) == .failure(Rejection(.invalidFrame, "65 blocks, at most 64")))
    }

    @Test(arguments: [(1, true), (64, true), (65, false), (0, false)])
    func namesAreOneTo64Bytes(length: Int, isSound: Bool) {
        let name = String(repeating: "n", count: length)
        #expect((rejection(Array("{\"\(name)\":1}".utf8)) == nil) == isSound)
    }

    @Test func aNameWithANulIsRefused() {
        #expect(rejection(Array(#"{"a\u0000b":1}"#.utf8))?.reason == .invalidFrame)
    }

    @Test func numbersBeyondDoublesAreNotStoredAsSomethingElse() {
        for number in ["1e400", "-1e400"] {
            switch read("{\"a\":\(number),\"t\":1}") {
            case .success(let frame): #expect(frame.blocks == [Block(channel: .name("t"), samples: .value(1))])
            case .failure(let rejection): #expect(rejection.reason == .undecodable)
            }
        }
    }

    @Test func damagedJSONNeverCrashes() {
        var random = SplitMix64(seed: 20)
        let text = Array(#"{"time":"2026-11-21T09:30:00.5Z","a":1.5,"b":true,"c":{"d":[1,"\u00e4"]},"e":-1e5}"#.utf8)
        for length in 0..<text.count { #expect(rejection(Array(text.prefix(length))) != nil) }
        for _ in 0..<2000 {
            var damaged = text
            damaged[Int.random(in: 0..<text.count, using: &random)] ^= 1 << UInt8.random(in: 0...7, using: &random)
            guard case .success(let frame) = DataPayload.read(damaged) else { continue }
            #expect(throws: Never.self) { try frame.validate() }
        }
    }
}
