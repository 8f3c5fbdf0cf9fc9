import Testing

@testable import Endpoint

/// URLs as values: parts, defaults, and output without secrets.
@Suite struct EndpointTests {
    @Test(
        arguments: [
            (Endpoint.Kind.amqp, "amqp://", "localhost", 5672, "guest", "guest", "/"),
            (.amqp, "amqp://h", "h", 5672, "guest", "guest", "/"),
            (.amqp, "amqp://h/", "h", 5672, "guest", "guest", "/"),
            (.amqp, "AMQP://h:1/%2F", "h", 1, "guest", "guest", "/"),
            (.amqp, "amqp://:9/a%2fb", "localhost", 9, "guest", "guest", "a/b"),
            (.amqp, "amqp://plant%40site:p%2Fw%3A%25@h/my%20vhost", "h", 5672, "plant@site", "p/w:%", "my vhost"),
            (.amqp, "amqp://u:@h", "h", 5672, "u", "", "/"), (.amqp, "amqp://u@h", "h", 5672, "u", "guest", "/"),
            (.amqp, "amqp://u:a:b@h:", "h", 5672, "u", "a:b", "/"),
            (.amqp, "amqps://h", "h", 5671, "guest", "guest", "/"),
            (.mqtt, "mqtt://vhost%3Auser:s%40@10.0.0.1:1884", "10.0.0.1", 1884, "vhost:user", "s@", ""),
            (.mqtt, "mqtt://h/", "h", 1883, "guest", "guest", ""),
            (.mqtt, "mqtts://h", "h", 8883, "guest", "guest", ""),
            (.management, "http://h", "h", 80, "guest", "guest", ""),
            (.management, "https://u:p@h/rabbit/mq/", "h", 443, "u", "p", "rabbit/mq"),
            (.management, "http://h:15672/", "h", 15672, "guest", "guest", ""),
            (.postgresql, "postgresql://", "", 5432, "", "", ""),
            (.postgresql, "postgres://h/iot", "h", 5432, "", "", "iot"),
            (.postgresql, "postgresql://u:p%C3%BC@h:1/my%20db", "h", 1, "u", "pü", "my db"),
            (.postgresql, "postgresql://u@%2frun%2fpostgresql/iot", "/run/postgresql", 5432, "u", "", "iot"),
            (.postgresql, "postgresql:///iot?host=/run/pg&port=5&user=u&password=p", "/run/pg", 5, "u", "p", "iot"),
            // IPv6 addresses, with a zone.
            (.amqp, "amqp://[::1]", "::1", 5672, "guest", "guest", "/"),
            (.amqp, "amqp://u:p@[fe80::1%25eth0]:1/", "fe80::1%eth0", 1, "u", "p", "/"),
            (.mqtt, "mqtt://[::ffff:10.0.0.1]:7", "::ffff:10.0.0.1", 7, "guest", "guest", ""),
        ] as [(Endpoint.Kind, String, String, UInt16, String, String, String)])
    func urlsAreRead(
        kind: Endpoint.Kind, url: String, host: String, port: UInt16, user: String, password: String, path: String
    ) throws {
        let endpoint = try Endpoint(url, kind)
        #expect(endpoint.host == Endpoint.Host(host, port: port))
        #expect(endpoint.user == user && endpoint.password.text == password && endpoint.path == path)
        #expect(endpoint.alternatives.isEmpty)
    }

    @Test func postgreSQLHasSeveralHosts() throws {
        let endpoint = try Endpoint("postgresql://u@a:1,b,[::1]:3/iot?target_session_attrs=read-write", .postgresql)
        #expect(
            endpoint.hosts == [
                Endpoint.Host("a", port: 1), Endpoint.Host("b", port: 5432), Endpoint.Host("::1", port: 3),
            ])
        #expect(endpoint.options == [Endpoint.Option("target_session_attrs", "read-write")])
        #expect(endpoint.description == "postgresql://u@a:1,b:5432,[::1]:3/iot")
    }

    /// No password, printed, interpolated, dumped or reflected.
    @Test func noOutputContainsThePassword() throws {
        let endpoint = try Endpoint("postgresql://u:s3cret@h/iot?application_name=a%20b&sslrootcert=/ca", .postgresql)
        #expect(endpoint.description == "postgresql://u@h:5432/iot")
        #expect(endpoint.masked == "postgresql://u:***@h:5432/iot?application_name=a%20b&sslrootcert=/ca")
        var dumped = ""
        dump(endpoint, to: &dumped)
        #expect(dumped.contains("***") && dumped.contains("5432"))
        let texts = [endpoint.description, endpoint.masked, dumped, String(reflecting: endpoint), "\([endpoint])"]
        for text in texts { #expect(!text.contains("s3cret"), "\(text)") }
        #expect("\(Secret("")) \(Secret("s3cret")) \(String(reflecting: Secret("s3cret")))" == " *** ***")
    }

    /// Output can be read again, and gives the same endpoint but for the password.
    @Test(
        arguments: [
            (Endpoint.Kind.amqp, "amqp://guest:***@h:5672/%2f"), (.amqp, "amqp://a%40b:***@[::1]:1/my%20vhost"),
            (.amqp, "amqps://guest:***@h:5671/%2f?cacertfile=/a%26b&verify=verify_none"),
            (.mqtt, "mqtt://vhost%3auser:***@h:1883"), (.mqtt, "mqtt://[fe80::1%25eth0]:1883"),
            (.management, "https://guest:***@h:443/a/b"), (.postgresql, "postgresql://a:1,b:2/iot?sslmode=require"),
            (.postgresql, "postgresql:///iot"), (.postgresql, "postgresql://%2frun%2fpg:5432/iot"),
        ] as [(Endpoint.Kind, String)])
    func maskedURLsAreRead(kind: Endpoint.Kind, url: String) throws {
        let masked = try Endpoint(url.replacing("***", with: "p"), kind).masked
        #expect(
            masked == (url.contains("***") || kind == .postgresql ? url : url.replacing("//", with: "//guest:***@")))
    }

    // MARK: TLS

    @Test func plainURLsHaveNoIdentity() throws {
        for (kind, url) in [
            (Endpoint.Kind.amqp, "amqp://h"), (.mqtt, "mqtt://h"), (.postgresql, "postgresql://h"),
            (.management, "http://h"),
        ] {
            let endpoint = try Endpoint(url, kind)
            #expect(endpoint.tls == .none)
            try endpoint.requirePlain()
        }
    }

    @Test func theIdentityIsRead() throws {
        let broker = try Endpoint(
            "amqps://h?cacertfile=/ca&certfile=/c&keyfile=/k&server_name_indication=broker.example&verify=verify_peer",
            .amqp)
        #expect(
            broker.tls
                == Endpoint.TLS(
                    mode: .verifyFull, serverName: "broker.example", caFile: "/ca", certificateFile: "/c", keyFile: "/k"
                ))
        #expect(try Endpoint("mqtts://h", .mqtt).tls == Endpoint.TLS(mode: .verifyFull))
        #expect(try Endpoint("mqtts://h?verify=verify_none", .mqtt).tls.mode == .require)
        for mode in Endpoint.TLS.Mode.allCases {
            #expect(try Endpoint("postgresql://h?sslmode=\(mode.rawValue)", .postgresql).tls.mode == mode)
        }
        let database = try Endpoint("postgresql://h?sslrootcert=/ca&sslcert=/c&sslkey=/k", .postgresql)
        #expect(database.tls == Endpoint.TLS(caFile: "/ca", certificateFile: "/c", keyFile: "/k"))
    }

    @Test(arguments: [
        (Endpoint.Kind.amqp, "amqps", "AMQP_URL: amqps:// is not supported yet; use amqp://"),
        (.mqtt, "mqtts", "MQTT_URL: mqtts:// is not supported yet; use mqtt://"),
        (.management, "https", "MANAGEMENT_URL: https:// is not supported yet; use http://"),
    ])
    func aClientWithoutTLSRefusesItInOneLine(kind: Endpoint.Kind, scheme: String, text: String) throws {
        let endpoint = try Endpoint("\(scheme)://u:s3cret@h", kind)
        let error = try #require(throws: EndpointError.self) { try endpoint.requirePlain() }
        #expect(error.description == text)
    }
}
