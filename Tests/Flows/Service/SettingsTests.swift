import Endpoint
import Foundation
import Testing
import Time

@testable import Service

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
            #expect(settings.broker == Endpoint(.amqp, host: "localhost", user: "guest", password: "guest", path: "/"))
            #expect(settings.mqtt == Endpoint(.mqtt, host: "localhost", user: "guest", password: "guest"))
            #expect(settings.database == Endpoint(.postgresql, host: "localhost", path: "iot"))
            #expect(settings.management == nil)
        }
    }

    @Test func eachServerHasItsVariable() throws {
        let settings = try Settings(environment: [
            "AMQP_URL": "amqp://a", "MQTT_URL": "mqtt://m", "DATABASE_URL": "postgresql://d",
            "MANAGEMENT_URL": "http://g",
        ])
        #expect(settings.broker.host.name == "a" && settings.mqtt.host.name == "m")
        #expect(settings.database.host.name == "d" && settings.management?.host.name == "g")
    }

    @Test func aFileCanHoldTheSecret() throws {
        try withFile(" amqp://u:fromfile@h:1/v\n") { path in
            let settings = try Settings(environment: ["AMQP_URL_FILE": path])
            #expect(settings.broker.password.text == "fromfile" && settings.broker.path == "v")
            let both = try Settings(environment: ["AMQP_URL": "amqp://u:direct@h", "AMQP_URL_FILE": path])
            #expect(both.broker.password.text == "direct")
        }
        try withFile("postgresql://u:x@db/iot\n") { path in
            let settings = try Settings(environment: ["DATABASE_URL_FILE": path])
            #expect(settings.database.password.text == "x" && settings.database.path == "iot")
        }
    }

    @Test(arguments: Endpoint.Kind.allCases.map(\.variable))
    func aFileThatIsNotThereIsNamed(name: String) {
        #expect(
            fault(["\(name)_FILE": "/nowhere/secret"]) == "\(name)_FILE names /nowhere/secret, which can't be read")
    }

    /// The faults themselves are tested with `Endpoint`.
    @Test(arguments: [
        ("AMQP_URL", "http://u:s3cret@h", "AMQP_URL: not a URL like amqp://user:password@host:5672/%2f"),
        ("MQTT_URL", "mqtt//s3cret", "MQTT_URL: not a URL like mqtt://user:password@host:1883"),
        (
            "DATABASE_URL", "host=db password=s3cret",
            "DATABASE_URL: not a URL like postgresql://user:password@host:5432/database"
        ),
        ("MANAGEMENT_URL", "s3cret", "MANAGEMENT_URL: not a URL like http://user:password@host:15672"),
        ("AMQP_URL", "amqps://u:s3cret@h", "AMQP_URL: amqps:// is not supported yet; use amqp://"),
        ("MQTT_URL", "mqtts://u:s3cret@h", "MQTT_URL: mqtts:// is not supported yet; use mqtt://"),
    ])
    func wrongURLsAreNamedWithoutTheSecret(variable: String, url: String, text: String) {
        #expect(fault([variable: url]) == text)
    }

    /// libpq and Foundation encrypt already.
    @Test func theDatabaseAndTheManagementAPITakeTLS() throws {
        let settings = try Settings(environment: [
            "DATABASE_URL": "postgresql://u@h/iot?sslmode=verify-full", "MANAGEMENT_URL": "https://h",
        ])
        #expect(settings.database.tls.mode == .verifyFull && settings.management?.tls.mode == .verifyFull)
    }

    @Test func aWrongFileKeepsItsSecretToo() throws {
        try withFile("s3cret") { path in
            let text = try #require(fault(["MQTT_URL_FILE": path]))
            #expect(text.hasPrefix("MQTT_URL: not a URL") && !text.contains("s3cret"))
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
