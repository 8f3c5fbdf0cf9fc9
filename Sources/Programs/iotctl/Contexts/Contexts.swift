internal import Endpoint
internal import Foundation
internal import Service
internal import Yams

/// Named connections, as contexts.yaml holds them.
struct Contexts: Codable, Equatable {
    /// The variables that a context may set.
    static let variables = Endpoint.Kind.allCases.map(\.variable)

    /// The name of the context in use; nil: none.
    var current: String?
    /// The URLs of each context by variable, passwords included.
    var contexts: [String: [String: String]] = [:]

    /// No contexts.
    init() {}

    /// Reads the file's text.
    /// - Throws: `Failure` if the text is not a file of contexts. The text, which is secret, is not part of the message.
    init(yaml: String, of path: String) throws {
        if yaml.allSatisfy(\.isWhitespace) { return }
        guard let contexts = try? YAMLDecoder().decode(Contexts.self, from: yaml) else {
            throw Failure(ExitStatus.failed, "not a file of contexts: \(path); iotctl context add writes one")
        }
        self = contexts
    }

    /// The file's text.
    func yaml() throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        return try encoder.encode(self)
    }

    /// All names, in order.
    var names: [String] { contexts.keys.sorted() }

    /// The URLs of a context.
    /// - Throws: `Failure` with `notFound`, which proposes similar names.
    func urls(of name: String) throws -> [String: String] {
        if let urls = contexts[name] { return urls }
        let proposals = DidYouMean.proposals(for: name, among: names)
        let hint =
            proposals.isEmpty ? "iotctl context ls lists them" : "did you mean \(proposals.joined(separator: " or "))?"
        throw Failure(ExitStatus.notFound, "no context \(name); \(hint)")
    }

    /// Whether a text is a valid name: 1 to 64 of A-Z a-z 0-9 _ . -, a letter or digit first.
    static func isName(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.-]*/) != nil
    }

    /// Reads lines like `AMQP_URL=amqp://…`, as a shell's environment file has them.
    /// - Returns: the URLs by variable, and the names of other variables.
    /// - Throws: `Failure` with the number of a line that is not NAME=value.
    static func parse(lines text: String) throws -> (urls: [String: String], ignored: [String]) {
        var urls: [String: String] = [:]
        var ignored: [String] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("export ") { line = String(line.dropFirst("export ".count)) }
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                throw Failure(ExitStatus.usage, "line \(index + 1) is not NAME=value")
            }
            let name = String(line[..<equals])
            var value = line[line.index(after: equals)...]
            for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = value.dropFirst().dropLast()
                break
            }
            guard variables.contains(name) else {
                ignored.append(name)
                continue
            }
            urls[name] = String(value)
        }
        return (urls, ignored)
    }

    /// The URLs of a context as `text` shows them, by the names of their variables.
    func texts(of name: String, _ text: (String, String) -> String) -> [String: String] {
        let urls = contexts[name] ?? [:]
        return Dictionary(uniqueKeysWithValues: urls.map { ($0.key, text($0.value, $0.key)) })
    }

    /// The endpoint of a URL that a context contains; nil if the URL can't be read, for example because an editor changed
    /// the file.
    static func endpoint(_ url: String, _ variable: String) -> Endpoint? {
        Endpoint.Kind(variable: variable).flatMap { try? Endpoint(url, $0) }
    }

    /// The URL of a variable with `***` for its password, or instead of a URL that can't be read.
    static func masked(_ url: String, _ variable: String) -> String { endpoint(url, variable)?.masked ?? "***" }
}

/// The source of each URL. The first of these that sets a URL wins:
///
/// 1. the context that `--context` names,
/// 2. the environment,
/// 3. the context in use: the one that IOTCTL_CONTEXT names, else that of `iotctl context use`,
/// 4. the default on this machine.
struct ContextChoice {
    /// The source of a URL.
    enum Source: Equatable {
        /// The environment.
        case environment
        /// The context, named by `--context` or in use.
        case context
        /// The default.
        case standard
    }

    /// The context; nil: none.
    let name: String?
    /// The environment from which the settings are read.
    let environment: [String: String]
    /// The source by variable.
    let sources: [String: Source]
    /// Notices for standard error, one line each.
    let notices: [String]

    /// - Parameter option: what `--context` says; then IOTCTL_CONTEXT decides, then the file's current one.
    /// - Throws: `Failure` if there is no such context.
    init(of option: String?, _ environment: [String: String], _ contexts: Contexts) throws {
        let variable = environment["IOTCTL_CONTEXT"].flatMap { $0.isEmpty ? nil : $0 }
        name = option ?? variable ?? contexts.current
        let urls = try name.map { try contexts.urls(of: $0) } ?? [:]
        var merged = environment
        var sources: [String: Source] = [:]
        var overridden: [String] = []
        var foreign: [String] = []
        for variable in Contexts.variables {
            let isSet = ["", "_FILE"].contains { environment[variable + $0]?.isEmpty == false }
            switch (urls[variable], isSet) {
            case (let url?, false): (merged[variable], sources[variable]) = (url, .context)
            case (let url?, true) where option != nil: (merged[variable], sources[variable]) = (url, .context)
            case (let url?, true):
                sources[variable] = .environment
                if environment[variable] != url { overridden.append(variable) }
            case (nil, true):
                sources[variable] = .environment
                if option != nil { foreign.append(variable) }
            case (nil, false): sources[variable] = .standard
            }
        }
        self.environment = merged
        self.sources = sources
        notices = Self.notices(name ?? "", overridden, foreign)
    }

    private static func notices(_ name: String, _ overridden: [String], _ foreign: [String]) -> [String] {
        func from(_ variables: [String]) -> String {
            "\(variables.joined(separator: ", ")) \(variables.count == 1 ? "comes" : "come") from the environment"
        }
        var notices: [String] = []
        if !overridden.isEmpty {
            notices.append(
                "context \(name) is in use, but \(from(overridden)); --context \(name) overrides the environment")
        }
        if !foreign.isEmpty { notices.append("context \(name) does not set every URL: \(from(foreign))") }
        return notices
    }

    /// The longest line that names the installation, with the program's name before it, in characters.
    static let noticeColumns = 80

    /// The line that names the installation before a command acts on it; nil if it is the default one of this machine.
    ///
    /// "acting on 127.0.0.1:18853/%2f, 127.0.0.1:18432/iot (environment)". Long addresses lose their middles.
    /// - Parameters:
    ///   - broker: hosts and virtual host.
    ///   - database: hosts and database.
    func notice(broker: String, database: String) -> String? {
        let servers = [("AMQP_URL", broker), ("DATABASE_URL", database)]
        if servers.allSatisfy({ sources[$0.0] == .standard }) { return nil }
        var origins = servers.map { variable, _ in
            switch sources[variable] {
            case .context: " (context \((name ?? "").cutInside(to: 16)))"
            case .environment: " (environment)"
            case .standard, nil: " (default)"
            }
        }
        if origins[0] == origins[1] { origins[0] = "" }
        let rest = "iotctl: acting on , ".count + origins[0].count + origins[1].count
        let room = Self.noticeColumns - rest
        let first = broker.cutInside(to: max(room / 2, room - database.count))
        let second = database.cutInside(to: room - first.count)
        return "acting on \(first)\(origins[0]), \(second)\(origins[1])"
    }
}
