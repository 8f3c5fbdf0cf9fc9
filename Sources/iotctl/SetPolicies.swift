internal import ArgumentParser
internal import Pipelines
internal import Sensors
internal import Store

/// `iotctl set policies TIER=DURATION…`
struct SetPolicies: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "Changes how long what is kept, and when it is compressed.",
        discussion: """
            Examples:
              iotctl set policies measurement=30d sensor_log=7d
              iotctl set policies measurement_1d=forever
              iotctl set policies measurement.columnstore=1d alarm=365d
              iotctl set policies measurement=7d --dry-run

            What is older goes within a minute on TimescaleDB's Apache edition, within the hour on
            the community edition, whole chunks at a time, and does not come back. So a policy
            that would drop something now is only taken with --yes. .columnstore is the age at
            which a chunk is compressed (community edition), or never.

            What sensor-registry's own configuration says (POLICIES, --policy) is changed there.
            """,
        aliases: ["policy"])

    /// What to change.
    @Argument(help: ArgumentHelp("Policies as iotctl get policies lists them.", valueName: "tier=duration"))
    var words: [String]

    /// Whether to drop.
    @Flag(help: "Yes, drop what the new policy no longer keeps.")
    var yes = false

    /// Whether to do nothing.
    @Flag(help: "Only say what would go.")
    var dryRun = false

    /// How to print.
    @OptionGroup var output: OutputOptions

    private func changes() throws(PolicyChange.Unreadable) -> [PolicyChange] {
        try words.map { word throws(PolicyChange.Unreadable) in
            try PolicyChange(word, duration: Duration.init(commandLine:))
        }
    }

    /// Refuses what is no policy.
    func validate() throws {
        do { _ = try changes() } catch { throw ValidationError(error.description) }
    }

    /// Changes them.
    func run() async throws {
        try await perform {
            let changes = try changes()
            let store = try Connections().store()
            let goes = try await Self.loss(by: changes, in: store)
            if !goes.isEmpty, !dryRun, !yes {
                throw Failure(ExitStatus.failed, "this would drop \(goes.joined(separator: ", ")): add --yes")
            }
            if dryRun {
                Talk.say(
                    "dry run: \(goes.isEmpty ? "nothing" : goes.joined(separator: ", ")) would go, nothing was done")
            } else {
                do { try await store.set(policies: changes) } catch let error as PolicyConfigured {
                    throw Failure(ExitStatus.failed, error.description)
                }
            }
            let policies = try await store.policies().filter { record in changes.contains { $0.tier == record.tier } }
            try output.show(.list(policies.map(\.value))) { wide, style in
                PolicyRecord.table(policies).text(wide: wide, style)
            }
        }
    }

    /// What goes that today's policies would keep.
    private static func loss(by changes: [PolicyChange], in store: StoreConnection) async throws -> [String] {
        let now = try await store.server().now
        let today = Dictionary(try await store.policies().map { ($0.tier, $0.keep) }, uniquingKeysWith: { $1 })
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
