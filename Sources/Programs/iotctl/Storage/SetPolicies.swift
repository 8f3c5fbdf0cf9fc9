internal import ArgumentParser
internal import Model
internal import Postgres
internal import Records
internal import Service
internal import Store
internal import Time

/// `iotctl set policies TIER=DURATION…`
struct SetPolicies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "Changes how long data are kept, and when they are compressed.",
        discussion: """
            Examples:
              iotctl set policies measurement=30d sensor_log=14d
              iotctl set policies measurement_1d=forever
              iotctl set policies measurement.columnstore=1d alarm=365d
              iotctl set policies measurement=10d --dry-run

            Older data are dropped within a minute on TimescaleDB's Apache edition, within
            the hour on the community edition, whole chunks at a time, and cannot be
            restored. So a policy that would drop data now must be confirmed. .columnstore
            is the age at which a chunk is compressed (community edition), or never. Data
            cannot be dropped before it is compressed: that is refused.

            A policy that sensor-registry's configuration sets (POLICIES, --policy) is
            changed there.
            """,
        aliases: ["policy"])

    @Argument(help: ArgumentHelp("Policies as iotctl get policies lists them.", valueName: "tier=duration"))
    var words: [String]

    @OptionGroup var confirmation: Confirmation

    @Flag(help: "Only say which data would be dropped.")
    var dryRun = false

    @OptionGroup var output: OutputOptions

    private func changes() throws(PolicyChange.Unreadable) -> [PolicyChange] {
        try words.map { word throws(PolicyChange.Unreadable) in
            try PolicyChange(word, duration: Duration.init(commandLine:))
        }
    }

    func validate() throws {
        do { _ = try changes() } catch { throw ValidationError(error.description) }
    }

    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().acting(unless: dryRun).store()
            let present = try await store.policies(readingOldest: false)
            do {
                try PolicyContradiction.check(changes, on: present.map { ($0.tier, $0.keep, $0.columnstoreAfter) })
            } catch let error as PolicyContradiction { throw Failure(ExitStatus.usage, error.description) }
            let goes = try await Self.loss(by: changes, on: present, in: store)
            if !goes.isEmpty, !dryRun { try confirmation.require(for: "delete \(goes.joined(separator: ", "))") }
            if dryRun {
                Talk.say(
                    "dry run: \(goes.isEmpty ? "nothing" : goes.joined(separator: ", ")) would be dropped; nothing was changed"
                )
            } else {
                do { try await store.set(policies: changes) } catch let error as PolicyConfigured {
                    throw Failure(ExitStatus.failed, error.description)
                }
            }
            let policies = try await store.policies().filter { record in changes.contains { $0.tier == record.tier } }
            try output.show(policies.map(PolicyView.init)) { wide, style in
                PolicyRecord.table(policies).text(wide: wide, style)
            }
        }
    }

    /// The chunks and rows that the changes drop and the present policies keep.
    private static func loss(
        by changes: [PolicyChange], on present: [PolicyRecord], in store: StoreConnection
    ) async throws -> [String] {
        let now = try await store.server().now
        let today = Dictionary(present.map { ($0.tier, $0.keep) }, uniquingKeysWith: { $1 })
        var words: [String] = []
        for change in changes where change.aspect == .keep {
            guard let keep = change.duration else { continue }
            if let before = today[change.tier] ?? nil, before <= keep { continue }
            let edge = now.advanced(bySeconds: -keep.components.seconds)
            let count = try await store.countEnding(before: edge, in: change.tier)
            let unit = change.tier.isChunked ? "chunk" : "row"
            if count > 0 { words.append("\(count) \(unit)\(count == 1 ? "" : "s") of \(change.tier.rawValue)") }
        }
        return words
    }
}
