import Testing

@testable import Endpoint

/// URLs that cannot be used: the fault is named, and no piece of the password is shown.
@Suite struct EndpointErrorTests {
    private func error(_ url: String, _ kind: Endpoint.Kind = .amqp) throws -> EndpointError {
        try #require(throws: EndpointError.self, "\(url)") { try Endpoint(url, kind) }
    }

    @Test(
        arguments: [
            (Endpoint.Kind.amqp, "", EndpointError.Fault.notURL), (.amqp, "s3cret", .notURL),
            (.amqp, "u:s3cret@h", .notURL), (.amqp, "amqp//s3cret", .notURL), (.amqp, "http://u:s3cret@h", .notURL),
            (.amqp, "mqtt://u:s3cret@h", .notURL), (.postgresql, "host=db password=s3cret", .notURL),
            (.postgresql, "mysql://u:s3cret@h/iot", .notURL), (.postgresql, "postgre://u:s3cret@h/iot", .notURL),
            (.management, "amqp://u:s3cret@h", .notURL),
            (.amqp, "amqp://u:s3c ret@h", .space), (.amqp, "amqp://u:s3c\u{7}ret@h", .space),
            (.amqp, "amqp://u:s3c#ret@h", .reserved), (.amqp, "amqp://u:s3c@ret@h", .reserved),
            (.amqp, "amqp://u:s3c/ret@h", .reserved), (.amqp, "amqp://u:s3c?ret=1@h", .reserved),
            (.postgresql, "postgresql://u:1234/ret@h/iot", .reserved),
            (.amqp, "amqp://u:s3c%ret@h", .percent), (.amqp, "amqp://u:s3cret@h/%2", .percent),
            (.amqp, "amqp://u:s3cret%@h", .percent), (.amqp, "amqp://u:s3cret%00@h", .text),
            (.amqp, "amqp://u:s3cret%ff@h", .text),
            (.amqp, "amqp://u:s3cret@a,b", .severalHosts), (.mqtt, "mqtt://a,b", .severalHosts),
            (.management, "http://a,b", .severalHosts),
            (.postgresql, "postgresql://a,,b/iot", .host), (.postgresql, "postgresql://a,/iot", .host),
            (.amqp, "amqp://a%20b", .host), (.amqp, "amqp://a%2fb", .host),
            (.amqp, "amqp://u:s3cret%40a%40h@x!", .host),
            (.amqp, "amqp://::1", .address), (.amqp, "amqp://u:s3cret@h:1:2", .address),
            (.amqp, "amqp://[::1", .address),
            (.amqp, "amqp://[h]:1", .address), (.amqp, "amqp://[::1%25]", .address),
            (.amqp, "amqp://u:s3cret@h:0", .port), (.amqp, "amqp://h:65536", .port),
            (.amqp, "amqp://u:s3cret@h:port", .port),
            (.amqp, "amqp://h:+1", .port), (.amqp, "amqp://[::1]1", .port),
            (.postgresql, "postgresql://a:1,b:x/iot", .port),
            (.postgresql, "postgresql://?port=0", .port),
            (.mqtt, "mqtt://u:s3cret@h/vhost", .path),
            (.postgresql, "postgresql://h?sslmode=no", .value("sslmode", Endpoint.TLS.Mode.allCases.map(\.rawValue))),
            (.amqp, "amqps://h?verify=", .value("verify", [])),
            (.amqp, "amqps://h?cacertfile", .value("cacertfile", [])),
            (.postgresql, "postgresql://h?sslmode=require&sslmode=require", .repeated("sslmode")),
            (.postgresql, "postgresql://h/iot?host=b", .repeated("host")),
            (.amqp, "amqp://h?cacertfile=/ca", .needsTLS("cacertfile", "amqps")),
            (.amqp, "amqps://h?certfile=/c", .keyPair), (.mqtt, "mqtts://h?keyfile=/k", .keyPair),
        ] as [(Endpoint.Kind, String, EndpointError.Fault)])
    func faultsAreNamed(kind: Endpoint.Kind, url: String, fault: EndpointError.Fault) throws {
        let error = try error(url, kind)
        #expect(error == EndpointError(kind, fault), "\(url)")
        let text = error.description
        #expect(text.hasPrefix("\(kind.variable): ") && !text.contains("\n"))
        for piece in ["s3c", "ret", "1234"] { #expect(!text.contains(piece), "\(text)") }
    }

    /// The list of options is closed, for each kind.
    @Test(arguments: Endpoint.Kind.allCases)
    func unknownOptionsAreRefused(_ kind: Endpoint.Kind) throws {
        let scheme = kind.scheme(isTLS: true)
        for option in ["pasword=s3cret", "heartbeat=10", "connect_timeout=5", "verify_peer=1", "=s3cret", "A%20b=1"] {
            let error = try error("\(scheme)://h?\(option)", kind)
            guard case .unknown(_, let names) = error.fault else {
                Issue.record("\(option): \(error)")
                continue
            }
            #expect(names == kind.optionNames && !names.isEmpty)
            #expect(!error.description.contains("s3cret") && !error.description.contains("A b"))
        }
        #expect(
            try error("\(scheme)://h?heartbeat=1", kind).description.contains(
                ": unknown option heartbeat; the options are "))
    }

    /// Every option of the list is accepted.
    @Test(arguments: Endpoint.Kind.allCases)
    func knownOptionsAreAccepted(_ kind: Endpoint.Kind) throws {
        let values = ["port": "1", "verify": "verify_none", "sslmode": "allow"]
        let query = kind.optionNames.map { "\($0)=\(values[$0] ?? "x")" }.joined(separator: "&")
        let endpoint = try Endpoint("\(kind.scheme(isTLS: true))://?\(query)", kind)
        #expect(endpoint.tls.mode == (kind == .postgresql ? .allow : .require) && endpoint.tls.caFile == "x")
        #expect(endpoint.options.count == (kind == .postgresql ? kind.options.count - 4 : 0))
    }

    /// The text of each fault, as an operator reads it.
    @Test func textsSayWhatToDo() throws {
        let texts = try [
            error("s3cret", .management), error("amqp://u:s3/cret@h"), error("amqp://u:50%@h"), error("amqp://a,b"),
            error("amqp://::1"), error("amqp://h:x"), error("mqtt://h/v", .mqtt), error("amqp://h?verify=no"),
            error("amqps://h?verify=no"), error("amqps://h?verify="), error("amqps://h?certfile=/c"),
        ].map(\.description)
        #expect(
            texts == [
                "MANAGEMENT_URL: not a URL like http://user:password@host:15672",
                "AMQP_URL: an @, /, ? or # in user or password must be percent-encoded: %40, %2f, %3f, %23",
                "AMQP_URL: a % is not followed by two hexadecimal digits; a % itself is %25",
                "AMQP_URL: only one host is supported",
                "AMQP_URL: an IPv6 address must be valid and in brackets, like [::1]",
                "AMQP_URL: the port is not a number from 1 to 65535",
                "MQTT_URL: a path is not supported; a virtual host is part of the user, like vhost%3auser",
                "AMQP_URL: the option verify needs amqps://",
                "AMQP_URL: the option verify must be one of verify_peer, verify_none",
                "AMQP_URL: the option verify must not be empty",
                "AMQP_URL: certfile and keyfile must be given together",
            ])
    }
}
