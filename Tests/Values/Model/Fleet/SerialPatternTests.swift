import Model
import Testing

@Suite struct SerialPatternTests {
    @Test(arguments: [
        ("lab-1", false, "lab-1"), ("lab-*", true, "lab-%"), ("*", true, "%"), ("lab-?", true, "lab-_"),
        ("a_1*", true, "a\\_1%"), ("100%?", true, "100\\%_"), ("a\\*", true, "a\\\\%"), ("", false, ""),
    ])
    func globsBecomeOperandsOfLike(_ text: String, _ isGlob: Bool, _ like: String) {
        let pattern = SerialPattern(text)
        #expect(pattern.isGlob == isGlob && pattern.like == like && pattern.text == text)
    }

    @Test(arguments: [
        ("lab-1", "lab-1", true), ("lab-1", "lab-10", false), ("lab-*", "lab-", true), ("lab-*", "lab-10", true),
        ("lab-*", "Lab-10", false), ("*", "x", true), ("?", "x", true), ("?", "xy", false), ("*-?", "a-b-c", true),
        ("*-?", "a-b-cd", false), ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-b-b-", false), ("a**", "a", true),
        ("", "", true), ("", "x", false), ("*1*1", "1", false), ("limit:*:high", "limit:temperature:high", true),
    ])
    func globsMatchAsTheirOperandsOfLike(_ glob: String, _ name: String, _ isMatch: Bool) {
        #expect(SerialPattern(glob).matches(name) == isMatch)
    }

    @Test func whatNoSerialNumberMatchesIsKnown() {
        for text in ["lab-1", "lab-*", "*", "?", "**", "a_?"] { #expect(SerialPattern(text).isPossible, "\(text)") }
        for text in ["", "lab 1", "a.*", "lab-[12]", "100%", String(repeating: "x", count: 65) + "*"] {
            #expect(!SerialPattern(text).isPossible, "\(text)")
        }
    }
}
