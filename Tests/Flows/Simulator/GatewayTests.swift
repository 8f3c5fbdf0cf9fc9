import Broker
import Model
import Simulation
import Testing
import Wire

@testable import Simulator

@Suite struct GatewayTests {
    private func gateway(_ count: Int) throws -> Gateway {
        let name = try #require(SerialNumber("g"))
        return Gateway(name: name, serials: try (1...count).map { try #require(SerialNumber("g--\($0)")) })
    }

    @Test func commandsFindTheirSensor() throws {
        let gateway = try gateway(3)
        #expect(gateway.queue.name == "gateway_g")
        #expect(gateway.recipient(of: "sensor_g--1.commands.sleep")?.sensor == 0)
        let third = gateway.recipient(of: "sensor_g--3.alarms.trigger")
        #expect(third?.sensor == 2 && third?.subject == .alarm(.trigger))
        for key in [
            "sensor_g--4.commands.sleep", "sensor_g.commands.sleep", "sensor_h--1.commands.sleep",
            "sensor_g--1.commands", "sensor_g--1.commands.a.b", "",
        ] {
            #expect(gateway.recipient(of: key) == nil, "\(key)")
        }
    }

    @Test func aLargeOneHasOneBinding() throws {
        #expect(
            try gateway(2).bindings.map(\.key) == [
                "sensor_g--1.commands.#", "sensor_g--1.alarms.#", "sensor_g--2.commands.#", "sensor_g--2.alarms.#",
            ])
        #expect(try gateway(Gateway.bindingsMax).bindings.count == 2 * Gateway.bindingsMax)
        #expect(try gateway(Gateway.bindingsMax + 1).bindings.map(\.key) == ["*.commands.#"])
    }

    @Test func itsSensorsHaveItsName() throws {
        func plan(_ prefix: String) -> SensorPlan {
            SensorPlan(
                count: 2, kinds: [], recordings: [], recordingHertz: nil, prefix: prefix, sendsCounts: false,
                samplesPerFrameMax: nil, frameMilliseconds: 100, seed: 1, isGateway: true)
        }
        #expect(try plan("g").configurations().map(\.serial.text) == ["g--0001", "g--0002"])
        #expect(try plan("g").gatewayName().text == "g")
        for name in ["", "a b", "a--b", String(repeating: "a", count: 65)] {
            #expect(throws: (any Error).self) { try plan(name).gatewayName() }
        }
    }
}
