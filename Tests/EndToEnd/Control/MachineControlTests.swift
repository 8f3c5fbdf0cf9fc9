import Foundation
import Model
import Postgres
import TestSupport
import Testing

#if GRPC
let hasControl = true
#else
let hasControl = false
#endif

extension EndToEnd {
    /// Machine control over gRPC, by an outside client.
    @Suite(.enabled(if: hasControl, "built without the trait GRPC: make test builds with it"))
    struct MachineControl {
        private func withControl(
            replicas: Int = 0, _ body: (inout Services, ControlClient) async throws -> Void
        ) async throws {
            try await Services.with(replicas: replicas, registry: ["--grpc-port", "0"]) { services in
                let client = try await ControlClient(services.system, of: try services["sensor-registry"])
                try await body(&services, client)
            }
        }

        // MARK: alarms

        @Test func aLimitIsWatchedFromItsTriggerToItsClear() async throws {
            try await withControl(replicas: 1) { services, client in
                let system = services.system
                let simulator = try system.start(
                    "sensor-simulator", ["--kind", "climatex1", "--serial-prefix", "g"])
                try await simulator.ready()
                try await eventually("the channel is known") {
                    try await system.number("SELECT count(*) FROM channel WHERE name = 'temperature'") == 1
                }
                let watch = try await client.watch(#"{"sensors": ["g-*"]}"#)
                let other = try await client.watch(#"{"sensors": ["h-*"]}"#)
                let set = try await system.run(
                    "iotctl", ["set", "g-0001", "limits.temperature.high=-40", "limits.temperature.hysteresis=1"])
                #expect(set.status == 0, "\(set.errors)")
                try await watch.waits(for: 1)
                #expect(try await system.run("iotctl", ["set", "g-0001", "limits.temperature.high=90"]).status == 0)
                try await watch.waits(for: 2)
                let (trigger, clear) = (try watch.alarms[0], try watch.alarms[1])
                #expect(trigger.edge == "trigger" && clear.edge == "clear")
                #expect(trigger.sensor == "g-0001" && trigger.alarm?.rule == "limit:temperature:high")
                #expect(trigger.alarm?.id == clear.alarm?.id && trigger.alarm?.limit == -40)
                for line in [trigger, clear] {
                    let received = try #require(Double(line.receivedUnixNs ?? "")) / 1e9
                    let delay = try #require(line.heardS) - received
                    print("broker to client: \(Int(delay * 1000)) ms")
                    // The broker's stamp is whole milliseconds; the machine is busy.
                    #expect((-0.001..<5).contains(delay), "\(delay) s")
                }
                try await expectRecord(of: try #require(trigger.alarm?.id), client, system)
                let sensor = try await client.call("GetSensor", #"{"sensor": "g-0001"}"#)
                #expect(sensor.code == "OK" && sensor.response.presence == "online")
                let channel = try #require(sensor.response.channels?.first { $0.name == "temperature" })
                #expect(channel.unit == "°C" && channel.hasValue == true && channel.value != nil)
                #expect(try other.alarms.isEmpty && other.lines.count == 1)
                try await watch.kill()
                try await other.kill()
                try await eventually("nobody watches") {
                    try await services["sensor-registry"].metric("iot_grpc_alarm_watches") == 0
                }
                try await simulator.stop()
            }
        }

        /// An acknowledgement is a row's; the first one is kept.
        private func expectRecord(of id: String, _ client: ControlClient, _ system: TestSystem) async throws {
            try await eventually("the registry has recorded the alarm") {
                try await system.number("SELECT count(*) FROM alarm WHERE alarm_id = \(id)") == 1
            }
            let first = try await client.call(
                "Acknowledge", #"{"alarm_id": "\#(id)", "by": "ann", "comment": "it's the \"fan\""}"#)
            let second = try await client.call("Acknowledge", #"{"alarm_id": "\#(id)", "by": "bob"}"#)
            #expect(first.code == "OK" && second.code == "OK", "\(first.details)")
            #expect(first.response.atUnixNs != nil && first.response.atUnixNs == second.response.atUnixNs)
            let row = try await system.store.fetchOne(
                """
                SELECT acknowledged_by AS by, acknowledged_comment AS comment,
                       (extract(epoch FROM acknowledged_at) * 1000000)::bigint AS at_us
                  FROM alarm WHERE alarm_id = \(id)
                """)
            #expect(try row.text("by") == "ann" && row.text("comment") == "it's the \"fan\"")
            let told = try #require(Int64(first.response.atUnixNs ?? ""))
            #expect(try row.integer("at_us") == told / 1000)
            let none = try await client.call("Acknowledge", #"{"alarm_id": "none", "by": "ann"}"#)
            #expect(none.code == "NOT_FOUND" && none.details.contains("'none'"))
        }

        @Test func aClientThatWasCutOffMissesNothingAndHearsNothingTwice() async throws {
            try await withControl { services, client in
                let system = services.system
                // One before there is any client: from now on means without it, from the beginning with it.
                try await system.publish(alarms: ["a-0"])
                let now = try await client.watch()
                let all = try await client.watch(#"{"from_beginning": true}"#)
                var heard: [String] = []
                var cut = now
                for round in 1...5 {
                    let ids = (0..<40).map { "a-\(round * 100 + $0)" }
                    try await system.publish(alarms: Array(ids[..<20]))
                    // Cut anywhere: what it has not read by now comes behind the token.
                    try await cut.waits(for: 1)
                    try await cut.kill()
                    heard += try cut.ids
                    try await system.publish(alarms: Array(ids[20...]))
                    cut = try await client.watch(#"{"after": "\#(try cut.token)"}"#)
                }
                let published = (1...5).flatMap { round in (0..<40).map { "a-\(round * 100 + $0)" } }
                try await cut.waits(for: published.count - heard.count)
                try await all.waits(for: published.count + 1)
                #expect(heard + (try cut.ids) == published)
                #expect(try all.ids == ["a-0"] + published)
                // What a client drops stale replicas by, and where the alarm stands.
                let last = try #require(try all.alarms.last)
                #expect(last.alarm?.epoch == "3" && last.alarm?.offset == "539")
                let offsets = try all.alarms.map { Int64($0.streamOffset ?? "0") ?? 0 }
                #expect(offsets == offsets.sorted() && Set(offsets).count == offsets.count)
                try await cut.kill()
                try await all.kill()
            }
        }

        /// A client that is cut off before it has heard anything has a token, too.
        @Test func theFirstResponseIsAPlace() async throws {
            try await withControl { services, client in
                let empty = try await client.watch()
                try await empty.kill()
                #expect(try empty.lines.count == 1 && empty.alarms.isEmpty)
                try await services.system.publish(alarms: ["b-1", "b-2"])
                let later = try await client.watch(#"{"after": "\#(try empty.token)"}"#)
                try await later.waits(for: 2)
                try await later.kill()
                #expect(try later.ids == ["b-1", "b-2"])
                let now = try await client.watch()
                try await now.kill()
                #expect(try now.alarms.isEmpty)
                try await services.system.publish(alarms: ["b-3"])
                let last = try await client.watch(#"{"after": "\#(try now.token)"}"#)
                try await last.waits(for: 1)
                try await last.kill()
                // The broker tells where its newest chunk begins: what stands behind that may come, though it is older.
                #expect(try last.ids.last == "b-3")
            }
        }

        @Test func onlyWhatIsSelectedIsSent() async throws {
            try await withControl { services, client in
                let system = services.system
                try await system.publish(alarms: ["c-1"], of: "press-1", rule: "hot", severity: .critical)
                try await system.publish(alarms: ["c-2"], of: "press-2", rule: "hot", severity: .info)
                try await system.publish(alarms: ["c-3"], of: "oven-1", rule: "cold")
                try await system.publish(alarms: ["c-1"], of: "press-1", edge: .clear, rule: "hot", severity: .critical)
                try await system.publish(alarms: ["end"], of: "end", rule: "end", severity: .critical)
                for (selection, ids) in [
                    (#""sensors": ["press-*", "end"]"#, ["c-1", "c-2", "c-1", "end"]),
                    (#""sensors": ["press-?", "end"], "edge": "trigger""#, ["c-1", "c-2", "end"]),
                    (#""severities": ["critical"]"#, ["c-1", "c-1", "end"]),
                    (#""severities": ["warning", "critical"], "edge": "trigger""#, ["c-1", "c-3", "end"]),
                    (#""rules": ["cold", "e*"]"#, ["c-3", "end"]),
                ] {
                    let watch = try await client.watch(#"{"from_beginning": true, \#(selection)}"#)
                    try await watch.waits(for: ids.count)
                    #expect(try watch.ids == ids, "\(selection)")
                    try await watch.kill()
                }
            }
        }

        /// A token of a stream that is no more, or whose messages retention has dropped, is refused: the client must know.
        @Test func aTokenThatLeadsNowhereIsRefused() async throws {
            try await withControl { services, client in
                let system = services.system
                try await system.publish(alarms: ["d-1", "d-2", "d-3"])
                let watch = try await client.watch(#"{"from_beginning": true}"#)
                try await watch.waits(for: 3)
                try await watch.kill()
                let token = try watch.token
                // The stream is deleted, and the registry declares it again at its start.
                try await TestServers.management("DELETE", "/api/queues/\(system.name)/alarms.stream")
                let gone = try await client.watch(#"{"after": "\#(token)"}"#)
                #expect(try gone.lines.last?.code == "UNAVAILABLE")
                try await services["sensor-registry"].stop()
                try await services.start("sensor-registry", ["--grpc-port", "0"])
                let again = try await ControlClient(system, of: try services["sensor-registry"])
                let short = try await again.watch(#"{"after": "\#(token)"}"#)
                #expect(try short.lines.last?.code == "OUT_OF_RANGE", "\(short.program.output)")
                // As long as the old one, with other messages.
                try await system.publish(alarms: ["e-1", "e-2", "e-3", "e-4"])
                let other = try await again.watch(#"{"after": "\#(token)"}"#)
                try await eventually("it is refused") { try other.lines.last?.code == "OUT_OF_RANGE" }
                #expect(try other.alarms.isEmpty)
            }
        }

        /// A client that reads nothing is sent away, and costs the others nothing. What it has missed it gets by its token.
        @Test func aSlowClientIsDropped() async throws {
            try await withControl { services, client in
                let system = services.system
                let registry = try services["sensor-registry"]
                let quick = try await client.watch()
                let input = Pipe()
                let slow = Process()
                slow.executableURL = URL(filePath: "/usr/bin/python3")
                slow.arguments = [ControlClient.script, client.address, "stall", #"{"from_beginning": true}"#]
                let output = system.folder.appending(path: "slow.out")
                try Data().write(to: output)
                slow.standardInput = input
                slow.standardOutput = try FileHandle(forWritingTo: output)
                try slow.run()
                defer { slow.terminate() }
                try await eventually("both watch") { try await registry.metric("iot_grpc_alarm_watches") == 2 }
                // More than a client's HTTP/2 window takes, which is some megabytes here.
                let ids = (0..<800).map { "f-\($0)" }
                for part in stride(from: 0, to: ids.count, by: 100) {
                    try await system.publish(
                        alarms: Array(ids[part..<(part + 100)]), text: String(repeating: "x", count: 40_000))
                }
                try await quick.waits(for: ids.count)
                try await eventually("the slow one is dropped", within: .seconds(60)) {
                    let dropped = try await registry.metric("iot_grpc_slow_watches_total")
                    return try await registry.metric("iot_grpc_alarm_watches") == 1 && dropped == 1
                }
                #expect(try quick.ids == ids)
                input.fileHandleForWriting.write(Data("\n".utf8))
                try await eventually("it has read what there was") { !slow.isRunning }
                let lines = try String(contentsOf: output, encoding: .utf8).split(separator: "\n").map {
                    try ControlClient.decoder.decode(ControlClient.Line.self, from: Data($0.utf8))
                }
                let heard = lines.compactMap(\.alarm?.id)
                #expect(lines.last?.code != nil && heard.count < ids.count, "\(heard.count)")
                // gRPC drops what it has not handed over when a stream is reset, so the client may have heard nothing.
                let token = lines.last { $0.token != nil }?.token
                let rest = try await client.watch(
                    token.map { #"{"after": "\#($0)"}"# } ?? #"{"from_beginning": true}"#)
                try await rest.waits(for: ids.count - heard.count)
                #expect(heard + (try rest.ids) == ids)
                try await quick.kill()
                try await rest.kill()
            }
        }

        // MARK: commands and sensors

        @Test func aCommandIsAnsweredWithItsOutcome() async throws {
            try await withControl { services, client in
                let system = services.system
                let simulator = try system.start("sensor-simulator", ["--kind", "climatex1", "--serial-prefix", "g"])
                try await eventually("the sensor is online") {
                    try await system.number("SELECT count(*) FROM sensor WHERE presence = 'online'") == 1
                }
                let sleep = try await client.call(
                    "SendCommand", #"{"sensor": "g-0001", "name": "sleep", "issuer": "line 4"}"#)
                #expect(sleep.code == "OK" && sleep.response.outcome == "succeeded", "\(sleep)")
                #expect((sleep.response.afterS ?? 0) > 0)
                let id = try #require(sleep.response.id)
                try await eventually("it is recorded as any command is") {
                    try await system.number(
                        """
                        SELECT count(*) FROM command
                         WHERE command_id = \(id) AND state = 'succeeded' AND issuer = 'line 4' AND name = 'sleep'
                        """) == 1
                }
                let fast = try await client.call(
                    "SendCommand",
                    """
                    {"sensor": "g-0001", "name": "change_sample_frequency", "arguments": [{"name": "hertz", "number": 1e6}]}
                    """)
                #expect(fast.response.outcome == "rejected" && fast.response.reason?.contains("too fast") == true)
                #expect(
                    try await system.number(
                        "SELECT count(*) FROM command WHERE issuer LIKE 'grpc ipv4:127.0.0.1%' AND command_id = \(fast.response.id ?? "")"
                    ) == 1)
                try await system.store.run("INSERT INTO sensor (serial) VALUES ('mute')")
                let expired = try await client.call(
                    "SendCommand", #"{"sensor": "mute", "name": "sleep", "valid_ms": "300"}"#)
                #expect(expired.code == "OK" && expired.response.outcome == "expired", "\(expired)")
                let late = try await client.call(
                    "SendCommand", #"{"sensor": "mute", "name": "sleep", "timeout_ms": 200}"#)
                #expect(late.code == "OK" && late.response.outcome == "timed_out", "\(late)")
                let queued = try await client.call(
                    "SendCommand", #"{"sensor": "mute", "name": "sleep", "wait_for": "none"}"#)
                #expect(queued.code == "OK" && queued.response.outcome == "queued", "\(queued)")
                let unknown = try await client.call("SendCommand", #"{"sensor": "g-0002", "name": "sleep"}"#)
                #expect(unknown.code == "NOT_FOUND" && unknown.details.contains("g-0002"))
                try await simulator.stop()
            }
        }

        @Test func sensorsAreListedPageByPage() async throws {
            try await withControl { services, client in
                let system = services.system
                try await system.store.run(
                    """
                    INSERT INTO sensor (serial, kind, tags)
                    SELECT format('s-%s', lpad(n::text, 3, '0')), CASE WHEN n % 2 = 0 THEN 'gps' ELSE 'climate' END,
                           jsonb_build_object('hall', n % 5)
                      FROM generate_series(1, 25) n
                    """)
                var serials: [String] = []
                var token = ""
                var pages = 0
                repeat {
                    let page = try await client.call("ListSensors", #"{"page_size": 10, "page_token": "\#(token)"}"#)
                    #expect(page.code == "OK", "\(page.details)")
                    serials += page.response.sensors?.map(\.serial) ?? []
                    token = page.response.nextPageToken ?? ""
                    pages += 1
                } while !token.isEmpty && pages < 9
                #expect(pages == 3)
                #expect(serials == (1...25).map { "s-0" + ($0 < 10 ? "0" : "") + "\($0)" })
                let some = try await client.call(
                    "ListSensors", #"{"sensors": ["s-00?", "s-02*", "none"], "selector": "kind=gps,hall=0"}"#)
                #expect(some.response.sensors?.map(\.serial) == ["s-020"])
                let none = try await client.call("ListSensors", #"{"sensors": ["none"]}"#)
                #expect(none.code == "OK" && none.response.sensors == nil)
                #expect(try await client.call("GetSensor", #"{"sensor": "none"}"#).code == "NOT_FOUND")
            }
        }

        @Test func badArgumentsAreRefused() async throws {
            try await withControl { services, client in
                let long = String(repeating: "x", count: 1025)
                let many = (0...100).map { "\"s-\($0)\"" }.joined(separator: ",")
                for (method, request, word) in [
                    ("WatchAlarms", #"{"after": "yesterday"}"#, "no token"),
                    ("WatchAlarms", #"{"edge": "both"}"#, "edge"),
                    ("WatchAlarms", #"{"severities": ["loud"]}"#, "info, warning, critical"),
                    ("WatchAlarms", #"{"sensors": ["a b"]}"#, "serial number"),
                    ("WatchAlarms", #"{"rules": [""]}"#, "rules"),
                    ("WatchAlarms", #"{"sensors": [\#(many)]}"#, "at most 100"),
                    ("Acknowledge", #"{"by": "x"}"#, "alarm_id"), ("Acknowledge", #"{"alarm_id": "a"}"#, "by"),
                    ("Acknowledge", #"{"alarm_id": "a", "by": "x", "comment": "\#(long)"}"#, "comment"),
                    ("SendCommand", #"{"sensor": "a.b", "name": "sleep"}"#, "serial number"),
                    ("SendCommand", #"{"sensor": "a", "name": "a.b"}"#, "name"),
                    ("SendCommand", #"{"sensor": "a", "name": "sleep", "wait_for": "ever"}"#, "wait_for"),
                    ("SendCommand", #"{"sensor": "a", "name": "sleep", "timeout_ms": 600001}"#, "timeout_ms"),
                    ("SendCommand", #"{"sensor": "a", "name": "sleep", "valid_ms": "4233600001"}"#, "valid_ms"),
                    ("SendCommand", #"{"sensor": "a", "name": "sleep", "issuer": "\#(long)"}"#, "issuer"),
                    ("GetSensor", #"{"sensor": ""}"#, "serial number"),
                    ("ListSensors", #"{"page_size": 1001}"#, "page_size"),
                    ("ListSensors", #"{"page_token": "?"}"#, "page_token"),
                    ("ListSensors", #"{"selector": "=x"}"#, "selector"),
                    ("GetSensor", "hex:ff", "not a GetSensorRequest"),
                ] {
                    let isWatch = method == "WatchAlarms"
                    let code: String
                    let details: String
                    if isWatch {
                        let watch = try await client.watch(request)
                        (code, details) = (try watch.lines[0].code ?? "", try watch.lines[0].details ?? "")
                        try await watch.kill()
                    } else {
                        let answer = try await client.call(method, request)
                        (code, details) = (answer.code, answer.details)
                    }
                    #expect(
                        code == "INVALID_ARGUMENT" && details.contains(word), "\(method) \(request): \(code) \(details)"
                    )
                }
                let large = try await client.call("GetSensor", "zeros:600000")
                #expect(large.code != "OK", "\(large)")
                let registry = try services["sensor-registry"]
                #expect(
                    try await registry.series("iot_grpc_calls_total")[
                        #"{method="SendCommand",code="invalidArgument"}"#] == 6)
            }
        }
    }

    /// Machine control while something is away.
    @Suite(.enabled(if: hasControl, "built without the trait GRPC: make test builds with it"))
    struct MachineControlFaults {
        @Test func alarmsArriveWhileTheDatabaseIsAway() async throws {
            try await Services.with(replicas: 0, registry: ["--grpc-port", "0"]) { services in
                let client = try await ControlClient(services.system, of: try services["sensor-registry"])
                let watch = try await client.watch()
                try await TestServers.control("stop", "database", "--kill")
                do {
                    try await services.system.publish(alarms: ["d-1", "d-2"])
                    try await watch.waits(for: 2)
                    let later = try await client.watch(#"{"from_beginning": true}"#)
                    try await later.waits(for: 2)
                    try await later.kill()
                    for (method, request) in [
                        ("GetSensor", #"{"sensor": "g-1"}"#), ("ListSensors", "{}"),
                        ("Acknowledge", #"{"alarm_id": "d-1", "by": "ann"}"#),
                        ("SendCommand", #"{"sensor": "g-1", "name": "sleep"}"#),
                    ] {
                        let answer = try await client.call(method, request)
                        #expect(answer.code == "UNAVAILABLE", "\(method): \(answer)")
                    }
                } catch {
                    try await TestServers.control("start", "database")
                    throw error
                }
                try await TestServers.control("start", "database")
                try await eventually("the database is back for it") {
                    try await client.call("Acknowledge", #"{"alarm_id": "d-1", "by": "ann"}"#).code == "OK"
                }
                try await watch.kill()
            }
        }

        /// A client that follows goes on by itself, with every alarm once, whatever ends the registry.
        @Test(arguments: [SIGKILL, SIGTERM])
        func theRegistryIsRestarted(_ signal: Int32) async throws {
            try await Services.with(replicas: 0, registry: ["--grpc-port", "0"]) { services in
                let system = services.system
                let client = try await ControlClient(system, of: try services["sensor-registry"])
                let follower = try await client.watch("{}", "follow")
                try await system.publish(alarms: ["e-0", "e-1", "e-2"])
                try await follower.waits(for: 3)
                let port = try #require(client.address.split(separator: ":").last)
                for round in 1...2 {
                    let begun = ContinuousClock.now
                    try services["sensor-registry"].signal(signal)
                    let ended = try await services["sensor-registry"].end(within: .seconds(20))
                    #expect(ended.status == (signal == SIGTERM ? 0 : 128 + SIGKILL), "\(ended.errors.suffix(2000))")
                    // One ServiceGroup ends gRPC, HTTP and the rest, with a watch that is open.
                    #expect(begun.duration(to: .now) < .seconds(5))
                    try await system.publish(alarms: ["e-\(round)00", "e-\(round)01"])
                    try await services.start("sensor-registry", ["--grpc-port", String(port)])
                    try await system.publish(alarms: ["e-\(round)02"])
                    try await follower.waits(for: 3 + 3 * round)
                }
                #expect(
                    try follower.ids
                        == ["e-0", "e-1", "e-2", "e-100", "e-101", "e-102", "e-200", "e-201", "e-202"])
                try await follower.kill()
            }
        }

        /// What the broker takes over MQTT and cannot deliver stops no client, wherever it stands (decision 0007, 12).
        @Test func whatTheBrokerCannotDeliverIsPassedOver() async throws {
            try await Services.with(replicas: 0, registry: ["--grpc-port", "0"]) { services in
                let system = services.system
                let client = try await ControlClient(system, of: try services["sensor-registry"])
                let script = TestServers.root.appending(path: "Tests/EndToEnd/Outside/poison.py").path
                func poison() async throws {
                    let done = try await system.run("/usr/bin/python3", [script, "sensor_q/alarms/x", "front"])
                    #expect(done.status == 0, "\(done.errors)")
                }
                try await poison()
                try await system.publish(alarms: ["p-1"])
                try await poison()
                try await poison()
                try await system.publish(alarms: ["p-2"])
                let watch = try await client.watch(#"{"from_beginning": true}"#)
                try await watch.waits(for: 2)
                try await poison()
                try await system.publish(alarms: ["p-3"])
                try await watch.waits(for: 3)
                #expect(try watch.ids == ["p-1", "p-2", "p-3"])
                #expect(try await services["sensor-registry"].metric("iot_grpc_alarms_unreadable_total") == 4)
                try await watch.kill()
            }
        }

        @Test func theBrokerIsRestarted() async throws {
            try await Services.with(replicas: 0, registry: ["--grpc-port", "0"]) { services in
                let system = services.system
                let client = try await ControlClient(system, of: try services["sensor-registry"])
                let follower = try await client.watch("{}", "follow")
                try await system.publish(alarms: ["f-1"])
                try await follower.waits(for: 1)
                try await TestServers.control("restart", "broker", "--kill")
                try await eventually("an alarm can be published") {
                    try await system.publish(alarms: ["f-2"])
                    return true
                }
                try await follower.waits(for: 2)
                // A publish whose confirm was lost is repeated: with the same id.
                #expect(try Set(follower.ids) == ["f-1", "f-2"])
                #expect(try follower.ids.first == "f-1")
                try await follower.kill()
            }
        }
    }
}
