internal import ArgumentParser
internal import Foundation
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl command cancel ID…`
struct CommandCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels commands that have not ended; the registry does not send them again.",
        discussion: """
            Examples:
              iotctl command cancel 6fa459ea
              iotctl get commands --state queued -o json | jq -r '.[].id' | \\
                xargs iotctl command cancel

            A sensor may still execute a copy that it has received or that the broker
            holds. Its answer then appears in iotctl get commands.

            Exit codes: 0 cancelled; 1 a command had already ended; 2 no such command.
            """)

    @Argument(help: ArgumentHelp("Ids of commands, or prefixes of them.", valueName: "id"))
    var ids: [String]

    @OptionGroup var output: OutputOptions

    /// Cancels all of the commands, or none if one of them does not exist.
    func run() async throws {
        try await perform {
            let store = try Connections().acting().store()
            let found = try await Self.find(ids, in: store)
            let process = ProcessInfo.processInfo
            let results = try await store.cancelCommands(
                found, reason: "cancelled by \(process.userName)@\(process.hostName)")
            try output.show(results.map(CancellationView.init)) { wide, style in
                Self.table(results, wide: wide).text(wide: wide, style)
            }
            try Self.end(results)
        }
    }

    /// The complete ids.
    /// - Throws: `Failure`, which names all commands that do not exist.
    private static func find(_ ids: [String], in store: StoreConnection) async throws -> [String] {
        var found: [String] = []
        var unknown = Failure(ExitStatus.notFound)
        for id in ids {
            do {
                found.append(try await store.requireCommand(id).id)
            } catch let failure as Failure where failure.status == ExitStatus.notFound {
                unknown.lines += failure.lines
            }
        }
        if !unknown.lines.isEmpty { throw unknown }
        return found
    }

    private static func end(_ results: [Cancellation]) throws {
        if results.contains(where: \.isDone) {
            Talk.say(
                "a sensor may still run a copy that it or the broker holds; its answer appears in iotctl get commands")
        }
        var failure = Failure(ExitStatus.failed)
        failure.lines = results.filter { !$0.isDone }.map {
            "\($0.command.id) had already ended: \($0.command.state)"
        }
        if !failure.lines.isEmpty { throw failure }
    }

    private static func table(_ results: [Cancellation], wide: Bool) -> Table {
        let ids = results.map(\.command.id).shortened
        return Table(
            columns: [.text("ID"), .name("SENSOR"), .text("COMMAND"), .text("STATE")],
            rows: results.map {
                [
                    Cell(wide ? $0.command.id : ids[$0.command.id]), Cell($0.command.serial), Cell($0.command.name),
                    Cell(word: $0.command.state),
                ]
            })
    }
}
