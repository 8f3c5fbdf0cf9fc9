internal import ArgumentParser
internal import Foundation
public import Service
internal import Simulation
internal import Support

/// Virtual sensors ▶ outbox ▶ link ▶ broker, and commands in the opposite direction.
public enum Simulate {
    /// How the sensors reach the broker.
    public enum Transport: String, Sendable, CaseIterable {
        /// MQTT with a connection for each sensor.
        case mqtt
        /// AMQP with connections that the sensors share, and a command queue for each sensor.
        case amqp
        /// AMQP with one connection and one command queue for all sensors: a gateway.
        case gateway
    }

    /// When frames are produced.
    public enum Pace: Sendable, Equatable {
        /// A frame is produced when its last sample has been taken.
        case byTheClock
        /// Frames are produced as soon as the outbox has room, beginning this long ago; nil: as long ago as the
        /// requested frames take, or an hour. Sensors that have caught up with the present continue by the clock.
        case unpaced(start: Duration?)
    }

    /// The parameters of a simulation.
    public struct Plan: Sendable {
        /// The sensors.
        public var sensors: SensorPlan
        /// How they reach the broker.
        public var transport: Transport
        /// The number of AMQP connections; the other transports open as many as they need.
        public var connections: Int
        /// How long to run; nil: without a limit.
        public var duration: Duration?
        /// The number of frames after which each sensor stops; nil: no limit.
        public var framesMax: Int64?
        /// The maximum number of bytes that wait for the broker.
        public var outboxBytesMax: Int
        /// When frames are produced.
        public var pace: Pace
        /// Faults to inject into the frames, as `FaultPlan` parses them; nil: none.
        public var fault: String?
        /// What the sensors capture around their alarms; nil: nothing.
        public var captures: CapturePlan?

        /// A plan with these parameters.
        public init(
            sensors: SensorPlan, transport: Transport, connections: Int = 1, duration: Duration?, framesMax: Int64?,
            outboxBytesMax: Int,
            pace: Pace = .byTheClock, fault: String? = nil, captures: CapturePlan? = nil
        ) {
            self.sensors = sensors
            self.transport = transport
            self.connections = connections
            self.duration = duration
            self.framesMax = framesMax
            self.outboxBytesMax = outboxBytesMax
            self.pace = pace
            self.fault = fault
            self.captures = captures
        }
    }

    /// The parts of sensor-simulator.
    public static func parts(_ context: Runtime, _ plan: Plan) throws -> [Component] {
        FileDescriptors.raiseLimit()
        let faults = try faultPlan(plan.fault)
        let configurations = try plan.sensors.configurations()
        let serials = configurations.map(\.serial)
        let link: any SensorLink
        switch plan.transport {
        case .mqtt: link = try MQTTLink(context.settings.mqtt, serials: serials, logger: context.logger)
        case .amqp:
            let sensorsMax = AMQPLane.sensorsMax * plan.connections
            guard serials.count <= sensorsMax else {
                throw ValidationError(
                    "at most \(AMQPLane.sensorsMax) sensors for each of --connections \(plan.connections) over AMQP, "
                        + "\(serials.count) were requested; --transport gateway takes 100,000")
            }
            link = AMQPLink(context, serials: serials, connections: plan.connections)
        case .gateway:
            link = AMQPLink(
                context, serials: serials, connections: 1,
                gateway: Gateway(name: try plan.sensors.gatewayName(), serials: serials))
        }
        let simulator = Simulator(context, plan, configurations, faults, link)
        return [
            Component {
                let report = await simulator.run()
                try StandardOutput.write(report.json())
                guard report.isComplete else { throw ExitStatus.failed }
            }
        ]
    }

    /// - Throws: `ValidationError` that names the option and the fault.
    static func faultPlan(_ text: String?) throws -> FaultPlan? {
        do throws(FaultPlan.Fault) { return try text.map { text throws(FaultPlan.Fault) in try FaultPlan(text) } } catch
        {
            throw ValidationError("--fault \(error)")
        }
    }
}
