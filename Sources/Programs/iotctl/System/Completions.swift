internal import ArgumentParser
internal import Postgres
internal import Store
internal import Support

extension CompletionKind {
    /// Serial numbers of sensors.
    static var sensors: CompletionKind {
        .custom { words, _, prefix in await names(words) { try await $0.serials(startingWith: prefix) } }
    }

    /// Names of targets.
    static var targets: CompletionKind {
        .custom { words, _, prefix in await names(words) { try await $0.targets(startingWith: prefix) } }
    }

    /// Names of alarm rules.
    static var rules: CompletionKind {
        .custom { words, _, prefix in await names(words) { try await $0.ruleNames(startingWith: prefix) } }
    }

    /// Names of contexts.
    static var contexts: CompletionKind {
        .custom { _, _, _ in (try? ContextFile.standard.read())?.names ?? [] }
    }

    /// Timeout of the database's answer.
    private static let timeout: Duration = .seconds(1)

    /// The names in the database; none if it does not answer: a completion prints no errors.
    private static func names(
        _ words: [String], _ read: @escaping @Sendable (StoreConnection) async throws -> [String]
    ) async -> [String] {
        let context = ContextOption.taken(from: words).name
        let names = try? await within(timeout) {
            try await Connections.$chosenContext.withValue(context) {
                try await read(try Connections(isQuiet: true).store())
            }
        }
        return names ?? []
    }
}
