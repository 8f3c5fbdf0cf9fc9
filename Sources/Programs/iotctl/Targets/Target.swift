internal import ArgumentParser
internal import Postgres
internal import Records
internal import Service
internal import Store

/// `iotctl target …`
struct Target: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "target",
        abstract: "Manages targets: the machines that sensors are mounted on.",
        discussion: """
            Examples:
              iotctl target add press-1 --description "Hall 3, left"
              iotctl target assign press-1 lab-1 lab-2
              iotctl target unassign lab-2
              iotctl target rm press-1
              iotctl get sensors -l target=press-1
            """,
        subcommands: [TargetAdd.self, TargetAssign.self, TargetUnassign.self, TargetRemove.self])

    /// The failure for a target that does not exist; it proposes similar names.
    static func notFound(_ name: String, in store: StoreConnection) async throws -> Failure {
        let proposals = DidYouMean.proposals(for: name, among: try await store.targetNames())
        let hint =
            proposals.isEmpty ? "iotctl target add creates it" : "did you mean \(proposals.joined(separator: " or "))?"
        return Failure(ExitStatus.notFound, "no target \(name); \(hint)")
    }

    /// Prints the sensors' assignments in the order of the serials (docs/iotctl-json.md, "assignment").
    static func show(_ serials: [String], _ moved: Set<String>, on target: String?, _ output: OutputOptions) throws {
        let views = serials.map { AssignmentView(sensor: $0, target: target, isChanged: moved.contains($0)) }
        try output.show(views) { wide, style in
            let table = Table(
                columns: [.name("SENSOR"), .name("TARGET"), .text("CHANGED")],
                rows: views.map { [Cell($0.sensor), Cell($0.target), Cell($0.isChanged ? "yes" : "no")] })
            return table.text(wide: wide, style)
        }
    }
}
