internal import ArgumentParser
internal import Pipelines
internal import Store

extension CompletionKind {
    /// Serial numbers of sensors.
    static var sensors: CompletionKind {
        .custom { words, _, prefix in await names(words) { try await $0.serials(startingWith: prefix) } }
    }

    /// Names of targets.
    static var targets: CompletionKind {
        .custom { words, _, prefix in await names(words) { try await $0.targets(startingWith: prefix) } }
    }

    /// Names of contexts.
    static var contexts: CompletionKind {
        .custom { _, _, _ in (try? ContextFile.standard.read())?.names ?? [] }
    }

    /// How long a shell waits at most.
    private static let patience: Duration = .seconds(1)

    /// What the database knows, or nothing: somebody who presses Tab wants no complaints.
    private static func names(
        _ words: [String], _ read: @escaping @Sendable (StoreConnection) async throws -> [String]
    ) async -> [String] {
        let context = ContextOption.taken(from: words).name
        let names = try? await within(patience) {
            try await Connections.$chosenContext.withValue(context) {
                try await read(try Connections().store())
            }
        }
        return names ?? []
    }
}
