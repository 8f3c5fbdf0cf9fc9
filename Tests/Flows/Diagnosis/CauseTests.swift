import Broker
import Messaging
import Model
import Testing
import Time
import Wire

@testable import Diagnosis
@testable import Store

/// One cause is one problem with one fix, whatever follows from it.
@Suite struct CauseTests {
    private static let server = ServerRecord(
        version: "17.5", versionNumber: 170_005, timescale: "2.19.3", license: "apache",
        now: Timestamp(unixMilliseconds: 0))

    /// The facts where only the database answers, and all is stored.
    private func database() -> DoctorFacts {
        var facts = DoctorFacts()
        facts.brokerPlace = "amqp://iot@h:5672 vhost /"
        facts.user = "iot"
        facts.databasePlace = "postgresql://iot@h/iot"
        facts.managementPlace = "http://h:15672"
        facts.server = .known(Self.server)
        facts.databaseOffset = .init(seconds: 0, uncertainty: 0.001)
        facts.schema = .known(Migrations.State())
        facts.partitionCount = .known(1)
        facts.partitions = .known([PartitionRecord("measurements.0", owner: "a", committed: 9)])
        facts.replicas = .known(["a"])
        facts.quarantined = .known(0)
        facts.undeliverable = .known(.init())
        facts.receivers = .known([])
        facts.upkeep = .known(
            StoreUpkeep(rollups: RollupLag(seconds: 100, lateRows: 0), policies: [], forecast: StorageForecast([])))
        return facts
    }

    private func problems(_ facts: DoctorFacts) -> [Finding] {
        facts.diagnosis.groups.map(\.root).filter { $0.result != .ok }
    }

    @Test func aStoppedBrokerIsOneProblem() throws {
        var facts = database()
        facts.broker = .failed("connection refused")
        facts.protocols = .failed("http://h:15672: connection refused")
        let problems = problems(facts)
        #expect(problems.map(\.check) == ["broker"], "\(problems)")
        #expect(problems[0].text == "amqp://iot@h:5672 vhost /: connection refused")
        #expect(problems[0].fix == "start RabbitMQ, or correct AMQP_URL: iotctl context show")
        let followers = try #require(facts.diagnosis.groups.first).followers
        #expect(followers.allSatisfy { $0.result == .notChecked })
        for check in ["publishes", "queues", "management", "disk", "lag", "sensor-registry", "mqtt"] {
            #expect(followers.contains { $0.check == check }, "\(check)")
        }
        #expect(!followers.contains { $0.check == "ingesters" || $0.check == "quarantine" })
    }

    @Test func aRunningBrokerAtAnotherPortIsNotStarted() {
        var facts = database()
        facts.broker = .failed("connection refused")
        facts.protocols = .known(["amqp", "mqtt"])
        #expect(
            problems(facts).first { $0.check == "broker" }?.fix?.hasPrefix("correct host and port in AMQP_URL") == true)
    }

    @Test(arguments: [
        (
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN",
            "correct the user and the password"
        ),
        ("NOT_ALLOWED - vhost nope not found", "correct the virtual host"),
        ("NOT_ALLOWED - access to vhost '/' refused for user 'iot'", "rabbitmqctl set_permissions"),
    ])
    func aRefusedLoginIsOneProblem(_ text: String, _ fix: String) {
        var facts = database()
        facts.broker = .failed(text)
        facts.brokerRefusal = BrokerRefusal(text)
        // The management API answers, and knows neither bindings nor permissions of that virtual host or user.
        facts.protocols = .known(["amqp", "mqtt"])
        facts.policies = .failed("404")
        facts.bindings = .known([])
        facts.permission = .known(nil)
        facts.disks = .known([.init(node: "n", free: 10, limit: 1)])
        #expect(problems(facts).map(\.check) == ["broker"])
        #expect(problems(facts).first?.fix?.hasPrefix(fix) == true)
        // The same password in MANAGEMENT_URL.
        facts.protocols = .failed("GET overview: 401")
        facts.isManagementRefused = true
        let isLogin = facts.brokerRefusal == .login
        #expect(problems(facts).map(\.check) == (isLogin ? ["broker"] : ["broker", "management"]))
    }

    @Test(arguments: [
        ("password authentication failed for user \"iot\"", "correct the user and the password in DATABASE_URL"),
        ("role \"iot\" does not exist", "correct the user and the password in DATABASE_URL"),
        ("database \"x\" does not exist", "correct the database at the end of DATABASE_URL"),
        ("no pg_hba.conf entry for host \"10.0.0.9\"", "admit this machine"),
        ("permission denied for database \"iot\"", "as a superuser: GRANT CONNECT"), (nil, "start PostgreSQL"),
    ])
    func aDatabaseThatCannotBeUsedIsOneProblem(_ refusal: String?, _ fix: String) {
        var facts = DoctorFacts()
        facts.broker = .known("RabbitMQ 4.0.5")
        facts.echo = .known(.init(offset: .init(seconds: 0, uncertainty: 0.001)))
        facts.access = .known(true)
        let topology = Topology.sensorStreaming(partitions: 0)
        facts.exchanges = topology.exchanges.map { ($0.name, .known(.init(presence: .there))) }
        // Services that wait for the database read nothing, and messages wait.
        facts.queues = topology.queues.map { ($0.name, .known(.init(presence: .there, messages: 3))) }
        facts.managementPlace = nil
        facts.mqtt = .known(true)
        facts.server = .failed("postgresql://iot@h:5432/iot: \(refusal ?? "connection refused")")
        facts.databaseRefusal = refusal.map { DatabaseRefusal($0) }
        #expect(problems(facts).map(\.check) == ["database", "management"], "\(problems(facts))")
        #expect(problems(facts).first?.fix?.hasPrefix(fix) == true, "\(problems(facts))")
    }

    @Test func whereNothingIsSetTheVariablesAreNamed() {
        var facts = DoctorFacts()
        facts.unset = ["AMQP_URL", "DATABASE_URL", "MANAGEMENT_URL", "MQTT_URL"]
        facts.broker = .failed("connection refused")
        facts.server = .failed("connection refused")
        let problems = problems(facts)
        #expect(problems.map(\.check) == ["settings", "management"], "\(problems)")
        #expect(problems[0].fix?.contains("AMQP_URL=") == true && problems[0].fix?.contains("context add") == true)
        // One of the two answers: only the other is a problem.
        facts.server = .known(Self.server)
        facts.schema = .known(Migrations.State())
        let half = self.problems(facts).first { $0.check == "broker" }
        #expect(half?.text.contains("(the default)") == true && half?.fix?.hasPrefix("set AMQP_URL=") == true)
    }

    @Test func anEmptySystemNeedsTheRegistry() {
        var facts = DoctorFacts()
        facts.broker = .known("RabbitMQ 4.0.5")
        facts.exchanges = [("sensor_streaming", .known(.init(presence: .missing)))]
        facts.queues = [(Routing.registryQueue, .known(.init(presence: .missing)))]
        facts.server = .known(Self.server)
        var schema = Migrations.State()
        schema.missing = [1, 2]
        facts.schema = .known(schema)
        let problems = problems(facts).filter { $0.result == .problem }
        #expect(problems.map(\.check) == ["exchanges"], "\(problems)")
        #expect(problems.first?.fix == "start sensor-registry: it creates what is missing")
    }

    private func finding(_ check: String, _ result: Finding.Verdict, because cause: String? = nil) -> Finding {
        Finding(check: check, result: result, text: check, fix: nil, cause: cause)
    }

    @Test func groupsFollowTheChainOfCauses() {
        let diagnosis = Diagnosis(
            findings: [
                finding("a", .ok), finding("b", .notChecked, because: "c"), finding("c", .notChecked, because: "d"),
                finding("d", .problem), finding("e", .warning), finding("f", .notChecked, because: "a"),
                finding("g", .notChecked, because: "nothing"), finding("h", .notChecked, because: "i"),
                finding("i", .notChecked, because: "h"),
            ], isAnybodyThere: true)
        let groups = diagnosis.groups
        // Problems first; a cause that is ok, missing or a circle is none.
        #expect(groups.map(\.root.check) == ["d", "e", "f", "g", "h", "i", "a"])
        #expect(groups[0].followers.map(\.check) == ["b", "c"])
        #expect(groups.dropFirst().allSatisfy { $0.followers.isEmpty })
        #expect(groups.reduce(0) { $0 + 1 + $1.followers.count } == diagnosis.findings.count)
    }
}
