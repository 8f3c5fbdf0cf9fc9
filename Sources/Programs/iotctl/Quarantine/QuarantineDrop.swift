internal import ArgumentParser
internal import Records
internal import Store

/// `iotctl quarantine drop`
struct QuarantineDrop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop",
        abstract: "Deletes payloads in quarantine permanently.",
        discussion: """
            Examples:
              iotctl quarantine drop 17 18
              iotctl quarantine drop --reason undecodable --sensor lab-1 --yes
              iotctl quarantine drop --all --dry-run
            """)

    @OptionGroup var selection: QuarantineSelection

    @OptionGroup var confirmation: Confirmation

    @Flag(help: "Delete nothing; show how many payloads would be deleted.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await perform {
            let store = try Connections().acting(unless: dryRun).store()
            var ids: [Int64] = []
            try await selection.forEachPage(in: store) { ids += $0.map(\.id) }
            if !ids.isEmpty, !dryRun { try confirmation.require(for: "delete \(ids.count.payloads) permanently") }
            var dropped = 0
            if !dryRun {
                for start in stride(from: 0, to: ids.count, by: QuarantineSelection.pageMax) {
                    let page = ids[start..<min(start + QuarantineSelection.pageMax, ids.count)]
                    dropped += try await store.dropQuarantined(Array(page))
                }
            }
            try output.show(DroppedPayloadsView(dropped: dropped, ids: ids, isDryRun: dryRun)) { _, _ in
                dryRun ? "\(ids.count) would be dropped\n" : "\(dropped) dropped\n"
            }
        }
    }
}

extension Int {
    /// "1 payload", "5 payloads".
    fileprivate var payloads: String { self == 1 ? "1 payload" : "\(self) payloads" }
}
