import Model
import Testing

@Suite struct SerialNumberTests {
    @Test(arguments: ["7", "a", "Z", "_", "-", "plant-3_pump", "g--local", "0000"])
    func allowedCharactersMakeASerial(text: String) throws {
        let serial = try #require(SerialNumber(text))
        #expect(serial.text == text && "\(serial)" == text)
    }

    @Test(arguments: [
        "", "a.b", ".", "a/b", "a b", "a#", "*", "+", "a\n", "a\0", "ä", "e\u{301}", "７", "💡", "a:b", "a@b", "a[", "a`",
        "a{",
    ])
    func otherCharactersDoNot(text: String) {
        #expect(SerialNumber(text) == nil)
    }

    /// Every byte below 128, against the list of those that a serial number may have.
    @Test func theAlphabetIsExactlyTheOneOfTheDesign() {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".unicodeScalars)
        for byte in UInt8(0)..<128 {
            let scalar = Unicode.Scalar(byte)
            #expect((SerialNumber(String(scalar)) != nil) == allowed.contains(scalar), "byte \(byte)")
        }
    }

    @Test(arguments: [(0, false), (1, true), (63, true), (64, true), (65, false), (10_000, false)])
    func lengthIsOneTo64(length: Int, isSerial: Bool) {
        #expect((SerialNumber(String(repeating: "x", count: length)) != nil) == isSerial)
    }

    @Test func orderIsThatOfTheBytes() throws {
        let serials = try ["a", "Z", "10", "2", "_"].map { try #require(SerialNumber($0)) }
        #expect(serials.sorted().map(\.text) == ["10", "2", "Z", "_", "a"])
    }

    @Test func aSubstringWillDo() {
        #expect(SerialNumber("sensor_12".dropFirst(7))?.text == "12")
    }
}
