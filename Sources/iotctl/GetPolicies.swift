internal import ArgumentParser
internal import Sensors
internal import Store

/// `iotctl get policies`
struct GetPolicies: AsyncParsableCommand {
    /// Help.
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "Lists how long what is kept, and whether that is so.",
        discussion: """
            Examples:
              iotctl get policies
              iotctl get policies -o json | jq '.[] | select(.overdue_s > 86400).tier'

            OLDEST is when the oldest of it may go: a row's time, or the end of the oldest chunk.
            OVERDUE is for how long that should have been gone: hours are a job that has yet to
            run, days one that does not work. iotctl set policies changes them.
            """,
        aliases: ["policy"])

    /// How to print.
    @OptionGroup var output: OutputOptions

    /// Prints them.
    func run() async throws {
        try await perform {
            let policies = try await Connections().store().policies()
            try output.show(.list(policies.map(\.value))) { wide, style in
                PolicyRecord.table(policies).text(wide: wide, style)
            }
        }
    }
}

extension PolicyRecord {
    /// As JSON (docs/iotctl-json.md, "policy").
    var value: Value {
        .record([
            "tier": .text(tier.rawValue), "keep_s": .seconds(keep), "columnstore_after_s": .seconds(columnstoreAfter),
            "source": .text(source), "oldest": .time(oldest), "overdue_s": .seconds(overdue),
        ])
    }

    /// For people.
    static func table(_ policies: [PolicyRecord]) -> Table {
        Table(
            columns: [
                .text("TIER"), .number("KEEP"), .number("COLUMNSTORE"), .text("SET BY"), .text("OLDEST"),
                .number("OVERDUE"),
            ],
            rows: policies.map { policy in
                [
                    Cell(policy.tier.rawValue), Cell(policy.keep?.short ?? "forever"),
                    Cell(policy.tier.hasColumnstore ? policy.columnstoreAfter?.short ?? "never" : nil),
                    Cell(policy.source), Cell(policy.oldest.map { String($0.description.prefix(10)) }),
                    Cell(
                        policy.overdue > .zero ? policy.overdue.short : nil,
                        policy.isOverdue ? .bad : .plain),
                ]
            })
    }
}
