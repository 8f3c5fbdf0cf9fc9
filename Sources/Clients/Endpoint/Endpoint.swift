/// How a server is reached: hosts, login, virtual host or database, options, and the identity for TLS. Every client takes
/// this value; no other code reads a server's URL.
///
/// A pure value: it looks up no name and reads no file. `description` contains no password.
public struct Endpoint: Sendable, Equatable, CustomStringConvertible {
    /// A host and its port.
    public struct Host: Sendable, Equatable, CustomStringConvertible {
        /// The host's name or IP address, an IPv6 address without brackets. PostgreSQL also takes the folder of a Unix
        /// socket, and "" for the folder that libpq was built with.
        public var name: String
        /// The TCP port, 1…65,535.
        public var port: UInt16

        /// A host and its port.
        public init(_ name: String, port: UInt16) {
            self.name = name
            self.port = port
        }

        /// "host:port", with an IPv6 address in brackets.
        public var description: String {
            if name.contains(":") { return "[\(PercentEncoding.encoded(name, alsoAllowing: ":"))]:\(port)" }
            return name.isEmpty ? "" : "\(PercentEncoding.encoded(name)):\(port)"
        }
    }

    /// An option of the URL's query.
    public struct Option: Sendable, Equatable {
        /// The option's name.
        public var name: String
        /// The option's value.
        public var value: String

        /// An option with that value.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The kind of server.
    public let kind: Kind
    /// The host that is connected to first.
    public var host: Host
    /// The hosts that are tried after `host`, in this order (PostgreSQL only).
    public var alternatives: [Host] = []
    /// The user; "" leaves it to the client (PostgreSQL only).
    public var user: String
    /// The user's password; an empty one leaves it to the client (PostgreSQL: `PGPASSWORD`, `~/.pgpass`).
    public var password: Secret
    /// The virtual host (AMQP), the database (PostgreSQL) or the prefix of all paths (management API).
    public var path: String
    /// The options that are passed to the client as they are (PostgreSQL only).
    public var options: [Option] = []
    /// The identity for TLS; `.none` for a plain connection.
    public var tls = TLS.none

    /// The server of that kind at that host.
    /// - Parameter port: nil: the kind's default port.
    public init(
        _ kind: Kind, host: String, port: UInt16? = nil, user: String = "", password: String = "", path: String = ""
    ) {
        self.kind = kind
        self.host = Host(host, port: port ?? kind.defaultPort(isTLS: false))
        self.user = user
        self.password = Secret(password)
        self.path = path
    }

    /// All hosts, in the order in which they are tried.
    public var hosts: [Host] { [host] + alternatives }

    /// The URL's scheme.
    public var scheme: String { kind.scheme(isTLS: tls != .none) }

    /// The URL without password and options.
    public var description: String { "\(scheme)://\(user.isEmpty ? "" : encodedUser + "@")\(place)" }

    /// The part of the URL that tells servers apart: hosts, and the virtual host or database.
    public var place: String {
        let path =
            kind == .amqp || !path.isEmpty
            ? "/\(PercentEncoding.encoded(path, alsoAllowing: kind == .management ? "/" : ""))" : ""
        return hosts.map(\.description).joined(separator: ",") + path
    }

    /// The URL with options, and with `***` for the password.
    public var masked: String {
        let login = user.isEmpty && password.isEmpty ? "" : "\(encodedUser)\(password.isEmpty ? "" : ":***")@"
        let options = options + kind.options(of: tls)
        let query = options.map { "\($0.name)=\(PercentEncoding.encoded($0.value, alsoAllowing: "/"))" }
        return "\(scheme)://\(login)\(place)\(query.isEmpty ? "" : "?" + query.joined(separator: "&"))"
    }

    private var encodedUser: String { PercentEncoding.encoded(user) }

    /// Refuses an endpoint that asks for TLS: for clients that cannot encrypt yet.
    /// - Throws: `EndpointError`.
    public func requirePlain() throws(EndpointError) {
        guard tls == .none else { throw EndpointError(kind, .encryption(scheme, plain: kind.scheme(isTLS: false))) }
    }
}
