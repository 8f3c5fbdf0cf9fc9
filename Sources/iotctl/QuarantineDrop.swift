internal import ArgumentParser
internal import Foundation
internal import Pipelines
internal import Store

/// `iotctl quarantine drop`
struct QuarantineDrop: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Deletes payloads in quarantine for good.",
        discussion: """
            Examples:
              iotctl quarantine drop 17 18
              iotctl quarantine drop --reason undecodable --sensor lab-1 --yes
              iotctl quarantine drop --all --dry-run

            Asks before it deletes; without a terminal --yes is needed.
            """)

    /// Which.
    @OptionGroup var selection: QuarantineSelection

    /// Don't ask.
    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    /// Only say it.
    @Flag(help: "Delete nothing; say what would be.")
    var dryRun = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Deletes them.
    func run() async throws {
        try await perform {
            let store = try Connections().store()
            var ids: [Int64] = []
            try await selection.forEachPage(in: store) { ids += $0.map(\.id) }
            if !ids.isEmpty, !dryRun { try confirm(ids.count) }
            var dropped = 0
            if !dryRun {
                for start in stride(from: 0, to: ids.count, by: QuarantineSelection.pageMax) {
                    let page = ids[start..<min(start + QuarantineSelection.pageMax, ids.count)]
                    dropped += try await store.dropQuarantined(Array(page))
                }
            }
            let value = Value.record([
                "dropped": .integer(Int64(dropped)), "ids": .list(ids.map { .integer($0) }), "dry_run": .flag(dryRun),
            ])
            try output.show(value) { _, _ in
                dryRun ? "\(ids.count) would be dropped\n" : "\(dropped) dropped\n"
            }
        }
    }

    private func confirm(_ count: Int) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(ExitStatus.usage, "\(count) would be deleted for good; without a terminal that needs --yes")
        }
        try? FileHandle.standardError.write(contentsOf: Data("Delete \(count) payloads for good? [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased()) else {
            throw Failure(ExitStatus.failed, "nothing deleted")
        }
    }
}
