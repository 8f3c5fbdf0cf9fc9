import Broker
import Messaging
import Model
import Testing
import Wire

@testable import Diagnosis
@testable import Management
@testable import Store
@testable import Support
@testable import Time

/// What the doctor makes of what it saw, without any server.
@Suite struct DoctorTests {
    /// A system where all is well.
    private func healthy() -> DoctorFacts {
        var facts = DoctorFacts()
        facts.brokerPlace = "amqp://iot@h:5672/%2f"
        facts.user = "iot"
        facts.databasePlace = "postgresql://iot@h/iot"
        facts.broker = .known("RabbitMQ 4.0.5")
        facts.echo = .known(.init(offset: .init(seconds: 0.002, uncertainty: 0.003)))
        facts.access = .known(true)
        let topology = Topology.sensorStreaming(partitions: 2)
        facts.exchanges = topology.exchanges.map { ($0.name, .known(.init(presence: .there))) }
        facts.queues = Topology.sensorStreaming(partitions: 0).queues.map {
            ($0.name, .known(.init(presence: .there, consumers: 1)))
        }
        facts.streams = (0..<2).map { (Routing.stream($0), .known(.init(presence: .there))) }
        facts.isStreamTooMany = .known(false)
        facts.server = .known(
            ServerRecord(
                version: "17.5", versionNumber: 170_005, timescale: "2.19.3", license: "apache",
                now: Timestamp(unixMilliseconds: 0)))
        facts.databaseOffset = .init(seconds: -0.001, uncertainty: 0.002)
        facts.schema = .known(Migrations.State())
        facts.partitionCount = .known(2)
        facts.partitions = .known(
            (0..<2).map {
                PartitionRecord(Routing.stream($0), owner: "a", committed: 99, age: .seconds(3))
            })
        facts.replicas = .known(["a"])
        facts.quarantined = .known(0)
        facts.upkeep = .known(upkeep())
        for index in 0..<2 { facts.readings[Routing.stream(index)] = .known(.init(first: 10)) }
        facts.undeliverable = .known(.init())
        facts.receivers = .known([])
        facts.managementPlace = "http://h:15672"
        facts.protocols = .known(["clustering", "amqp", "mqtt", "http"])
        facts.down = .known([])
        facts.mqtt = .known(true)
        facts.disks = .known([.init(node: "rabbit@h", free: 50_000_000_000, limit: 1_000_000_000)])
        facts.policies = .known(topology.queues.map { policy($0.name) })
        facts.bindings = .known(Set(topology.bindings.map(ManagementAPI.Binding.init)))
        facts.permission = .known(.init(configure: ".*", write: ".*", read: ".*"))
        facts.cutBytes = .known(nil)
        return facts
    }

    private func upkeep(
        lag: Double? = 150, overdue: Duration = .zero, freeBytes: Int64? = 1_000_000_000_000
    ) -> StoreUpkeep {
        let points = (0..<3).map { day in
            StorageForecast.Point(
                at: Timestamp(unixMilliseconds: Int64(day) * 86_400_000), bytes: Int64(day) * 1_000_000_000,
                freeBytes: freeBytes)
        }
        return StoreUpkeep(
            rollups: RollupLag(seconds: lag, lateRows: 0),
            policies: [PolicyRecord(tier: .measurement, keep: .seconds(86_400), overdue: overdue)],
            forecast: StorageForecast(points))
    }

    private func policy(_ name: String) -> ManagementAPI.Queue {
        ManagementAPI.Queue(
            name: name, type: nil, messages: 90, segments: 1,
            effectivePolicyDefinition: .init(
                maxAge: "7D", maxLengthBytes: 5_000_000_000, segmentBytes: 67_108_864,
                deadLetterExchange: Routing.deadExchange, overflow: "reject-publish"))
    }

    /// The causes of all findings that are not ok, as "result check".
    private func complaints(_ facts: DoctorFacts) -> [String] {
        facts.diagnosis.groups.map(\.root).filter { $0.result != .ok }.map { "\($0.result.rawValue) \($0.check)" }
    }

    private func changed(_ change: (inout DoctorFacts) -> Void) -> DoctorFacts {
        var facts = healthy()
        change(&facts)
        return facts
    }

    private func setQueue(_ name: String, _ item: DoctorFacts.Item, _ facts: inout DoctorFacts) {
        guard let index = facts.queues.firstIndex(where: { $0.name == name }) else { return }
        facts.queues[index].fact = .known(item)
    }

    @Test func aSoundSystemHasNoComplaints() {
        let diagnosis = healthy().diagnosis
        #expect(complaints(healthy()).isEmpty)
        #expect(diagnosis.isHealthy && diagnosis.isAnybodyThere)
        #expect(diagnosis.findings.allSatisfy { $0.fix == nil })
        #expect(Set(diagnosis.findings.map(\.check)).count == diagnosis.findings.count)
    }

    @Test func withoutAnyServerEveryFindingSaysWhatToDo() {
        var facts = DoctorFacts()
        facts.broker = .failed("connection refused")
        facts.server = .tooSlow(.seconds(5))
        facts.managementPlace = "http://h:15672"
        facts.protocols = .failed("http://h:15672: connection refused")
        let diagnosis = facts.diagnosis
        #expect(!diagnosis.isHealthy && !diagnosis.isAnybodyThere)
        #expect(diagnosis.findings.allSatisfy { $0.result != .ok && $0.fix?.isEmpty == false })
        #expect(complaints(facts).filter { $0.hasPrefix("problem") } == ["problem broker", "problem database"])
        #expect(diagnosis.findings.contains { $0.text.contains("no answer within 5.0 s") })
    }

    @Test func oneServerIsEnoughToBeThere() {
        #expect(changed { $0.server = .failed("no") }.diagnosis.isAnybodyThere)
        #expect(changed { $0.broker = .failed("no") }.diagnosis.isAnybodyThere)
    }

    @Test func withoutTheManagementApiSomeThingsAreNotChecked() {
        let facts = changed { facts in
            let blank = DoctorFacts()
            (facts.managementPlace, facts.protocols, facts.down) = (nil, blank.protocols, blank.down)
            facts.mqtt = blank.mqtt
            (facts.disks, facts.policies, facts.bindings) = (blank.disks, blank.policies, blank.bindings)
            (facts.permission, facts.cutBytes) = (blank.permission, blank.cutBytes)
        }
        #expect(complaints(facts) == ["not_checked management"])
        let group = facts.diagnosis.groups.first { $0.root.check == "management" }
        #expect(
            group?.followers.map(\.check) == [
                "bindings", "policies", "permissions", "mqtt", "retention", "disk",
            ])
        #expect(group?.root.text == "not checked: MANAGEMENT_URL is not set")
        #expect(facts.diagnosis.isHealthy)
    }

    /// Each fault by itself gives exactly its own complaints.
    @Test func eachFaultIsNamed() {
        let faults: [(String, [String], (inout DoctorFacts) -> Void)] = [
            (
                "blocked", ["problem publishes"],
                {
                    $0.echo = .known(.init(blocked: "low on disk"))
                }
            ),
            ("no stamp", ["problem stamp"], { $0.echo = .known(.init()) }),
            (
                "nothing back", ["not_checked stamp"],
                {
                    $0.echo = .known(.init(isBack: false))
                }
            ),
            ("exchange missing", ["problem exchanges"], { $0.exchanges[2].fact = .known(.init(presence: .missing)) }),
            (
                "exchange differs", ["problem exchanges"],
                {
                    $0.exchanges[2].fact = .known(.init(presence: .different("inequivalent arg 'alternate-exchange'")))
                }
            ),
            (
                "queue slow", ["problem queues"],
                {
                    $0.queues[1].fact = .tooSlow(.seconds(5))
                }
            ),
            ("stream missing", ["problem streams"], { $0.streams[1].fact = .known(.init(presence: .missing)) }),
            ("stream too many", ["problem streams"], { $0.isStreamTooMany = .known(true) }),
            (
                "not fixed", ["problem streams"],
                { facts in
                    facts.partitionCount = .known(nil)
                    facts.bindings = .known([])
                }
            ),
            (
                "binding missing", ["problem bindings"],
                { facts in
                    facts.bindings = .known(Set((facts.bindings.value ?? []).filter { $0.routingKey != "*.logs" }))
                }
            ),
            ("no write", ["problem access"], { $0.access = .failed("403 write access refused") }),
            ("not an administrator", ["not_checked permissions"], { $0.permission = .failed("401 not authorized") }),
            ("no rights", ["problem permissions"], { $0.permission = .known(nil) }),
            (
                "few rights", ["warning permissions"],
                {
                    $0.permission = .known(.init(configure: "", write: ".*", read: ".*"))
                }
            ),
            (
                "odd rights", ["not_checked permissions"],
                {
                    $0.permission = .known(.init(configure: "(", write: ".*", read: ".*"))
                }
            ),
            (
                "old server", ["problem database"],
                { facts in
                    facts.server = .known(
                        ServerRecord(
                            version: "16.1", versionNumber: 160_001, timescale: "2", license: "timescale",
                            now: Timestamp(unixMilliseconds: 0)))
                }
            ),
            (
                "no timescale", ["problem timescaledb"],
                { facts in
                    facts.server = .known(
                        ServerRecord(
                            version: "17.1", versionNumber: 170_001, timescale: nil, license: nil,
                            now: Timestamp(unixMilliseconds: 0)))
                }
            ),
            (
                "no licence", ["warning timescaledb"],
                { facts in
                    facts.server = .known(
                        ServerRecord(
                            version: "17.1", versionNumber: 170_001, timescale: "2", license: nil,
                            now: Timestamp(unixMilliseconds: 0)))
                }
            ),
            ("clock", ["warning database_clock"], { $0.databaseOffset = .init(seconds: -1.5, uncertainty: 0.01) }),
            ("clock, but not sure", [], { $0.databaseOffset = .init(seconds: -1.5, uncertainty: 0.6) }),
            (
                "clock far off", ["problem broker_clock"],
                {
                    $0.echo = .known(.init(offset: .init(seconds: 3600, uncertainty: 0.01)))
                }
            ),
            ("no replica", ["problem ingesters"], { $0.replicas = .known([]) }),
            (
                "no owner", ["problem partitions"],
                {
                    $0.partitions = .known([PartitionRecord("measurements.0", committed: 99)])
                }
            ),
            (
                "the owner is dead", ["problem partitions"],
                {
                    $0.partitions = .known([
                        PartitionRecord("measurements.0", owner: "a", committed: 99, leaseLeft: .seconds(-1))
                    ])
                }
            ),
            ("no partitions", ["problem partitions"], { $0.partitions = .known([]) }),
            ("quarantine", ["warning quarantine"], { $0.quarantined = .known(1) }),
            ("rollups", ["warning rollups"], { $0.upkeep = .known(upkeep(lag: 1000)) }),
            ("nothing to roll up", [], { $0.upkeep = .known(upkeep(lag: nil)) }),
            ("a job runs hourly", [], { $0.upkeep = .known(upkeep(overdue: .seconds(80_000))) }),
            ("retention", ["problem kept"], { $0.upkeep = .known(upkeep(overdue: .seconds(90_000))) }),
            ("grows", ["warning growth"], { $0.upkeep = .known(upkeep(freeBytes: 20_000_000_000)) }),
            ("grows fast", ["problem growth"], { $0.upkeep = .known(upkeep(freeBytes: 5_000_000_000)) }),
            ("the disk is unknown", [], { $0.upkeep = .known(upkeep(freeBytes: nil)) }),
            (
                "full, and so blocked", ["problem disk"],
                {
                    $0.disks = .known([.init(node: "n", free: 1, limit: 2)])
                    $0.echo = .known(.init(blocked: "low on disk"))
                }
            ),
            ("undeliverable", ["warning undeliverable"], { $0.undeliverable = .known(undeliverable(.seconds(7200))) }),
            ("undeliverable long ago", [], { $0.undeliverable = .known(undeliverable(.seconds(90_000))) }),
            ("told", [], { $0.receivers = .known([receiver(isHeld: true)]) }),
            ("not held", ["problem notify"], { $0.receivers = .known([receiver(isHeld: false)]) }),
            ("fails", ["warning notify"], { $0.receivers = .known([receiver(failing: .seconds(5))]) }),
            (
                "one of two fails for long", ["problem notify"],
                { $0.receivers = .known([receiver(isHeld: true), receiver(failing: .seconds(500))]) }
            ),
            ("MQTT closed", ["problem mqtt"], { $0.protocols = .known(["amqp", "http"]) }),
            ("another MQTT_URL", ["warning mqtt"], { $0.mqtt = .failed("h:1: connection refused") }),
            (
                "listeners not shown", ["not_checked mqtt"],
                {
                    $0.protocols = .known(nil)
                    $0.mqtt = .notAsked(because: "management")
                }
            ),
            (
                "MQTT does not answer", ["problem mqtt"],
                {
                    $0.protocols = .known(nil)
                    $0.mqtt = .failed("h:1883: connection refused")
                }
            ),
            (
                "no bindings, and so no MQTT", ["problem bindings"],
                {
                    $0.protocols = .known(["amqp"])
                    $0.bindings = .known([])
                }
            ),
            ("full", ["problem disk"], { $0.disks = .known([.init(node: "n", free: 1, limit: 2)]) }),
            ("nearly full", ["warning disk"], { $0.disks = .known([.init(node: "n", free: 3, limit: 2)]) }),
            ("cut", ["warning disk"], { $0.cutBytes = .known(1_000_000) }),
            (
                "another node is full", ["problem disk"],
                {
                    $0.disks = .known([.init(node: "a", free: 100, limit: 2), .init(node: "b", free: 1, limit: 2)])
                }
            ),
        ]
        for (name, wanted, fault) in faults {
            let facts = changed(fault)
            #expect(complaints(facts) == wanted, "\(name)")
            #expect(facts.diagnosis.isHealthy == !wanted.contains { $0.hasPrefix("problem") }, "\(name)")
            for finding in facts.diagnosis.findings where finding.result != .ok {
                #expect(finding.fix?.isEmpty == false, "\(name)")
            }
        }
    }

    private func receiver(isHeld: Bool = true, failing: Duration? = nil) -> ReceiverRecord {
        ReceiverRecord(
            name: "ops", kind: "webhook", isHeld: isHeld, failing: failing, lastError: failing.map { _ in "500" },
            waiting: 3)
    }

    private func undeliverable(_ age: Duration) -> UndeliverableRecord {
        UndeliverableRecord(messages: 3, newestAge: age, stream: "measurements.1")
    }

    @Test func aClosedMQTTNamesWhatIsNotUp() {
        let facts = changed {
            $0.protocols = .known(["amqp"])
            $0.down = .known((0..<5).map { "measurements.\($0) in /" })
        }
        let finding = facts.diagnosis.findings.first { $0.check == "mqtt" }
        #expect(
            finding?.text == "MQTT is closed until these are up: measurements.0 in /, measurements.1 in /, "
                + "measurements.2 in / and 2 more")
    }

    @Test func theSchemaIsComparedBothWays() {
        func state(_ change: (inout Migrations.State) -> Void) -> [String] {
            var state = Migrations.State()
            change(&state)
            return complaints(changed { $0.schema = .known(state) })
        }
        #expect(state { $0.missing = [5] } == ["problem migrations"])
        #expect(state { $0.changed = [1] } == ["problem migrations"])
        #expect(state { $0.functions = ["chart"] } == ["problem migrations"])
        #expect(state { $0.newer = [99] } == ["warning migrations"])
        #expect(state { $0.hasNewerFunctions = true } == ["warning migrations"])
    }

    @Test func queuesTellWhetherServicesRun() {
        let unread = DoctorFacts.Item(presence: .there)
        #expect(complaints(changed { setQueue("registry", unread, &$0) }) == ["problem sensor-registry"])
        #expect(complaints(changed { setQueue("alarms", unread, &$0) }) == ["problem sensor-registry"])
        #expect(complaints(changed { setQueue("logs", unread, &$0) }) == ["problem logs-ingester"])
        let waiting = DoctorFacts.Item(presence: .there, messages: 3, consumers: 1)
        #expect(complaints(changed { setQueue("unrouted", waiting, &$0) }) == ["warning unrouted"])
        let stuck = DoctorFacts.Item(presence: .there, messages: 3)
        #expect(
            complaints(changed { setQueue("dead_letters", stuck, &$0) })
                == ["problem sensor-registry"])
    }

    @Test func policiesMustBeInForce() {
        func without(_ name: String, _ change: (inout ManagementAPI.Queue.Definition) -> Void) -> [String] {
            complaints(
                changed { facts in
                    var queues = facts.policies.value ?? []
                    for index in queues.indices where queues[index].name == name {
                        var definition = queues[index].effectivePolicyDefinition ?? .init()
                        change(&definition)
                        queues[index].effectivePolicyDefinition = definition
                    }
                    facts.policies = .known(queues)
                })
        }
        #expect(without("registry") { $0.deadLetterExchange = nil } == ["problem policies"])
        #expect(without("alarms") { $0.overflow = "drop-head" } == ["problem policies"])
        #expect(without("logs") { $0.overflow = "drop-head" } == [])
        #expect(without("measurements.1") { $0.maxLengthBytes = nil } == ["problem policies"])
        #expect(without("alarms.stream") { $0.maxLengthBytes = nil } == ["problem policies"])
        #expect(without("unrouted") { $0.maxLengthBytes = nil } == ["warning policies"])
    }

    /// In a queue's first seconds its figures name no policy, and after a change the one before.
    @Test func policiesAreThoseOfNow() {
        func queue(_ name: String, _ policy: String?, _ exchange: String?) -> ManagementAPI.Queue {
            ManagementAPI.Queue(
                name: name, policy: policy, effectivePolicyDefinition: .init(deadLetterExchange: exchange))
        }
        let figures = [
            ManagementAPI.Queue(name: "new"), queue("changed", "old", "there"), queue("bare", "old", "there"),
            queue("same", "mine", "changed by an operator"), queue("gone", "old", "there"),
        ]
        let updated = ManagementAPI.Queue.updated(
            figures, policyNames: ["new": "mine", "changed": "mine", "bare": nil, "same": "mine"],
            [
                .init(name: "other", definition: .init()),
                .init(name: "mine", definition: .init(deadLetterExchange: "x")),
            ])
        #expect(updated.map(\.name) == figures.map(\.name))
        #expect(updated.map(\.policy) == ["mine", "mine", nil, "mine", "old"])
        #expect(
            updated.map { $0.effectivePolicyDefinition?.deadLetterExchange }
                == ["x", "x", nil, "changed by an operator", "there"])
    }

    @Test func lagIsHeldAgainstRetention() {
        func lag(_ reading: DoctorFacts.Stream, management: Bool = true) -> [String] {
            complaints(
                changed { facts in
                    facts.readings["measurements.0"] = .known(reading)
                    if !management { facts.policies = .notAsked(because: "management") }
                }
            ).filter { $0.contains("lag") }
        }
        let week = 7 * 86_400.0
        #expect(lag(.init(first: 10, oldestUnreadSeconds: 2, oldestUnread: 100)) == [])
        #expect(lag(.init(first: 10, oldestUnreadSeconds: 61, oldestUnread: 100)) == ["warning lag"])
        #expect(lag(.init(first: 10, oldestUnreadSeconds: week * 0.81, oldestUnread: 100)) == ["problem lag"])
        #expect(
            lag(.init(first: 10, oldestUnreadSeconds: week, oldestUnread: 100), management: false) == ["warning lag"])
        // Dropped before it was stored; a single offset may be the broker's own.
        #expect(lag(.init(first: 102, oldestUnreadSeconds: 1, oldestUnread: 102)) == ["problem lag"])
        #expect(lag(.init(first: 101, oldestUnreadSeconds: 1, oldestUnread: 101)) == [])
        // An empty stream.
        #expect(lag(.init()) == [])
        let unread = changed { $0.readings["measurements.1"] = .failed("403 read access refused") }
        #expect(complaints(unread) == ["problem lag"])
    }

    @Test func offsetsAreReadFromTheMiddleOfTheWay() {
        let begun = Timestamp(unixMilliseconds: 1000)
        let ended = Timestamp(unixMilliseconds: 1200)
        let same = DoctorFacts.ClockOffset(
            of: Timestamp(unixMilliseconds: 1100), between: begun, and: ended, resolution: 0)
        #expect(abs(same.seconds) < 1e-9 && abs(same.uncertainty - 0.1) < 1e-9)
        let ahead = DoctorFacts.ClockOffset(
            of: Timestamp(unixMilliseconds: 6100), between: begun, and: ended, resolution: 0.002)
        #expect(abs(ahead.seconds - 5.001) < 1e-9 && abs(ahead.uncertainty - 0.101) < 1e-9)
    }

    @Test(arguments: [
        (0.0004, "0 ms"), (0.012, "12 ms"), (0.9996, "1.0 s"), (3.44, "3.4 s"), (300, "5 min"), (7200, "2.0 h"),
        (259_200, "3.0 d"),
    ])
    func spansAreShort(_ seconds: Double, _ text: String) {
        #expect(DoctorFacts.format(seconds) == text)
    }

    /// What takes too long is given up, and its later result is ignored.
    @Test func waitingHasAnEnd() async throws {
        #expect(try await within(.seconds(20)) { 7 } == 7)
        await #expect(throws: TimedOut.self) {
            try await within(.milliseconds(20)) { try await Task.sleep(for: .seconds(600)) }
        }
        struct Mine: Error {}
        await #expect(throws: Mine.self) { try await within(.seconds(20)) { throw Mine() } }
    }
}

extension PartitionRecord {
    /// A partition of that stream, which the owner holds for some seconds more.
    init(
        _ stream: String, owner: String? = nil, committed: Int64?, age: Duration? = nil,
        leaseLeft: Duration = .seconds(4)
    ) {
        self.init(
            stream: stream, incarnation: 1, owner: owner, epoch: 1, leaseLeft: owner == nil ? nil : leaseLeft,
            committedOffset: committed, committedAt: nil, committedAge: age, at: Timestamp(unixMilliseconds: 0))
    }
}
