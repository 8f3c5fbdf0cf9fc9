import Curl
import Foundation
import Model
import Testing
import Time

@testable import Notify

/// The file of receivers: read as a whole, or refused as a whole with line and reason.
@Suite struct NotifyFileTests {
    @Test func readsAllOfIt() throws {
        let configuration = try NotifyConfiguration(
            text: """
                receivers:
                  - name: operators
                    alertmanager:
                      urls: [http://a:9093, "http://b:9093/prefix/"]
                      keep_alive: 30s
                      labels: {site: hall-3}
                      token_file: /run/secrets/token
                    when:
                      severity: [critical, warning]
                      sensors: press-*
                      rules: ["limit:*", bearing]
                    timeout: 3s
                    give_up_after: 2h
                    retry_at_most: 5s
                  - name: chat
                    webhook: {url_file: /run/secrets/slack, format: slack}
                    rate: 10/5m
                  - name: mail
                    mail:
                      server: smtp://mail:587
                      from: iot@example.org
                      to: [a@example.org, b@example.org]
                      subject: "{severity} {sensor}"
                      login_file: /run/secrets/mail
                """)
        try #require(configuration.receivers.map(\.name) == ["operators", "chat", "mail"])
        let operators = configuration.receivers[0]
        #expect(
            operators.kind
                == .alertmanager(
                    .init(
                        urls: ["http://a:9093", "http://b:9093/prefix"], keepAlive: .seconds(30),
                        labels: ["site": "hall-3"], tokenFile: "/run/secrets/token")))
        #expect(operators.deadline == .seconds(3) && operators.giveUpAfter == .seconds(7200))
        #expect(operators.retryAtMost == .seconds(5))
        #expect(operators.subscription.includes(.critical, sensor: "press-7", rule: "limit:x:high"))
        #expect(operators.subscription.includes(.warning, sensor: "press-", rule: "bearing"))
        #expect(!operators.subscription.includes(.info, sensor: "press-7", rule: "bearing"))
        #expect(!operators.subscription.includes(.critical, sensor: "xpress-7", rule: "bearing"))
        #expect(!operators.subscription.includes(.critical, sensor: "press-7", rule: "bearing2"))
        #expect(configuration.receivers[1].rate == .init(messages: 10, window: .seconds(300)))
        #expect(configuration.receivers[1].kind == .webhook(.init(url: .file("/run/secrets/slack"), format: .slack)))
        guard case .mail(let mail) = configuration.receivers[2].kind else {
            Issue.record("no mail")
            return
        }
        #expect(mail.to == ["a@example.org", "b@example.org"] && mail.encryption == .required)
        #expect(configuration.receivers[2].subscription.includes(.info, sensor: "x", rule: "y"))
    }

    /// The examples of docs/notify.md and examples/notify are files that are taken.
    @Test func theExamplesAreRight() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        var texts = try ["examples/notify/receivers.yaml", "examples/notify/kubernetes/receivers.yaml"].map {
            try String(contentsOf: root.appending(path: $0), encoding: .utf8)
        }
        let page = try String(contentsOf: root.appending(path: "docs/notify.md"), encoding: .utf8)
        texts += page.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
        #expect(texts.count == 6)
        for text in texts { #expect(try NotifyConfiguration(text: text).receivers.isEmpty == false, "\(text)") }
    }

    @Test func jsonIsYAMLToo() throws {
        let text = #"{"receivers": [{"name": "a", "webhook": {"url": "https://x/y"}}]}"#
        #expect(try NotifyConfiguration(text: text).receivers.map(\.name) == ["a"])
    }

    private static let webhook = "    webhook: {url: \"http://a/\"}\n"

    @Test(arguments: [
        ("", "line 1: the file is empty"),
        ("receivers: 5", "line 1: receivers is not a list"),
        ("receiver: []", "line 1: the file has no 'receiver'"),
        ("receivers: [", "line 2: did not find"),
        ("receivers:\n  - name: a\n", "line 2: receiver a needs one of alertmanager, webhook, mail"),
        ("receivers:\n  - name: A b\n" + webhook, "line 2: a receiver's name has"),
        ("receivers:\n  - name: a\n" + webhook + "  - name: a\n" + webhook, "line 4: a second receiver a"),
        ("receivers:\n  - name: a\n" + webhook + "    rate: 5\n", "line 4: rate is messages/time"),
        ("receivers:\n  - name: a\n" + webhook + "    rate: 0/1m\n", "line 4: rate is messages/time"),
        ("receivers:\n  - name: a\n" + webhook + "    timeout: 10\n", "line 4: timeout is a time from"),
        ("receivers:\n  - name: a\n" + webhook + "    colour: red\n", "line 4: a receiver has no 'colour'"),
        (
            "receivers:\n  - name: a\n" + webhook + "    when:\n      severity: high\n",
            "line 5: severity is info, warning or critical"
        ),
        (
            "receivers:\n  - name: a\n" + webhook + "    when:\n      sensors: [a b]\n",
            "line 5: no serial number can be 'a b'"
        ),
        ("receivers:\n  - name: a\n    webhook:\n      url: ftp://x/\n", "line 4: 'ftp://x/' is not an address"),
        ("receivers:\n  - name: a\n    webhook:\n      url: http://u:p@x/\n", "line 4: no user or password"),
        ("receivers:\n  - name: a\n    webhook: {format: slack}\n", "line 3: a webhook needs one of url, url_file"),
        ("receivers:\n  - name: a\n    alertmanager: {urls: []}\n", "line 3: urls is an empty list"),
        (
            "receivers:\n  - name: a\n    alertmanager:\n      urls: http://a\n      labels: {sensor: x}\n",
            "line 5: 'sensor' cannot be a label"
        ),
        (
            "receivers:\n  - name: a\n    alertmanager: {urls: \"http://a\"}\n    rate: 5/1m\n",
            "line 4: Alertmanager limits by itself"
        ),
        (
            "receivers:\n  - name: a\n    mail:\n      server: mail:25\n      from: a@b\n      to: a@b\n",
            "line 4: server is smtp://"
        ),
        (
            "receivers:\n  - name: a\n    mail:\n      server: smtp://m\n      from: a b\n      to: a@b\n",
            "line 5: 'a b' is not an address"
        ),
        (
            "receivers:\n  - name: a\n    mail:\n      server: smtp://m\n      from: a@b\n      to: a@b\n      subject: \"{x}\"\n",
            "line 7: {x} is none of"
        ),
        (
            "receivers:\n  - name: a\n    mail: {server: \"smtp://m\", from: a@b, to: a@b, login_file: /l, encryption: none}\n",
            "line 3: without encryption there is no login"
        ),
    ])
    func refuses(_ text: String, _ reason: String) {
        do {
            _ = try NotifyConfiguration(text: text)
            Issue.record("it was taken: \(text)")
        } catch { #expect(error.description.hasPrefix(reason), "\(error)") }
    }

    @Test(arguments: [
        ("*", "", true), ("*", "abc", true), ("a*c", "abbc", true), ("a*c", "abcd", false), ("a?c", "abc", true),
        ("a?c", "ac", false), ("*a*b*", "xxaxxbxx", true), ("*a*b", "aab", true), ("", "", true), ("", "a", false),
        ("a**", "a", true),
    ])
    func globs(_ glob: String, _ text: String, _ matches: Bool) {
        #expect(
            AlarmSubscription(receiver: "r", rules: [glob]).includes(.info, sensor: "s", rule: text) == matches)
    }
}
