internal import Foundation
internal import Pipelines
internal import Yams

/// Named connections, as contexts.yaml holds them.
struct Contexts: Codable, Equatable {
    /// What a context may say.
    static let variables = ["AMQP_URL", "MQTT_URL", "DATABASE_URL", "MANAGEMENT_URL"]

    /// The one that is used where nobody chooses.
    var current: String?
    /// The URLs of each by the name of their variable, passwords included.
    var contexts: [String: [String: String]] = [:]

    /// None.
    init() {}

    /// Reads the file's text.
    /// - Throws: `Failure` if it is no such file; without its content, which is secret.
    init(yaml: String, of path: String) throws {
        if yaml.allSatisfy(\.isWhitespace) { return }
        guard let contexts = try? YAMLDecoder().decode(Contexts.self, from: yaml) else {
            throw Failure(ExitStatus.failed, "\(path) is not what iotctl context add writes")
        }
        self = contexts
    }

    /// As the file's text.
    func yaml() throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        return try encoder.encode(self)
    }

    /// All names, in order.
    var names: [String] { contexts.keys.sorted() }

    /// The URLs of a context.
    /// - Throws: `Failure` with `notFound`, naming what may have been meant.
    func urls(of name: String) throws -> [String: String] {
        if let urls = contexts[name] { return urls }
        let proposals = DidYouMean.proposals(for: name, among: names)
        let hint =
            proposals.isEmpty ? "iotctl context ls shows them" : "did you mean \(proposals.joined(separator: " or "))?"
        throw Failure(ExitStatus.notFound, "no context \(name); \(hint)")
    }

    /// Whether a context may be called so: 1 to 64 of A-Z a-z 0-9 _ . -, a letter or digit first.
    static func isName(_ name: String) -> Bool {
        name.utf8.count <= 64 && name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.-]*/) != nil
    }

    /// Reads lines like `AMQP_URL=amqp://…`, as a shell's environment file has them.
    /// - Returns: what is ours, and the names of what is not.
    /// - Throws: `Failure` naming the line that is none.
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

    /// The URL with `***` for its secrets.
    static func masked(_ url: String) -> String {
        guard var parts = URLComponents(string: url), parts.scheme != nil else { return "***" }
        if parts.password != nil { parts.password = "***" }
        // libpq takes secrets as parameters too.
        parts.queryItems = parts.queryItems?.map { item in
            item.name.contains("password") ? URLQueryItem(name: item.name, value: "***") : item
        }
        return parts.string?.replacing("%2A%2A%2A", with: "***") ?? "***"
    }
}

/// Which context holds, and what comes of it together with the environment.
struct ContextChoice {
    /// Where a URL comes from.
    enum Source: Equatable {
        /// The environment, which wins.
        case environment
        /// The context.
        case context
        /// Nobody said anything.
        case standard
    }

    /// The context; nil: none.
    let name: String?
    /// What the settings are read from.
    let environment: [String: String]
    /// By name of variable.
    let sources: [String: Source]

    /// - Parameter option: what `--context` says; then IOTCTL_CONTEXT decides, then the file's current one.
    /// - Throws: `Failure` if there is no such context.
    init(of option: String?, _ environment: [String: String], _ contexts: Contexts) throws {
        let variable = environment["IOTCTL_CONTEXT"].flatMap { $0.isEmpty ? nil : $0 }
        name = option ?? variable ?? contexts.current
        let urls = try name.map { try contexts.urls(of: $0) } ?? [:]
        var merged = environment
        var sources: [String: Source] = [:]
        for variable in Contexts.variables {
            let isSet = ["", "_FILE"].contains { environment[variable + $0]?.isEmpty == false }
            if isSet {
                sources[variable] = .environment
            } else if let url = urls[variable] {
                merged[variable] = url
                sources[variable] = .context
            } else {
                sources[variable] = .standard
            }
        }
        self.environment = merged
        self.sources = sources
    }
}
