import Model
import Testing

@testable import Wire

@Suite struct RoutingTests {
    private static let subjects: [(Routing.Subject, String)] = [
        (.data, "data"), (.registry, "registry"), (.acks, "acks"), (.logs, "logs"),
        (.command("sleep"), "commands.sleep"),
        (.command("change_sample_frequency"), "commands.change_sample_frequency"), (.alarm(.trigger), "alarms.trigger"),
        (.alarm(.clear), "alarms.clear"),
    ]

    @Test(arguments: ["7", "plant-3_pump", "g--local"])
    func keysAndTopicsAreReadBack(text: String) throws {
        let serial = try #require(SerialNumber(text))
        for (subject, words) in Self.subjects {
            let key = Routing.key(serial, subject)
            let topic = Routing.topic(serial, subject)
            #expect(key == "sensor_\(text).\(words)")
            // RabbitMQ's MQTT plugin turns dots into slashes and back.
            #expect(String(topic.map { $0 == "/" ? "." : $0 }) == key)
            for parsed in [try Routing.parse(key: key), try Routing.parse(topic: topic)] {
                #expect(parsed.serial == serial && parsed.subject == subject)
            }
        }
    }

    @Test(arguments: [
        "", ".", "data", "sensor_1", "sensor_1.", "sensor_.data", "sensor.data", "Sensor_1.data", "sensor_1.dat",
        "sensor_1.Data", "sensor_1.data.x", "sensor_1.data.", ".sensor_1.data", "sensor_a.b.data", "sensor_1..data",
        "sensor_*.data", "sensor_#.data", "sensor_+.data", "#", "*.data", "sensor_1.#", "sensor_1.commands",
        "sensor_1.commands.a.b", "sensor_1.alarms", "sensor_1.alarms.raise", "sensor_1.alarms.trigger.x",
        "sensor_1/data",
        "sensor_ü.data", "sensor_1 .data", "gateway_g.data", "sensor_1.data\n",
    ])
    func otherKeysAreRefused(key: String) {
        #expect(throws: Rejection(.badSerial, "no sensor and subject in \(key)")) { try Routing.parse(key: key) }
    }

    @Test(arguments: [
        "sensor_1.data", "sensor_1/data/", "/sensor_1/data", "sensor_+/data", "sensor_1/#", "sensor_a.b/data",
    ])
    func otherTopicsAreRefused(topic: String) {
        #expect(throws: Rejection(.badSerial, "no sensor and subject in \(topic)")) { try Routing.parse(topic: topic) }
    }

    @Test func aLongKeyIsCutInTheText() {
        let key = String(repeating: "k", count: 1000)
        #expect(throws: Rejection(.badSerial, "no sensor and subject in \(key.prefix(256))")) {
            try Routing.parse(key: key)
        }
    }

    @Test func namesAreThoseOfTheDesign() throws {
        let serial = try #require(SerialNumber("7"))
        #expect(Routing.commandQueue(serial) == "sensor_7" && Routing.stream(3) == "measurements.3")
        #expect(Routing.topicFilters(serial) == ["sensor_7/commands/#", "sensor_7/alarms/#"])
    }
}
