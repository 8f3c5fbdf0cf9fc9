internal import ArgumentParser
internal import Foundation
internal import Simulation

/// Virtual sensors ▶ outbox ▶ link ▶ broker, and commands on the way back.
public enum Simulate {
    /// How the sensors reach the broker.
    public enum Transport: String, Sendable, CaseIterable {
        /// A connection for each sensor.
        case mqtt
        /// One connection for all.
        case amqp
    }

    /// What to simulate.
    public struct Plan: Sendable {
        /// The sensors.
        public var sensors: SensorPlan
        /// How they reach the broker.
        public var transport: Transport
        /// When to stop; nil: never.
        public var duration: Duration?
        /// After how many frames each sensor stops; nil: never.
        public var framesMax: Int64?
        /// Most bytes that wait for the broker.
        public var outboxBytesMax: Int
        /// What to do to the frames on purpose, as `FaultPlan` reads it; nil: nothing.
        public var fault: String?

        /// That plan.
        public init(
            sensors: SensorPlan, transport: Transport, duration: Duration?, framesMax: Int64?, outboxBytesMax: Int,
            fault: String? = nil
        ) {
            self.sensors = sensors
            self.transport = transport
            self.duration = duration
            self.framesMax = framesMax
            self.outboxBytesMax = outboxBytesMax
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
            guard serials.count <= AMQPLink.sensorsMax else {
                throw ValidationError("at most \(AMQPLink.sensorsMax) sensors over AMQP, \(serials.count) are wanted")
            }
            link = AMQPLink(context, serials: serials)
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
