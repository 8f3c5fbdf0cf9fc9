import Foundation
import Store
import TestSupport
import Testing

extension EndToEnd {
    /// What the documentation shows works as shown.
    @Suite struct Examples {
        /// The Python device of the documentation, as it stands.
        @Test func thePythonDeviceIsStored() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let script = TestServers.root.appending(path: "examples/device.py").path
                let device = try await system.run("/usr/bin/python3", [script, "py-1", "3"])
                #expect(device.status == 0, "\(device.errors)")
                try await eventually("its three readings of two channels are stored") {
                    try await system.number("SELECT count(*) FROM measurement WHERE boot_id IS NULL") == 6
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }

        /// The device that speaks protobuf: announced, numbered, and it obeys.
        @Test func theProtobufDeviceObeys() async throws {
            try await Services.with(replicas: 1) { services in
                let system = services.system
                let script = TestServers.root.appending(path: "examples/device_frames.py").path
                let compiled = try await system.run(
                    "/usr/bin/protoc",
                    ["--proto_path=\(TestServers.root.path)/proto", "--python_out=\(system.folder.path)"]
                        + ["command", "measurement", "registration"].map { "\($0).proto" })
                #expect(compiled.status == 0, "\(compiled.errors)")
                let environment = system.environment.merging(["PYTHONPATH": system.folder.path]) { _, new in new }
                let device = try Program(
                    "/usr/bin/python3", [script, "py-2", "60"], environment: environment,
                    log: system.folder.appending(path: "device.log"))
                defer { device.signal(SIGTERM) }
                do {
                    try await eventually("its frames are stored") {
                        guard device.isRunning else { throw TestServers.Trouble("it has ended") }
                        return try await system.number("SELECT coalesce(sum(frames), 0) FROM sensor_boot") >= 3
                    }
                } catch {
                    throw TestServers.Trouble("\(error); \(device.errors)\(device.output)")
                }
                let serial = try #require(
                    try await system.store.query("SELECT serial FROM sensor JOIN sensor_boot USING (sensor_id)")
                        .first?["serial"])
                let sleep = try await system.run("iotctl", ["sleep", serial])
                #expect(sleep.status == 0, "\(sleep.errors)")
                try await eventually("it sleeps") {
                    try await system.number("SELECT count(*) FROM sensor WHERE state = 'asleep'") == 1
                }
                #expect(try await system.number("SELECT count(*) FROM quarantine") == 0)
            }
        }
    }
}
