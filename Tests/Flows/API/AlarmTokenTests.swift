import Testing

@testable import API

@Suite struct AlarmTokenTests {
    @Test(arguments: [
        AlarmToken.beginning, .behind(offset: 0, fingerprint: 0), .behind(offset: 17, fingerprint: -1),
        .behind(offset: .max, fingerprint: .min),
    ])
    func aTokenIsReadAgain(_ token: AlarmToken) {
        #expect(AlarmToken(token.text) == token)
    }

    @Test(arguments: [
        "", "1", "00", "-1.0", "1.", ".1", "1.2.3", "01.2", "1.+2", "1.-2", "9223372036854775808.0", "now", " 0",
        "1.18446744073709551616",
    ])
    func whatNoServerSentIsRefused(_ text: String) {
        #expect(AlarmToken(text) == nil)
    }
}
