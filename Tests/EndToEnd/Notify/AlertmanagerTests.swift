import Foundation
import Model
import Postgres
import TestSupport
import Testing
import Time

extension EndToEnd {
    /// The Alertmanager of Debian, which tells a webhook of ours.
    @Suite struct Alertmanagers {
        /// Where scripts/setup unpacks it.
        private static let path = TestServers.root.appending(
            path: ".build/servers/alertmanager/prometheus-alertmanager"
        ).path

        private struct Alert: Decodable {
            var labels: [String: String]
            var startsAt: String
            var endsAt: String
        }

        /// An Alertmanager that can be killed and started again at the same address.
        private struct Server {
            let arena: NotifyArena
            let port: UInt16
            let folder: URL

            init(_ arena: NotifyArena, telling webhook: WebhookReceiver) throws {
                self.arena = arena
                let socket = try ListeningSocket()
                port = socket.port
                close(socket.descriptor)
                folder = arena.system.folder.appending(path: "alertmanager")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                let text = """
                    route:
                      receiver: test
                      group_by: ['...']
                      group_wait: 100ms
                      group_interval: 1s
                      repeat_interval: 12h
                    receivers:
                      - name: test
                        webhook_configs: [{url: "\(webhook.url)/", send_resolved: true}]
                    """
                try Data(text.utf8).write(to: folder.appending(path: "alertmanager.yml"))
            }

            func start() async throws -> Program {
                let program = try arena.system.start(
                    Alertmanagers.path,
                    [
                        "--config.file=\(folder.path)/alertmanager.yml", "--storage.path=\(folder.path)/data",
                        "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
                    ], log: "alertmanager")
                try await eventually("Alertmanager answers") {
                    try program.expectRunning()
                    return await TestServers.get("http://127.0.0.1:\(port)/-/ready")?.status == 200
                }
                return program
            }

            func alerts() async throws -> [Alert] {
                let answer = try #require(await TestServers.get("http://127.0.0.1:\(port)/api/v2/alerts?active=true"))
                return try JSONDecoder().decode([Alert].self, from: Data(answer.body.utf8))
            }
        }

        /// What the webhook heard, "firing hot-a0" and so on, sorted.
        private func told(_ webhook: WebhookReceiver) throws -> [String] {
            try webhook.requests.flatMap { $0.body.alerts ?? [] }
                .map { "\($0.status) \($0.labels["alertname"] ?? "")" }.sorted()
        }

        private func receiver(_ server: Server) -> String {
            """
              - name: operators
                alertmanager: {urls: ["http://127.0.0.1:\(server.port)"], keep_alive: 1s, labels: {site: hall-3}}
                retry_at_most: 1s
                timeout: 2s
            """
        }

        @Test func anAlarmIsRaisedKeptAliveAndResolved() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook()
                let server = try Server(arena, telling: webhook)
                _ = try await server.start()
                try arena.configure(receiver(server))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ["a"])
                try await eventually("it is told") { try told(webhook) == ["firing hot-a"] }
                let first = try #require(try webhook.requests.first?.body.alerts?.first)
                #expect(
                    first.labels == [
                        "alertname": "hot-a", "sensor": "press-1", "channel": "temperature", "severity": "critical",
                        "site": "hall-3",
                    ])
                #expect(first.annotations["summary"] == "a is above 80 °C" && first.annotations["alarm_id"] == "a")
                // Longer than an alert that is not sent again would last: four keep-alives.
                let begin = try #require(try await server.alerts().first)
                let start = ContinuousClock.now
                try await eventually("its end moves") {
                    guard start.duration(to: .now) > .seconds(6) else { return false }
                    return try #require(try await server.alerts().first).endsAt > begin.endsAt
                }
                #expect(try await server.alerts().first?.startsAt == begin.startsAt)
                #expect(try told(webhook) == ["firing hot-a"])
                try await arena.publish(.clear, ["a"])
                try await eventually("its end is told") { try told(webhook) == ["firing hot-a", "resolved hot-a"] }
                #expect(try await arena.delivered(to: "operators") == 2)
                #expect(try await registry.metric("iot_notify_failed_total") == 0)
            }
        }

        /// Without a registry an alarm ends at Alertmanager by itself, and comes back with the registry.
        @Test func alertmanagerIsAway() async throws {
            try await NotifyArena.with { arena in
                let webhook = try await arena.webhook()
                let server = try Server(arena, telling: webhook)
                let first = try await server.start()
                try arena.configure(receiver(server))
                let registry = try await arena.registry()
                try await arena.publish(.trigger, ["before", "over"])
                try await eventually("they are told") { try told(webhook) == ["firing hot-before", "firing hot-over"] }
                // As an operator stops it: it writes what it has told to its disk.
                _ = try await first.stop()
                let more = (0..<10).map { "during\($0)" }
                try await arena.publish(.trigger, more)
                try await arena.publish(.clear, ["over"])
                try await eventually("it fails") { try await registry.metric("iot_notify_failed_total") >= 3 }
                #expect(
                    try await arena.system.number("SELECT count(*) FROM notification WHERE delivered_at IS NULL") == 11)
                _ = try await server.start()
                try await eventually("all is told") { try await arena.delivered(to: "operators") == 13 }
                let wanted =
                    (["before", "over"] + more).map { "firing hot-\($0)" }.sorted() + ["resolved hot-over"]
                try await eventually("and passed on") { try Set(told(webhook)).isSuperset(of: wanted) }
                try await arena.publish(.clear, ["before"] + more)
                let ends = (["before", "over"] + more).map { "resolved hot-\($0)" }.sorted()
                try await eventually("all ends are told") { try Set(told(webhook)).isSuperset(of: ends) }
                #expect(try told(webhook) == (wanted + ends.filter { $0 != "resolved hot-over" }).sorted())
            }
        }
    }
}
