import Foundation
import Model
import Store
import Testing
import Time

@testable import Notify

/// What receivers are sent.
@Suite struct NotifyBodyTests {
    private let now = Timestamp(unixMilliseconds: 1_763_728_500_000)
    private let settings = NotifyConfiguration.Alertmanager(
        urls: ["http://a"], keepAlive: .seconds(60), labels: ["site": "hall-3"])
    private let mail = NotifyConfiguration.Mail(server: "smtp://m", from: "iot@example.org", to: ["a@b.c"])

    /// FIPS 180-4's examples, and RFC 4231's test cases 1, 2 and 6.
    @Test func sha256() {
        func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
        #expect(
            hex(SHA256.digest(of: Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(SHA256.digest(of: [])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(SHA256.digest(of: Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            SHA256.authenticationCode(of: Array("Hi There".utf8), secret: [UInt8](repeating: 0x0b, count: 20))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        #expect(
            SHA256.authenticationCode(of: Array("what do ya want for nothing?".utf8), secret: Array("Jefe".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            SHA256.authenticationCode(
                of: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                secret: [UInt8](repeating: 0xaa, count: 131))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test func anActiveAlertEndsLaterThanTheNextFourKeepAlives() throws {
        let alert = try #require(AlertmanagerBody.alerts([.example("a")], settings, now: now).first)
        #expect(
            alert.labels == [
                "alertname": "limit:temperature:high", "sensor": "press-1", "channel": "temperature",
                "severity": "critical", "site": "hall-3",
            ])
        #expect(alert.annotations["alarm_id"] == "a" && alert.annotations["value"] == "81.5")
        #expect(alert.annotations["runbook_url"] == "https://example.org/r")
        #expect(alert.startsAt == "2025-11-21T12:34:00.000000000Z")
        #expect(alert.endsAt == now.advanced(bySeconds: 240).text(.nanoseconds))
    }

    @Test func aClearedAlertEndsWhenItsAlarmDid() throws {
        let alert = try #require(AlertmanagerBody.alerts([.example("a", .clear)], settings, now: now).first)
        #expect(alert.endsAt == "2025-11-21T12:34:10.000000000Z")
    }

    /// Alertmanager refuses an alert that ends before it begins, and would not tell one that begins tomorrow.
    @Test func clocksThatStepped() throws {
        var odd = AlarmNotification.example("a", .clear)
        odd.clearedAt = odd.raisedAt.advanced(bySeconds: -5)
        let alert = try #require(AlertmanagerBody.alerts([odd], settings, now: now).first)
        #expect(alert.startsAt < alert.endsAt)
        var early = AlarmNotification.example("a")
        early.raisedAt = now.advanced(bySeconds: 500)
        let started = try #require(AlertmanagerBody.alerts([early], settings, now: now).first)
        #expect(started.startsAt == now.text(.nanoseconds))
    }

    @Test func ofTheSameLabelsTheNewestAlarmCounts() throws {
        var newer = AlarmNotification.example("b")
        newer.raisedAt = newer.raisedAt.advanced(bySeconds: 20)
        for order in [[AlarmNotification.example("a", .clear), newer], [newer, .example("a", .clear)]] {
            let alerts = AlertmanagerBody.alerts(order, settings, now: now)
            #expect(alerts.map { $0.annotations["alarm_id"] } == ["b"])
        }
    }

    @Test func aWebhooksBodyIsTheSameAtEveryAttempt() throws {
        var again = AlarmNotification.example("a/b\nc")
        let first = try WebhookBody.bytes(WebhookBody.message(again, to: "r"))
        again.attempts = 3
        again.age = .seconds(99)
        #expect(try WebhookBody.bytes(WebhookBody.message(again, to: "r")) == first)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(first)) as? [String: Any])
        #expect(json["id"] as? String == "a/b\nc/trigger" && json["edge"] as? String == "trigger")
        let alarm = try #require(json["alarm"] as? [String: Any])
        #expect(alarm["raised_at"] as? String == "2025-11-21T12:34:00.000000000Z")
        #expect(alarm["cleared_at"] == nil)
        let headers = WebhookBody.headers(id: again.id, body: first, secret: Array("s".utf8), now: now)
        #expect(headers.map(\.name).suffix(2) == ["X-Notification-Timestamp", "X-Notification-Signature"])
        #expect(headers.allSatisfy { !$0.value.contains("\n") })
        #expect(headers[1].value == "a/b%0Ac/trigger" && headers[2].value == "1763728500")
    }

    @Test func aSummaryListsSomeAndCountsTheRest() throws {
        let many = (0..<60).map { AlarmNotification.example("a\($0)", $0 < 40 ? .trigger : .clear, number: Int64($0)) }
        let message = WebhookBody.summary(many, to: "r")
        #expect(message.count == 60 && message.began == 40 && message.ended == 20 && message.more == 40)
        #expect(message.alarms?.count == 20 && message.ids?.count == 60)
        #expect(message.id == WebhookBody.summary(many, to: "r").id)
        #expect(WebhookBody.Slack(summary: many).text.hasSuffix("\nand 40 more"))
    }

    @Test func slackIsNotGivenMarkup() {
        var odd = AlarmNotification.example("a")
        odd.text = "<!channel> a & b"
        let text = WebhookBody.Slack(odd).text
        #expect(text.contains("&lt;!channel&gt; a &amp; b") && text.contains("<https://example.org/r|runbook>"))
    }

    @Test func aMail() throws {
        let text = String(decoding: MailBody.message(.example("a b"), mail, now: now), as: UTF8.self)
        let parts = text.components(separatedBy: "\r\n\r\n")
        try #require(parts.count == 2)
        #expect(parts[0].contains("Subject: [critical] alarm: press-1 temperature limit:temperature:high\r\n"))
        #expect(parts[0].contains("Date: Fri, 21 Nov 2025 12:35:00 +0000\r\n"))
        #expect(parts[0].contains("Message-ID: <a_20b_trigger@example.org>\r\n"))
        let body = try #require(Data(base64Encoded: parts[1], options: .ignoreUnknownCharacters))
        #expect(String(decoding: body, as: UTF8.self).contains("value: 81.5 °C\r\n"))
    }

    /// The text of an alarm is a device's or a rule's: it must not add a header.
    @Test func aSubjectIsOneHeader() throws {
        var odd = AlarmNotification.example("a")
        odd.text = "x\r\nBcc: all@example.org"
        var settings = mail
        settings.subject = "{text}"
        let text = String(decoding: MailBody.message(odd, settings, now: now), as: UTF8.self)
        #expect(text.contains("Subject: x Bcc: all@example.org\r\n") && !text.contains("\nBcc"))
        let encoded = MailBody.encoded(String(repeating: "°C ü", count: 40))
        #expect(encoded.components(separatedBy: "\r\n ").allSatisfy { $0.count <= 75 && $0.hasPrefix("=?utf-8?B?") })
    }
}
