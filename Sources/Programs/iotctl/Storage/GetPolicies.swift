internal import ArgumentParser
internal import Model
internal import Records
internal import Store
internal import Time

/// `iotctl get policies`
struct GetPolicies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "Lists how long each kind of data is kept, and whether retention works.",
        discussion: """
            Examples:
              iotctl get policies
              iotctl get policies -o json | jq '.[] | select(.overdue_s > 86400).tier'

            OLDEST is the date of the oldest datum. NEXT DROP is when the policy lets the
            oldest data be dropped; samples, rollups, positions and logs go by whole
            chunks, so that their youngest row decides. OVERDUE is for how long NEXT DROP
            has been past: hours mean a job that has yet to run, days a job that does not
            work. SET BY: default, config (the registry's configuration) or iotctl. iotctl
            set policies changes policies.
            """,
        aliases: ["policy"])

    @OptionGroup var output: ListOptions

    func run() async throws {
        try await perform {
            let policies = try await Connections().store().policies()
            try output.show(policies, name: \.tier.rawValue, view: { PolicyView($0) }) { _ in
                PolicyRecord.table(policies)
            }
        }
    }
}

extension PolicyRecord {
    static func table(_ policies: [PolicyRecord]) -> Table {
        Table(
            columns: [
                .text("TIER"), .number("KEEP"), .number("COLUMNSTORE"), .text("SET BY"), .text("OLDEST"),
                .text("NEXT DROP"), .number("OVERDUE"),
            ], expendable: ["SET BY", "NEXT DROP", "OLDEST"],
            rows: policies.map { policy in
                [
                    Cell(policy.tier.rawValue), Cell(policy.keep?.short ?? "forever"),
                    Cell(policy.tier.hasColumnstore ? policy.columnstoreAfter?.short ?? "never" : nil),
                    // 80 columns are enough for the table.
                    Cell(policy.source == "configuration" ? "config" : policy.source),
                    Cell(policy.oldest?.text(.day)), Cell(policy.dropAt?.text(.day)),
                    Cell(
                        policy.overdue > .zero ? policy.overdue.short : nil,
                        policy.isOverdue ? .bad : .plain),
                ]
            })
    }
}
