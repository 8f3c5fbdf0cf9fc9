internal import ArgumentParser
internal import Records
internal import Store

/// `iotctl target rm NAME`
struct TargetRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Removes a target. Its sensors stay, without a target.",
        discussion: """
            Examples:
              iotctl target rm press-1
              iotctl target rm press-1 --yes
            """)

    @Argument(help: "The target's name.", completion: .targets)
    var name: String

    @OptionGroup var confirmation: Confirmation

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().acting().store()
            guard let count = try await store.sensorCount(onTarget: name) else {
                throw try await Target.notFound(name, in: store)
            }
            if count > 0 { try confirmation.require(for: "remove \(name), which has \(count.sensors)") }
            guard let sensors = try await store.removeTarget(name) else {
                throw try await Target.notFound(name, in: store)
            }
            try output.show(RemovedTargetView(target: name, sensors: sensors)) { _, _ in
                "target \(name) removed; \(sensors.sensors) without a target\n"
            }
        }
    }
}
