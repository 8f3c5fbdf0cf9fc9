internal import Foundation

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// RabbitMQ's management API: what AMQP has no words for.
struct ManagementAPI: Sendable {
    /// It did not do what was asked.
    struct Trouble: Error, CustomStringConvertible {
        let description: String
    }

    /// A node's disk.
    struct Node: Decodable, Sendable {
        var name: String
        var diskFree: Int64?
        var diskFreeLimit: Int64?
    }

    /// A queue or stream, as far as the guard looks at it.
    struct Queue: Decodable, Sendable {
        /// What holds for it: its policy, and the operator's.
        struct Definition: Decodable, Sendable {
            var maxAge: String?
            var maxLengthBytes: Int64?
            var segmentBytes: Int64?
            var deadLetterExchange: String?
            var overflow: String?

            private enum CodingKeys: String, CodingKey {
                case overflow
                case deadLetterExchange = "dead-letter-exchange"
                case maxAge = "max-age"
                case maxLengthBytes = "max-length-bytes"
                case segmentBytes = "stream-max-segment-size-bytes"
            }
        }

        var name: String
        var type: String?
        var messages: Int64?
        var segments: Int64?
        /// The name of its policy.
        var policy: String?
        var effectivePolicyDefinition: Definition?
    }

    /// A policy's name and what it says.
    struct Policy: Decodable, Sendable {
        var name: String
        var definition: Queue.Definition
    }

    /// A policy that overrules others for what it names.
    struct OperatorPolicy: Codable, Sendable {
        var pattern: String
        var definition: [String: Int64]
        var priority: Int
        var applyTo: String

        private enum CodingKeys: String, CodingKey {
            case pattern, definition, priority
            case applyTo = "apply-to"
        }
    }

    /// A way from an exchange to a queue or another exchange.
    struct Binding: Decodable, Sendable, Hashable {
        var source: String
        var destination: String
        var routingKey: String
    }

    /// What a user may do: patterns of names.
    struct Permission: Decodable, Sendable, Equatable {
        var configure: String
        var write: String
        var read: String
    }

    private let base: URL
    private let login: String
    private let virtualHost: String
    private let session: URLSession

    /// - Parameter url: `http://user:password@host:15672`.
    init?(url: String, virtualHost: String) {
        guard var parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme), parts.host != nil else {
            return nil
        }
        login = Data("\(parts.user ?? "guest"):\(parts.password ?? "guest")".utf8).base64EncodedString()
        parts.user = nil
        parts.password = nil
        parts.path = ""
        guard let base = parts.url else { return nil }
        self.base = base
        self.virtualHost = Self.escaped(virtualHost)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 10
        session = URLSession(configuration: configuration)
    }

    /// The nodes of the cluster.
    func nodes() async throws -> [Node] { try await get("nodes?columns=name,disk_free,disk_free_limit") }

    /// The queues and streams of the virtual host.
    func queues() async throws -> [Queue] {
        try await get("queues/\(virtualHost)?columns=name,type,messages,segments,policy,effective_policy_definition")
    }

    /// The queues and streams with the policies that hold for them now. What `queues` says of policies is among their
    /// figures: those are up to 5 s old, and in its first 10 s a queue has none.
    func queuesWithPolicies() async throws -> [Queue] {
        let queues = try await queues()
        let named: [Queue] = try await get(
            "queues/\(virtualHost)?disable_stats=true&enable_queue_totals=true&columns=name,policy")
        let names = Dictionary(named.map { ($0.name, $0.policy) }, uniquingKeysWith: { first, _ in first })
        if queues.allSatisfy({ names[$0.name] == $0.policy }) { return queues }
        let policies: [Policy] = try await get("policies/\(virtualHost)?columns=name,definition")
        return Queue.updated(queues, policyNames: names, policies)
    }

    /// The bindings that leave an exchange.
    func bindings(from exchange: String) async throws -> [Binding] {
        try await list("exchanges/\(virtualHost)/\(Self.escaped(exchange))/bindings/source")
    }

    /// The bindings that reach an exchange.
    func bindings(to exchange: String) async throws -> [Binding] {
        try await list("exchanges/\(virtualHost)/\(Self.escaped(exchange))/bindings/destination")
    }

    /// The bindings that reach a queue.
    func bindings(toQueue queue: String) async throws -> [Binding] {
        try await list("queues/\(virtualHost)/\(Self.escaped(queue))/bindings")
    }

    /// What a user may do in the virtual host; nil if it has no rights there.
    func permission(of user: String) async throws -> Permission? {
        let (status, data) = try await request("GET", "permissions/\(virtualHost)/\(Self.escaped(user))", nil)
        return status == 404 ? nil : try decode(data, "permission")
    }

    /// An operator policy of the virtual host; nil if there is none of that name.
    func operatorPolicy(_ name: String) async throws -> OperatorPolicy? {
        let (status, data) = try await request("GET", "operator-policies/\(virtualHost)/\(Self.escaped(name))", nil)
        return status == 404 ? nil : try decode(data, "operator policy")
    }

    /// Makes or changes an operator policy.
    func set(_ policy: OperatorPolicy, named name: String) async throws {
        let body = try JSONEncoder().encode(policy)
        _ = try await request("PUT", "operator-policies/\(virtualHost)/\(Self.escaped(name))", body)
    }

    /// Deletes an operator policy, if it is there.
    func removeOperatorPolicy(_ name: String) async throws {
        _ = try await request("DELETE", "operator-policies/\(virtualHost)/\(Self.escaped(name))", nil)
    }

    /// Nothing where there is no such thing.
    private func list<Element: Decodable>(_ path: String) async throws -> [Element] {
        let (status, data) = try await request("GET", path, nil)
        return status == 404 ? [] : try decode(data, path)
    }

    private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
        let (status, data) = try await request("GET", path, nil)
        guard status != 404 else { throw Trouble(description: "GET \(path): 404") }
        return try decode(data, path)
    }

    private func decode<Answer: Decodable>(_ data: Data, _ what: String) throws -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do { return try decoder.decode(Answer.self, from: data) } catch {
            throw Trouble(description: "\(what): not what was expected: \(error)")
        }
    }

    /// - Returns: the answer with its status: any of 2xx, or 404.
    private func request(_ method: String, _ path: String, _ body: Data?) async throws -> (status: Int, body: Data) {
        guard let url = URL(string: "\(base.absoluteString)/api/\(path)") else { throw Trouble(description: path) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body
        request.setValue("Basic \(login)", forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let answer: (Data, URLResponse)
        do { answer = try await session.data(for: request) } catch {
            throw Trouble(description: "\(method) \(path): \(error.localizedDescription)")
        }
        guard let status = (answer.1 as? HTTPURLResponse)?.statusCode, (200..<300).contains(status) || status == 404
        else {
            let status = (answer.1 as? HTTPURLResponse)?.statusCode ?? 0
            throw Trouble(
                description: "\(method) \(path): \(status) \(String(decoding: answer.0.prefix(200), as: UTF8.self))")
        }
        return (status, answer.0)
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_.")))
            ?? text
    }
}

extension ManagementAPI.Queue {
    /// Queues whose figures may name another policy than the one that holds for them by now.
    static func updated(_ queues: [Self], policyNames: [String: String?], _ policies: [ManagementAPI.Policy]) -> [Self]
    {
        queues.map { queue in
            guard let name = policyNames[queue.name], name != queue.policy else { return queue }
            var queue = queue
            queue.policy = name
            queue.effectivePolicyDefinition = policies.first { $0.name == name }?.definition
            return queue
        }
    }
}
