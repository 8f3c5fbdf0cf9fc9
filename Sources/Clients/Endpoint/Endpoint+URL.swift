extension Endpoint {
    /// Reads a URL.
    /// - Throws: `EndpointError`, which names the kind's variable and contains no part of the URL but the name of an
    ///   option.
    public init(_ url: String, _ kind: Kind) throws(EndpointError) {
        do throws(EndpointError.Fault) { try self.init(URLParts(url), kind) } catch { throw EndpointError(kind, error) }
    }

    private init(_ parts: URLParts, _ kind: Kind) throws(EndpointError.Fault) {
        guard let isTLS = kind.isTLS(scheme: parts.scheme) else { throw .notURL }
        let port = kind.defaultPort(isTLS: isTLS)
        var hosts = try Self.hosts(parts.hosts, kind, port)
        self.kind = kind
        host = hosts.removeFirst()
        alternatives = hosts
        (user, password) = try Self.login(parts.userInfo, kind)
        path = try PercentEncoding.decoded(parts.path)
        if kind == .mqtt, !path.isEmpty { throw .path }
        if kind == .amqp, path.isEmpty { path = "/" }
        if kind == .management, path.last == "/" { path.removeLast() }
        if isTLS { tls.mode = .verifyFull }
        var names: Set<String> = []
        for option in try parts.options() {
            guard names.insert(option.name).inserted else { throw .repeated(option.name) }
            try take(option, isTLS)
        }
        guard kind == .postgresql || (tls.certificateFile == nil) == (tls.keyFile == nil) else { throw .keyPair }
    }

    private mutating func take(_ option: Option, _ isTLS: Bool) throws(EndpointError.Fault) {
        if let field = kind.tlsFields[option.name] {
            guard isTLS || kind == .postgresql else { throw .needsTLS(option.name, kind.scheme(isTLS: true)) }
            return try set(field, option)
        }
        guard kind.options.contains(option.name) else { throw .unknown(option.name, kind.optionNames) }
        switch option.name {
        case "user": user = option.value
        case "password": password = Secret(option.value)
        case "host":
            guard host.name.isEmpty, alternatives.isEmpty else { throw .repeated(option.name) }
            host.name = option.value
        case "port": host.port = try Self.port(option.value[...])
        default: options.append(option)
        }
    }

    private mutating func set(_ field: TLS.Field, _ option: Option) throws(EndpointError.Fault) {
        guard !option.value.isEmpty else { throw .value(option.name, []) }
        switch field {
        case .mode:
            guard let mode = kind.modes.first(where: { $0.name == option.value })?.mode else {
                throw .value(option.name, kind.modes.map(\.name))
            }
            tls.mode = mode
        case .serverName: tls.serverName = option.value
        case .caFile: tls.caFile = option.value
        case .certificateFile: tls.certificateFile = option.value
        case .keyFile: tls.keyFile = option.value
        }
    }

    // MARK: login

    /// RabbitMQ's clients log in as `guest` with the password `guest` unless the URL says otherwise.
    private static func login(
        _ text: Substring?, _ kind: Kind
    ) throws(EndpointError.Fault) -> (user: String, password: Secret) {
        let standard = kind == .postgresql ? "" : "guest"
        guard let text else { return (standard, Secret(standard)) }
        guard let colon = text.firstIndex(of: ":") else {
            return (try PercentEncoding.decoded(text), Secret(standard))
        }
        let password = try PercentEncoding.decoded(text[text.index(after: colon)...])
        return (try PercentEncoding.decoded(text[..<colon]), Secret(password))
    }

    // MARK: hosts

    private static func hosts(
        _ text: Substring, _ kind: Kind, _ defaultPort: UInt16
    ) throws(EndpointError.Fault) -> [Host] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 1 || kind == .postgresql else { throw .severalHosts }
        var hosts: [Host] = []
        for part in parts {
            var host = try host(part, kind, defaultPort)
            if host.name.isEmpty {
                guard parts.count == 1 else { throw .host }
                if kind != .postgresql { host.name = "localhost" }
            }
            hosts.append(host)
        }
        return hosts
    }

    private static func host(
        _ text: Substring, _ kind: Kind, _ defaultPort: UInt16
    ) throws(EndpointError.Fault) -> Host {
        let name: String
        let rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw .address }
            name = try PercentEncoding.decoded(text[text.index(after: text.startIndex)..<end])
            rest = text[text.index(after: end)...]
            guard isIPv6(name) else { throw .address }
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            name = try PercentEncoding.decoded(text[..<end])
            rest = text[end...]
            guard rest.count(where: { $0 == ":" }) <= 1 else { throw .address }
            guard isHostName(name) || (kind == .postgresql && name.hasPrefix("/")) else { throw .host }
        }
        guard rest.isEmpty || rest.hasPrefix(":") else { throw .port }
        return Host(name, port: rest.count <= 1 ? defaultPort : try port(rest.dropFirst()))
    }

    private static func port(_ text: Substring) throws(EndpointError.Fault) -> UInt16 {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
            throw .port
        }
        return port
    }

    private static func isHostName(_ name: String) -> Bool {
        name.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || $0.properties.numericType != nil || "-._".unicodeScalars.contains($0)
        }
    }

    /// Hexadecimal digits and colons, at the end perhaps an IPv4 address or a zone like `%eth0`.
    private static func isIPv6(_ text: String) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first, address.contains(":") else { return false }
        let isZoneValid = parts.count == 1 || (!parts[1].isEmpty && isHostName(String(parts[1])))
        return isZoneValid && address.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
    }
}
