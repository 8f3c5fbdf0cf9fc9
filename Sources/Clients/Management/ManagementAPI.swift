public import Endpoint
internal import Foundation

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// A client of RabbitMQ's management API, for operations that AMQP does not offer.
public struct ManagementAPI: Sendable, CustomStringConvertible {
    /// A failed request.
    public struct RequestError: Error, CustomStringConvertible {
        /// The request and the API's answer, without secrets.
        public let description: String
        /// The HTTP status of the answer; nil if there was no answer, or an unreadable one.
        public let status: Int?

        fileprivate init(description: String, status: Int? = nil) {
            self.description = description
            self.status = status
        }
    }

    /// The part of the API's overview that the doctor reads.
    public struct Overview: Decodable, Sendable {
        /// A listener of the broker.
        public struct Listener: Decodable, Sendable {
            /// The protocol's name, such as "amqp", "mqtt" or "http".
            public var protocolName: String

            private enum CodingKeys: String, CodingKey {
                case protocolName = "protocol"
            }
        }

        /// The listeners of all nodes; nil: the user does not have the tag `monitoring`.
        public var listeners: [Listener]?
    }

    /// The disk of a node.
    public struct Node: Decodable, Sendable {
        /// The node's name.
        public var name: String
        /// Free bytes on the node's disk; nil: not known.
        public var diskFree: Int64?
        /// The node's `disk_free_limit`, in bytes: with less free space the broker blocks publishers.
        public var diskFreeLimit: Int64?
    }

    /// A queue or stream, with the fields that the services read.
    public struct Queue: Decodable, Sendable {
        /// The settings of a policy, or of a policy merged with the operator policy.
        public struct Definition: Decodable, Sendable {
            /// `max-age` of a stream, such as `7D`.
            public var maxAge: String?
            /// `max-length-bytes`.
            public var maxLengthBytes: Int64?
            /// `stream-max-segment-size-bytes`.
            public var segmentBytes: Int64?
            /// `dead-letter-exchange`.
            public var deadLetterExchange: String?
            /// `overflow`: the behaviour of a full queue.
            public var overflow: String?

            private enum CodingKeys: String, CodingKey {
                case overflow
                case deadLetterExchange = "dead-letter-exchange"
                case maxAge = "max-age"
                case maxLengthBytes = "max-length-bytes"
                case segmentBytes = "stream-max-segment-size-bytes"
            }
        }

        /// The queue's name.
        public var name: String
        /// `quorum`, `stream` or `classic`.
        public var type: String?
        /// The number of messages, some seconds old.
        public var messages: Int64?
        /// The number of segments of a stream on disk.
        public var segments: Int64?
        /// The name of the queue's policy.
        public var policy: String?
        /// The queue's policy merged with its operator policy.
        public var effectivePolicyDefinition: Definition?
    }

    /// A policy: its name and its settings.
    public struct Policy: Decodable, Sendable {
        /// The policy's name.
        public var name: String
        /// The policy's settings.
        public var definition: Queue.Definition
    }

    /// An operator policy, which takes precedence over a policy for the settings that it contains.
    public struct OperatorPolicy: Codable, Sendable {
        /// A regular expression for the names of the queues that the policy applies to.
        public var pattern: String
        /// The policy's settings.
        public var definition: [String: Int64]
        /// The priority: of several matching policies the one with the highest priority applies.
        public var priority: Int
        /// The kind of objects that the policy applies to: `queues`, `streams` …
        public var applyTo: String

        /// An operator policy for the names that match `pattern`.
        public init(pattern: String, definition: [String: Int64], priority: Int, applyTo: String) {
            self.pattern = pattern
            self.definition = definition
            self.priority = priority
            self.applyTo = applyTo
        }

        private enum CodingKeys: String, CodingKey {
            case pattern, definition, priority
            case applyTo = "apply-to"
        }
    }

    /// A binding of a queue or an exchange to a source exchange.
    public struct Binding: Decodable, Sendable, Hashable {
        /// The exchange that the messages come from.
        public var source: String
        /// The queue or exchange that receives them.
        public var destination: String
        /// The binding key: the pattern of routing keys.
        public var routingKey: String

        /// A binding of `destination` to `source` with that key.
        public init(source: String, destination: String, routingKey: String) {
            self.source = source
            self.destination = destination
            self.routingKey = routingKey
        }
    }

    /// A user's permissions: regular expressions for names of exchanges and queues.
    public struct Permission: Decodable, Sendable, Equatable {
        /// Names that the user may declare and delete.
        public var configure: String
        /// Names that the user may publish to.
        public var write: String
        /// Names that the user may read from.
        public var read: String
    }

    private let base: String
    private let login: String
    private let virtualHost: String
    private let session: URLSession

    /// A client of the API at `endpoint`.
    /// - Throws: `EndpointError` if the endpoint's identity for TLS is another than the system's.
    public init(_ endpoint: Endpoint, virtualHost: String) throws(EndpointError) {
        if endpoint.tls != Endpoint.TLS(mode: .verifyFull) { try endpoint.requirePlain() }
        login = Data("\(endpoint.user):\(endpoint.password.text)".utf8).base64EncodedString()
        base = "\(endpoint.scheme)://\(endpoint.place)/api"
        self.virtualHost = Self.escaped(virtualHost)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 10
        session = URLSession(configuration: configuration)
    }

    /// The API's address, without user and password.
    public var description: String { base }

    /// The overview of the cluster.
    public func overview() async throws -> Overview { try await get("overview") }

    /// The streams and queues that are not up, in all virtual hosts that the user may see: "measurements.2 in /".
    public func queuesThatAreDown() async throws -> [String] {
        struct Entry: Decodable {
            var name: String
            var vhost: String
            var state: String?
        }
        let entries: [Entry] = try await get("queues?columns=name,vhost,state")
        return entries.filter { ["down", "minority", "stopped", "crashed"].contains($0.state) }
            .map { "\($0.name) in \($0.vhost)" }.sorted()
    }

    /// The nodes of the cluster.
    public func nodes() async throws -> [Node] { try await get("nodes?columns=name,disk_free,disk_free_limit") }

    /// The queues and streams of the virtual host.
    public func queues() async throws -> [Queue] {
        try await get("queues/\(virtualHost)?columns=name,type,messages,segments,policy,effective_policy_definition")
    }

    /// The queues and streams with the policies that apply to them now. The policies in the answer of `queues` are part
    /// of the broker's statistics, which are up to 5 s old, and a queue has none in its first 10 s.
    public func queuesWithPolicies() async throws -> [Queue] {
        let queues = try await queues()
        let named: [Queue] = try await get(
            "queues/\(virtualHost)?disable_stats=true&enable_queue_totals=true&columns=name,policy")
        let names = Dictionary(named.map { ($0.name, $0.policy) }, uniquingKeysWith: { first, _ in first })
        if queues.allSatisfy({ names[$0.name] == $0.policy }) { return queues }
        let policies: [Policy] = try await get("policies/\(virtualHost)?columns=name,definition")
        return Queue.updated(queues, policyNames: names, policies)
    }

    /// The bindings that have the exchange as their source.
    public func bindings(from exchange: String) async throws -> [Binding] {
        try await list("exchanges/\(virtualHost)/\(Self.escaped(exchange))/bindings/source")
    }

    /// The bindings that have the exchange as their destination.
    public func bindings(to exchange: String) async throws -> [Binding] {
        try await list("exchanges/\(virtualHost)/\(Self.escaped(exchange))/bindings/destination")
    }

    /// The bindings that have the queue as their destination.
    public func bindings(toQueue queue: String) async throws -> [Binding] {
        try await list("queues/\(virtualHost)/\(Self.escaped(queue))/bindings")
    }

    /// A user's permissions in the virtual host; nil if the user has none there.
    public func permission(of user: String) async throws -> Permission? {
        let (status, data) = try await request("GET", "permissions/\(virtualHost)/\(Self.escaped(user))", nil)
        return status == 404 ? nil : try decode(data, "permission")
    }

    /// An operator policy of the virtual host; nil if no policy has that name.
    public func operatorPolicy(_ name: String) async throws -> OperatorPolicy? {
        let (status, data) = try await request("GET", "operator-policies/\(virtualHost)/\(Self.escaped(name))", nil)
        return status == 404 ? nil : try decode(data, "operator policy")
    }

    /// Creates or replaces an operator policy.
    public func set(_ policy: OperatorPolicy, named name: String) async throws {
        let body = try JSONEncoder().encode(policy)
        _ = try await request("PUT", "operator-policies/\(virtualHost)/\(Self.escaped(name))", body)
    }

    /// Deletes an operator policy, if it exists.
    public func removeOperatorPolicy(_ name: String) async throws {
        _ = try await request("DELETE", "operator-policies/\(virtualHost)/\(Self.escaped(name))", nil)
    }

    /// The elements at that path; empty if the API answers 404.
    private func list<Element: Decodable>(_ path: String) async throws -> [Element] {
        let (status, data) = try await request("GET", path, nil)
        return status == 404 ? [] : try decode(data, path)
    }

    private func get<Answer: Decodable>(_ path: String) async throws -> Answer {
        let (status, data) = try await request("GET", path, nil)
        guard status != 404 else { throw RequestError(description: "GET \(path): 404") }
        return try decode(data, path)
    }

    private func decode<Answer: Decodable>(_ data: Data, _ what: String) throws -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do { return try decoder.decode(Answer.self, from: data) } catch {
            throw RequestError(description: "\(what): unexpected answer: \(error)")
        }
    }

    /// - Returns: the status, 2xx or 404, and the body of the answer.
    private func request(_ method: String, _ path: String, _ body: Data?) async throws -> (status: Int, body: Data) {
        guard let url = URL(string: "\(base)/\(path)") else { throw RequestError(description: path) }
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body
        request.setValue("Basic \(login)", forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let answer: (Data, URLResponse)
        do { answer = try await session.data(for: request) } catch {
            throw RequestError(description: "\(description): \(Self.text(of: error))")
        }
        guard let status = (answer.1 as? HTTPURLResponse)?.statusCode else {
            throw RequestError(description: "\(description): the answer is not HTTP")
        }
        guard (200..<300).contains(status) || status == 404 else {
            let body = String(decoding: answer.0.prefix(200), as: UTF8.self)
            throw RequestError(description: "\(method) \(path): \(status) \(body)", status: status)
        }
        return (status, answer.0)
    }

    /// URLSession's own texts are whole sentences.
    private static func text(of error: any Error) -> String {
        guard let code = (error as? URLError)?.code else { return error.localizedDescription }
        return switch code {
        case .cannotConnectToHost: "connection refused"
        case .cannotFindHost, .dnsLookupFailed: "host not found"
        case .timedOut: "no answer within 10 s"
        case .networkConnectionLost: "the connection broke"
        default: error.localizedDescription
        }
    }

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_.")))
            ?? text
    }
}

extension ManagementAPI.Queue {
    /// Replaces the policies of queues whose statistics name another policy than the one that applies now.
    public static func updated(_ queues: [Self], policyNames: [String: String?], _ policies: [ManagementAPI.Policy])
        -> [Self]
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
