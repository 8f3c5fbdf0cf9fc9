internal import ArgumentParser
internal import Foundation
internal import Pipelines
internal import Store

/// `iotctl target rm NAME`
struct TargetRemove: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Takes a machine away; its sensors stay, on none.",
        discussion: """
            Examples:
              iotctl target rm press-1
              iotctl target rm press-1 --yes
            """)

    /// Which.
    @Argument(help: "The machine's name.", completion: .targets)
    var name: String

    /// Don't ask.
    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Takes it away.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            guard let count = try await store.sensorCount(onTarget: name) else {
                throw try await Target.notFound(name, in: store)
            }
            if count > 0 { try Terminal.confirm("take \(name) away from under \(count.sensors)", yes: yes) }
            guard let sensors = try await store.removeTarget(name) else {
                throw try await Target.notFound(name, in: store)
            }
            let value = Value.record(["target": .text(name), "sensors": .integer(Int64(sensors))])
            try output.show(value) { _, _ in "target \(name) removed, \(sensors.sensors) on none now\n" }
        }
    }
}
