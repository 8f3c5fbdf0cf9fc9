import Foundation
import Model
import Postgres
import Store
import TestSupport
import Testing
import Time

extension EndToEnd {
    /// Alarms reach receivers outside, whatever breaks on the way.
    @Suite struct Notifying {
        private func receiver(_ name: String, _ webhook: WebhookReceiver, _ more: String = "") -> String {
            """
              - name: \(name)
                webhook: {url: "\(webhook.url)/\(name)"}
                rate: 1000/1m
                retry_at_most: 500ms
            \(more)
            """
        }

        private func ids(_ count: Int, _ prefix: String = "a") -> [String] { (0..<count).map { "\(prefix)\($0)" } }

        @Test func aWebhookIsToldOnceAndCanCheckTheSignature() async throws {
            try await NotifyArena.with { arena in
                let secret = arena.system.folder.appending(path: "secret")
                try Data("swordfish\n".utf8).write(to: secret)
                let webhook = try await arena.webhook(secret: "swordfish")
                let other = try await arena.webhook(secret: "another")
                func receiver(_ name: String, _ port: Int, _ more: String) -> String {
                    """
                      - name: \(name)
                        webhook: {url: "http://127.0.0.1:\(port)/", secret_file: "\(secret.path)"}
                        when: \(more)
                    """
                }
                try arena.configure(
                    receiver("right", webhook.port, "{severity: critical, sensors: \"press-*\", rules: \"hot*\"}")
                        + "\n"
                        + receiver("wrong", other.port, "{severity: [info, critical]}"))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ids(2))
                try await arena.publish(.trigger, ["cold"], rule: "cold")
                try await arena.publish(.clear, ids(1))
                try await eventually("both are told") {
                    let (right, wrong) = (
                        try await arena.delivered(to: "right"), try await arena.delivered(to: "wrong")
                    )
                    return right == 3 && wrong == 4
                }
                let requests = try webhook.requests
                #expect(requests.compactMap(\.id) == ["a0/trigger", "a1/trigger", "a0/clear"])
                #expect(requests.allSatisfy { $0.signed == true && $0.body.id == $0.id })
                let forged = try other.requests
                #expect(forged.count == 4 && forged.allSatisfy { $0.signed == false })
                let records = try await arena.system.store.notifications(ofAlarm: "a0")
                #expect(records.map(\.receiver) == ["right", "right", "wrong", "wrong"])
                #expect(records.allSatisfy { $0.attempts == 1 && $0.delivered != nil && $0.lastError == nil })
                #expect(try await registry.series("iot_notify_sent_total")["{receiver=\"right\"}"] == 3)
                #expect(try await registry.metric("iot_notify_waiting") == 0)
            }
        }

        @Test func aReceiverThatHangsDelaysNoOther() async throws {
            try await NotifyArena.with { arena in
                let stuck = try await arena.webhook(mode: "hang")
                let well = try await arena.webhook()
                try arena.configure(receiver("stuck", stuck, "    timeout: 1s") + "\n" + receiver("well", well))
                let registry = try await arena.registry()
                let begin = ContinuousClock.now
                try await arena.publish(.trigger, ids(20))
                try await eventually("the other one is told", within: .seconds(30)) {
                    try await arena.delivered(to: "well") == 20
                }
                // More attempts failed than fit into the time if they stood in the way of others.
                try await eventually("attempts end at their deadline") {
                    try await registry.series("iot_notify_failed_total")["{receiver=\"stuck\"}"] ?? 0 >= 2
                }
                #expect(begin.duration(to: .now) < .seconds(60))
                #expect(try await arena.delivered(to: "stuck") == 0)
                let state = try await arena.system.store.notificationReceivers()
                #expect(state.map(\.name) == ["stuck", "well"] && state.allSatisfy(\.isHeld))
                #expect(state[0].failing != nil && state[0].waiting == 20 && state[1].failing == nil)
                #expect(state[0].lastError?.contains("Timeout") == true)
                try stuck.set(mode: "ok")
                try await eventually("it is told too") { try await arena.delivered(to: "stuck") == 20 }
                #expect(Set(try stuck.requests.compactMap(\.id)) == Set(ids(20).map { "\($0)/trigger" }))
                #expect(try await registry.metric("iot_notify_oldest_seconds") == 0)
                // SIGTERM ends an attempt that hangs.
                try stuck.set(mode: "hang")
                try await arena.publish(.trigger, ["last"])
                try await eventually("it hangs") { try stuck.requests.last?.id == "last/trigger" }
                #expect(try await registry.stop(within: .seconds(10)).status == 0)
            }
        }

        /// At least once, and a receiver that remembers ids has it once.
        @Test func aRegistryIsKilledBetweenSendingAndRecording() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook(mode: "hang")
                try arena.configure(receiver("r", webhook))
                let first = try await arena.registry()
                try await arena.publish(.trigger, ids(1))
                try await eventually("it was sent") { try webhook.requests.count == 1 }
                first.signal(SIGKILL)
                _ = try await first.end()
                try webhook.set(mode: "ok")
                #expect(try await arena.delivered(to: "r") == 0)
                _ = try await arena.registry()
                try await eventually("it is sent again") { try await arena.delivered(to: "r") == 1 }
                let requests = try webhook.requests
                #expect(requests.map(\.id) == ["a0/trigger", "a0/trigger"])
                #expect(requests.map(\.body.id) == ["a0/trigger", "a0/trigger"])
            }
        }

        @Test func twoRegistriesTellOnceAndOneTakesOver() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook()
                try arena.configure(receiver("r", webhook))
                let registries = [try await arena.registry(), try await arena.registry()]
                try await arena.publish(.trigger, ids(30))
                try await eventually("all are told") { try await arena.delivered(to: "r") == 30 }
                #expect(try webhook.taken.sorted() == ids(30).map { "\($0)/trigger" }.sorted())
                var holder: Program?
                for registry in registries where try await registry.metric("iot_notify_sent_total") > 0 {
                    #expect(holder == nil, "both told it")
                    holder = registry
                }
                let killed = try #require(holder)
                killed.signal(SIGKILL)
                _ = try await killed.end()
                try await arena.publish(.trigger, ["after"])
                try await eventually("the other one takes over") { try webhook.taken.last == "after/trigger" }
            }
        }

        @Test func theDatabaseIsAway() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook(mode: "500")
                try arena.configure(receiver("r", webhook))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ids(5))
                try await eventually("it fails") { try await registry.metric("iot_notify_failed_total") >= 2 }
                try await TestServers.control("stop", "database", "--kill")
                do {
                    try webhook.set(mode: "ok")
                    try await eventually("the registry has noticed") { registry.errors.contains("holding receivers:") }
                } catch {
                    try await TestServers.control("start", "database")
                    throw error
                }
                try await TestServers.control("start", "database")
                try await eventually("all are told") { try await arena.delivered(to: "r") == 5 }
                #expect(Set(try webhook.taken) == Set(ids(5).map { "\($0)/trigger" }))
                let record = try #require(try await arena.system.store.notifications(ofAlarm: "a0").first)
                #expect(record.attempts >= 2 && record.lastError?.hasPrefix("500") == true)
            }
        }

        @Test func aBurstIsSummarised() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook(mode: "503")
                let chat = try await arena.webhook(mode: "503")
                try arena.configure(
                    """
                      - name: r
                        webhook: {url: "\(webhook.url)"}
                        rate: 5/10m
                        retry_at_most: 100ms
                      - name: chat
                        webhook: {url: "\(chat.url)", format: slack}
                        rate: 5/10m
                        retry_at_most: 100ms
                    """)
                _ = try await arena.registry()
                try await arena.publish(.trigger, ids(64))
                try webhook.set(mode: "ok")
                try chat.set(mode: "ok")
                try await eventually("all are told") {
                    let (json, slack) = (try await arena.delivered(to: "r"), try await arena.delivered(to: "chat"))
                    return json == 64 && slack == 64
                }
                let taken = try webhook.requests.filter { $0.mode == "ok" }
                #expect(taken.count == 5 && taken.prefix(4).allSatisfy { $0.body.kind == "alarm" })
                #expect(
                    taken.last?.body.kind == "summary" && taken.last?.body.count == 60 && taken.last?.body.more == 40)
                #expect(try chat.requests.last?.body.text?.hasSuffix("\nand 40 more") == true)
                #expect(
                    try await arena.system.number("SELECT count(*) FROM notification WHERE summarised") == 2 * 60)
            }
        }

        @Test func whatIsNotTakenIsGivenUpAndCounted() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook(mode: "500")
                try arena.configure(receiver("r", webhook, "    give_up_after: 2s"))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ids(3))
                try await eventually("they are given up") {
                    try await registry.metric("iot_notify_given_up_total") == 3
                }
                #expect(registry.errors.contains("gave up "))
                let record = try #require(try await arena.system.store.notifications(ofAlarm: "a0").first)
                #expect(record.givenUp != nil && record.delivered == nil)
            }
        }

        /// A message that the receiver refuses for what it is does not keep others from it.
        @Test func aRefusedMessageIsTriedLaterAndOthersPass() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook(mode: "422")
                try arena.configure(receiver("r", webhook))
                _ = try await arena.registry()
                try await arena.publish(.trigger, ["bad"])
                try await eventually("it was refused") {
                    try await arena.system.store.notifications(ofAlarm: "bad").first?.lastError?.hasPrefix("422")
                        == true
                }
                try webhook.set(mode: "ok")
                try await arena.publish(.trigger, ids(3))
                try await eventually("all are told in the end") { try await arena.delivered(to: "r") == 4 }
                #expect(try await arena.system.store.notificationReceivers().first?.failing == nil)
            }
        }

        /// No message ends the alarms of a sensor that an operator deletes.
        @Test func theDeletionOfASensorEndsItsAlarms() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook()
                try arena.configure(receiver("r", webhook))
                _ = try await arena.registry()
                try await arena.publish(.trigger, ids(1))
                _ = try await arena.system.store.deleteSensors(["press-1"], withHistory: false, issuer: "test")
                try await eventually("its end is told") { try webhook.taken == ["a0/trigger", "a0/clear"] }
            }
        }

        @Test func theFileIsReadAgainAndAWrongOneIsNotUsed() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook()
                try Data("receivers:\n  - name: r\n    webhok: {}\n".utf8).write(to: URL(filePath: arena.file))
                let refused = try await arena.system.run("sensor-registry", ["--notify-config", arena.file])
                #expect(
                    refused.status == 64
                        && refused.errors.contains("receivers.yaml, line 3: a receiver has no 'webhok'"))
                try arena.configure(receiver("old", webhook))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ["first"])
                try await eventually("it is told") { try await arena.delivered(to: "old") == 1 }
                try arena.configure("  - name: new\n")
                try await eventually("it is refused") {
                    try await registry.metric("iot_notify_file_refused") == 1
                }
                #expect(registry.errors.contains("line 2: receiver new needs one of"))
                try await arena.publish(.trigger, ["second"])
                try await eventually("the receivers stay") { try await arena.delivered(to: "old") == 2 }
                try arena.configure(receiver("new", webhook))
                try await eventually("it is used") { try await registry.metric("iot_notify_file_refused") == 0 }
                try await arena.publish(.trigger, ["third"])
                try await eventually("the new one is told") { try await arena.delivered(to: "new") == 1 }
                #expect(try await arena.delivered(to: "old") == 2)
            }
        }

        /// STARTTLS with an authority of its own, and a login from a file.
        @Test func mailReachesAServer() async throws {
            try await NotifyArena.with { arena in
                let folder = arena.system.folder
                let (certificate, key) = (
                    folder.appending(path: "cert.pem").path, folder.appending(path: "key.pem").path
                )
                try await TestServers.run(
                    "/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
                let login = folder.appending(path: "login")
                try Data("iot:wrong".utf8).write(to: login)
                let server = try arena.outside("notify-smtp", [certificate, key, "iot", "pass:word"])
                let port = try await NotifyArena.port(of: server)
                try arena.configure(
                    """
                      - name: mail
                        mail:
                          server: smtp://127.0.0.1:\(port)
                          from: iot@example.org
                          to: [a@example.org, b@example.org]
                          subject: "{severity}: {text}"
                          login_file: "\(login.path)"
                          ca_file: "\(certificate)"
                        rate: 3/10m
                        retry_at_most: 200ms
                    """)
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ids(1))
                try await eventually("the wrong password is refused") {
                    let state = try await arena.system.store.notificationReceivers().first
                    return state?.failing != nil && state?.lastError?.contains("Login denied") == true
                }
                try Data("iot:pass:word\n".utf8).write(to: login)
                try await eventually("it is told") { try await arena.delivered(to: "mail") == 1 }
                struct Mail: Decodable {
                    var from: String
                    var to: [String]
                    var subject: String
                    var id: String
                    var text: String
                }
                let mail = try JSONDecoder().decode(
                    Mail.self, from: Data(try #require(server.output.split(separator: "\n").last).utf8))
                #expect(mail.from == "iot@example.org" && mail.to == ["a@example.org", "b@example.org"])
                #expect(mail.subject == "critical: a0 is above 80 °C" && mail.id == "a0/trigger")
                #expect(mail.text.contains("value: 81.0 °C"))
                #expect(!registry.errors.contains("pass:word"))
            }
        }
    }
}
