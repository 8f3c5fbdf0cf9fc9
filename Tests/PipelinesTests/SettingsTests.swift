import Broker
import Foundation
import Testing

@testable import Pipelines

@Suite struct SettingsTests {
    private func fault(_ environment: [String: String]) -> String? {
        do {
            _ = try Settings(environment: environment)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Runs `body` with a file of that content, which is removed in any case.
    private func withFile(_ content: String, _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)")
        try Data(content.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file.path)
    }

    @Test func withoutAnEnvironmentEverythingIsOnLocalhost() throws {
        for environment in [[:], ["AMQP_URL": "", "MQTT_URL": "", "DATABASE_URL": ""]] as [[String: String]] {
            let settings = try Settings(environment: environment)
            #expect(settings.broker.host == "localhost" && settings.broker.port == 5672)
            #expect(settings.broker.user == "guest" && settings.broker.password == "guest")
            #expect(settings.broker.virtualHost == "/")
            #expect(settings.mqtt.host == "localhost" && settings.mqtt.port == 1883)
            #expect(settings.mqtt.user == "guest" && settings.mqtt.password == "guest")
            #expect(settings.databaseURL == "postgresql://localhost/iot")
        }
    }

    @Test func urlsAreTakenApart() throws {
        let settings = try Settings(environment: [
            "AMQP_URL": "amqp://plant%40site:p%2Fw%3A%25@broker.example:5673/my%20vhost",
            "MQTT_URL": "mqtt://vhost%3Auser:s%40@10.0.0.1:1884",
            "DATABASE_URL": "postgresql://u:p@db/iot?sslmode=require",
        ])
        #expect(settings.broker.host == "broker.example" && settings.broker.port == 5673)
        #expect(settings.broker.user == "plant@site" && settings.broker.password == "p/w:%")
        #expect(settings.broker.virtualHost == "my vhost")
        #expect(settings.mqtt.host == "10.0.0.1" && settings.mqtt.port == 1884)
        #expect(settings.mqtt.user == "vhost:user" && settings.mqtt.password == "s@")
        #expect(settings.databaseURL == "postgresql://u:p@db/iot?sslmode=require")
    }

    @Test(arguments: [
        ("amqp://h", "/"), ("amqp://h/", "/"), ("amqp://h/%2f", "/"), ("amqp://h/%2F", "/"), ("amqp://h/iot", "iot"),
        ("amqp://h/a%2fb", "a/b"),
    ])
    func virtualHosts(url: String, virtualHost: String) throws {
        #expect(try Settings(environment: ["AMQP_URL": url]).broker.virtualHost == virtualHost)
    }

    @Test func aFileCanHoldTheSecret() throws {
        try withFile(" amqp://u:fromfile@h:1/v\n") { path in
            let settings = try Settings(environment: ["AMQP_URL_FILE": path])
            #expect(settings.broker.password == "fromfile" && settings.broker.virtualHost == "v")
            let both = try Settings(environment: ["AMQP_URL": "amqp://u:direct@h", "AMQP_URL_FILE": path])
            #expect(both.broker.password == "direct")
        }
        try withFile("postgresql://u:x@db/iot\n") { path in
            let settings = try Settings(environment: ["DATABASE_URL_FILE": path])
            #expect(settings.databaseURL == "postgresql://u:x@db/iot")
        }
    }

    @Test(arguments: ["AMQP_URL", "MQTT_URL", "DATABASE_URL"])
    func aFileThatIsNotThereIsNamed(name: String) {
        #expect(
            fault(["\(name)_FILE": "/nowhere/secret"]) == "\(name)_FILE names /nowhere/secret, which can't be read")
    }

    @Test(arguments: [
        ("AMQP_URL", "http://u:s3cret@h"), ("AMQP_URL", "amqps://u:s3cret@h"), ("AMQP_URL", "u:s3cret@h"),
        ("AMQP_URL", "amqp://u:s3cret@h:port"), ("MQTT_URL", "amqp://u:s3cret@h"), ("MQTT_URL", "mqtt//s3cret"),
    ])
    func wrongURLsAreNamedWithoutTheSecret(name: String, url: String) throws {
        let text = try #require(fault([name: url]))
        #expect(text == "\(name) is not a URL like \(name.dropLast(4).lowercased())://user:password@host:port")
        #expect(!text.contains("s3cret"))
    }

    @Test(arguments: ["host=db password=s3cret", "mysql://u:s3cret@db/iot", "s3cret"])
    func aWrongDatabaseURLIsNamedWithoutTheSecret(url: String) throws {
        let text = try #require(fault(["DATABASE_URL": url]))
        #expect(text == "DATABASE_URL is not a URL like postgresql://user:password@host:port/database")
    }

    @Test func aWrongFileKeepsItsSecretToo() throws {
        try withFile("s3cret") { path in
            let text = try #require(fault(["MQTT_URL_FILE": path]))
            #expect(text.hasPrefix("MQTT_URL is not a URL") && !text.contains("s3cret"))
        }
    }

    @Test(
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
            ("7d", .seconds(604_800)), ("1.5s", .milliseconds(1500)), ("0s", .zero), ("", nil), ("10", nil), ("s", nil),
            ("-1s", nil), ("1.2.3s", nil), ("1 s", nil), ("1w", nil), ("4000d", nil), ("infs", nil), ("1e3s", nil),
        ] as [(String, Duration?)])
    func durationsOfTheCommandLine(text: String, duration: Duration?) {
        #expect(Duration(commandLine: text) == duration)
    }
}
