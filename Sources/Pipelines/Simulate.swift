internal import ArgumentParser
internal import Foundation
internal import Simulation

/// Virtual sensors ▶ outbox ▶ link ▶ broker, and commands on the way back.
public enum Simulate {
    /// How the sensors reach the broker.
    public enum Transport: String, Sendable, CaseIterable {
        /// A connection for each sensor.
        case mqtt
        /// Connections that the sensors share, with a command queue for each sensor.
        case amqp
        /// One connection and one command queue for all: a gateway that speaks for its sensors.
        case gateway
    }

    /// When frames are made.
    public enum Pace: Sendable, Equatable {
        /// When their last sample has been taken.
        case byTheClock
        /// As soon as there is room for them, from so long ago on; nil: as long as the wanted frames take, or an hour.
        /// Sensors that have caught up with the present go on by the clock.
        case unpaced(start: Duration?)
    }

    /// What to simulate.
    public struct Plan: Sendable {
        /// The sensors.
        public var sensors: SensorPlan
        /// How they reach the broker.
        public var transport: Transport
        /// Connections over AMQP; other transports have as many as they need.
        public var connections: Int
        /// When to stop; nil: never.
        public var duration: Duration?
        /// After how many frames each sensor stops; nil: never.
        public var framesMax: Int64?
        /// Most bytes that wait for the broker.
        public var outboxBytesMax: Int
        /// When frames are made.
        public var pace: Pace
        /// What to do to the frames on purpose, as `FaultPlan` reads it; nil: nothing.
        public var fault: String?

        /// That plan.
        public init(
            sensors: SensorPlan, transport: Transport, connections: Int = 1, duration: Duration?, framesMax: Int64?,
            outboxBytesMax: Int,
            pace: Pace = .byTheClock, fault: String? = nil
        ) {
            self.sensors = sensors
            self.transport = transport
            self.connections = connections
            self.duration = duration
            self.framesMax = framesMax
            self.outboxBytesMax = outboxBytesMax
            self.pace = pace
            self.fault = fault
        }
    }

    /// The parts of sensor-simulator.
    public static func parts(_ context: ServiceContext, _ plan: Plan) throws -> [Part] {
        FileDescriptors.raiseLimit()
        let faults = try faultPlan(plan.fault)
        let configurations = try plan.sensors.configurations()
        let serials = configurations.map(\.serial)
        let link: any SensorLink
        switch plan.transport {
        case .mqtt: link = MQTTLink(context.settings.mqtt, serials: serials, logger: context.logger)
        case .amqp:
            let sensorsMax = AMQPLane.sensorsMax * plan.connections
            guard serials.count <= sensorsMax else {
                throw ValidationError(
                    "at most \(AMQPLane.sensorsMax) sensors for each of --connections \(plan.connections) over AMQP, "
                        + "\(serials.count) are wanted; --transport gateway takes 100,000")
            }
            link = AMQPLink(context, serials: serials, connections: plan.connections)
        case .gateway:
            link = AMQPLink(
                context, serials: serials, connections: 1,
                gateway: Gateway(name: try plan.sensors.gatewayName(), serials: serials))
        }
        let simulator = Simulator(context, plan, configurations, faults, link)
        return [
            Part {
                let report = await simulator.run()
                try FileHandle.standardOutput.write(contentsOf: report.json())
                guard report.isComplete else { throw ExitStatus.failed }
            }
        ]
    }

    /// - Throws: `ValidationError` that names the option and what is wrong with it.
    static func faultPlan(_ text: String?) throws -> FaultPlan? {
        do throws(FaultPlan.Fault) { return try text.map { text throws(FaultPlan.Fault) in try FaultPlan(text) } } catch
        {
            throw ValidationError("--fault \(error)")
        }
    }
}
