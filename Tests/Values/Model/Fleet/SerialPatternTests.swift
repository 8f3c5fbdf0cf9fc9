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

    @Test func whatNoSerialNumberMatchesIsKnown() {
        for text in ["lab-1", "lab-*", "*", "?", "**", "a_?"] { #expect(SerialPattern(text).isPossible, "\(text)") }
        for text in ["", "lab 1", "a.*", "lab-[12]", "100%", String(repeating: "x", count: 65) + "*"] {
            #expect(!SerialPattern(text).isPossible, "\(text)")
        }
    }
}
