internal import ArgumentParser
internal import Pipelines
internal import Store

/// `iotctl target …`
struct Target: AsyncParsableCommand {
    /// Help and subcommands.
    static let configuration = CommandConfiguration(
        commandName: "target",
        abstract: "Puts sensors on machines.",
        discussion: """
            Examples:
              iotctl target add press-1 --description "Hall 3, left"
              iotctl target assign press-1 lab-1 lab-2
              iotctl target unassign lab-2
              iotctl target rm press-1
              iotctl get sensors -l target=press-1
            """,
        subcommands: [TargetAdd.self, TargetAssign.self, TargetUnassign.self, TargetRemove.self])

    /// What to say of a machine that there is not.
    static func notFound(_ name: String, in store: StoreConnection) async throws -> Failure {
        let proposals = DidYouMean.proposals(for: name, among: try await store.targetNames())
        let hint =
            proposals.isEmpty ? "iotctl target add makes one" : "did you mean \(proposals.joined(separator: " or "))?"
        return Failure(ExitStatus.notFound, "no target \(name); \(hint)")
    }

    /// Who went where, in the order of the serials (docs/iotctl-json.md, "assignment").
    static func show(_ serials: [String], _ moved: Set<String>, on target: String?, _ output: OutputOptions) throws {
        let values = serials.map { serial in
            Value.record([
                "sensor": .text(serial), "target": .text(target), "changed": .flag(moved.contains(serial)),
            ])
        }
        try output.show(.list(values)) { wide, style in
            let table = Table(
                columns: [.text("SENSOR"), .text("TARGET"), .text("CHANGED")],
                rows: serials.map { [Cell($0), Cell(target), Cell(moved.contains($0) ? "yes" : "no")] })
            return table.text(wide: wide, style)
        }
    }
}
