internal import ArgumentParser
internal import Foundation
internal import Pipelines
internal import Store

/// `iotctl command cancel ID…`
struct CommandCancel: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels commands that have not ended: they are not sent again.",
        discussion: """
            Examples:
              iotctl command cancel 6fa459ea
              iotctl get commands lab-1 --state queued -o json | jq -r '.[].id' | xargs iotctl command cancel

            A copy that waits at the broker, or that the sensor has, may still be run. The
            sensor's answer would then show in get commands.
            Exit codes: 0 cancelled; 1 one had ended already; 2 no such command.
            """)

    /// Which.
    @Argument(help: "Their ids, or the beginnings of them.")
    var ids: [String]

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Cancels them. If one of them is not there nothing is cancelled.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            let found = try await Self.find(ids, in: store)
            let process = ProcessInfo.processInfo
            let results = try await store.cancelCommands(
                found, reason: "cancelled by \(process.userName)@\(process.hostName)")
            try output.show(.list(results.map(Self.value))) { wide, style in
                Self.table(results, wide: wide).text(wide: wide, style)
            }
            try Self.end(results)
        }
    }

    /// The whole ids.
    /// - Throws: `Failure`, which names all that there are not.
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
            Talk.say("a copy at the broker or at the sensor may still be run; its answer would show in get commands")
        }
        var failure = Failure(ExitStatus.failed)
        failure.lines = results.filter { !$0.isDone }.map {
            "\($0.command.id) had ended already: \($0.command.state)"
        }
        if !failure.lines.isEmpty { throw failure }
    }

    /// docs/iotctl-json.md, "cancellation".
    private static func value(_ result: Cancellation) -> Value {
        .record([
            "id": .text(result.command.id), "sensor": .text(result.command.serial),
            "command": .text(result.command.name), "cancelled": .flag(result.isDone),
            "state": .text(result.command.state),
        ])
    }

    private static func table(_ results: [Cancellation], wide: Bool) -> Table {
        let ids = results.map(\.command.id).shortened
        return Table(
            columns: [.text("ID"), .long("SENSOR"), .text("COMMAND"), .text("STATE")],
            rows: results.map {
                [
                    Cell(wide ? $0.command.id : ids[$0.command.id]), Cell($0.command.serial), Cell($0.command.name),
                    Cell(word: $0.command.state),
                ]
            })
    }
}
