internal import Endpoint
public import Foundation
internal import FoundationNetworking
public import Postgres
public import Service
internal import Synchronization

/// The real RabbitMQ and TimescaleDB that `make test` started for this run.
public enum TestServers {
    /// Something that a test needs and did not get.
    public struct Failure: Error, CustomStringConvertible {
        /// What.
        public let description: String
        /// That.
        public init(_ description: String) { self.description = description }
    }

    /// The instance's name at scripts/servers; nil: `swift test` was called by hand, without servers.
    public static var instance: String? { ProcessInfo.processInfo.environment["TEST_SERVERS"] }

    /// Whether there are servers.
    public static var areThere: Bool { instance != nil }

    /// The checkout.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Runs `scripts/servers VERB INSTANCE …` and waits for its end.
    public static func control(_ verb: String, _ arguments: String...) async throws {
        guard let instance else { throw Failure("no servers: run make test") }
        let done = try await Program.run(
            root.appending(path: "scripts/servers").path, [verb, instance] + arguments, deadline: .seconds(150))
        guard done.status == 0 else { throw Failure("scripts/servers \(verb): \(done.output)\(done.errors)") }
    }

    /// Runs a program of the machine; it must succeed.
    public static func run(_ path: String, _ arguments: String...) async throws {
        let done = try await Program.run(path, arguments)
        guard done.status == 0 else { throw Failure("\(path) \(arguments): \(done.output)\(done.errors)") }
    }

    static func value(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else { throw Failure("\(name) is not set") }
        return value
    }

    /// TimescaleDB's community edition, if somebody has it: a URL of any database there, with the extension in its
    /// template1. Its tests are skipped without.
    public static var communityURL: String? { ProcessInfo.processInfo.environment["TEST_TSL_DATABASE_URL"] }

    /// A database of the instance as the superuser sees it, whom no program of ours ever is.
    public static func superuserURL(database: String) throws -> String {
        struct State: Decodable { var passwords: [String: String] }
        let file = root.appending(path: ".build/servers/\(instance ?? "")/state.json")
        let state = try JSONDecoder().decode(State.self, from: Data(contentsOf: file))
        guard var url = URLComponents(string: try value("DATABASE_URL")), let password = state.passwords["postgres"]
        else { throw Failure("no superuser") }
        url.user = "postgres"
        url.password = password
        url.path = "/\(database)"
        return url.string ?? ""
    }

    /// Calls RabbitMQ's management API.
    /// - Returns: the answer's body.
    @discardableResult
    public static func management(_ method: String, _ path: String, body: String? = nil) async throws -> Data {
        guard var url = URLComponents(string: try value("MANAGEMENT_URL")) else { throw Failure("no MANAGEMENT_URL") }
        let login = Data("\(url.user ?? ""):\(url.password ?? "")".utf8).base64EncodedString()
        url.user = nil
        url.password = nil
        url.percentEncodedPath = path
        guard let address = url.url else { throw Failure("no URL: \(path)") }
        var request = URLRequest(url: address)
        request.httpMethod = method
        request.setValue("Basic \(login)", forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = body.map { Data($0.utf8) }
        let (data, response) = try await URLSession.shared.data(for: request)
        guard let status = (response as? HTTPURLResponse)?.statusCode, (200..<300).contains(status) else {
            throw Failure("\(method) \(path): \(String(decoding: data, as: UTF8.self))")
        }
        return data
    }

    /// GETs a page of one of our programs.
    /// - Returns: the status and the body; nil if nobody answers.
    public static func get(_ url: String) async -> (status: Int, body: String)? {
        guard let url = URL(string: url), let (data, response) = try? await URLSession.shared.data(from: url),
            let status = (response as? HTTPURLResponse)?.statusCode
        else { return nil }
        return (status, String(decoding: data, as: UTF8.self))
    }
}

extension StoreConnection {
    /// The first value of a query's first row, as a number.
    public func number(_ sql: SQL) throws -> Int64 {
        let rows = try fetch(sql)
        guard let row = rows.first, let column = rows.columns.first else {
            throw TestServers.Failure("no number: \(sql)")
        }
        return try row.integer("\(column)")
    }
}

/// A virtual host and a database of a test's own, gone when the test ends, however it ends.
public struct TestSystem: Sendable {
    /// Unlike any other test's.
    public let name: String
    /// What the programs are given.
    public let environment: [String: String]
    /// The database.
    public let store: StoreConnection
    /// Logs of the programs.
    public let folder: URL
    private let databaseServer: Endpoint
    private let started = Started()

    /// The programs that a test started, so that none outlives a test that fails.
    private final class Started: Sendable {
        let programs = Mutex<[Program]>([])
    }

    /// The settings that the environment makes.
    public var settings: Settings { get throws { try Settings(environment: environment) } }

    /// A variable of the environment that the programs are given.
    public func value(_ variable: String) throws -> String {
        guard let value = environment[variable] else { throw TestServers.Failure("\(variable) is not set") }
        return value
    }

    /// Makes a system, gives it to `body`, and removes it.
    /// - Parameter server: another database server than the test's own, as URL of any database there.
    public static func with(
        databaseServer server: String? = nil, _ body: (TestSystem) async throws -> Void
    ) async throws {
        let system = try await make(server ?? TestServers.value("DATABASE_URL"))
        do { try await body(system) } catch {
            await system.remove()
            throw error
        }
        await system.remove()
    }

    private static func make(_ databaseServer: String) async throws -> TestSystem {
        let name = "t" + UUID().uuidString.prefix(8).lowercased()
        try await TestServers.management("PUT", "/api/vhosts/\(name)")
        guard let amqp = URLComponents(string: try TestServers.value("AMQP_URL")), let user = amqp.user,
            var mqtt = URLComponents(string: try TestServers.value("MQTT_URL")),
            var database = URLComponents(string: databaseServer)
        else { throw TestServers.Failure("the servers' URLs can't be read") }
        try await TestServers.management(
            "PUT", "/api/permissions/\(name)/\(user)", body: #"{"configure": ".*", "write": ".*", "read": ".*"}"#)
        let definitions = try String(
            contentsOf: TestServers.root.appending(path: "broker/definitions.json"), encoding: .utf8)
        try await TestServers.management("POST", "/api/definitions/\(name)", body: definitions)
        let server = try Endpoint(databaseServer, .postgresql)
        let admin = StoreConnection(server, applicationName: "tests")
        try await admin.run("CREATE DATABASE \(identifier: name)")
        mqtt.user = "\(name):\(user)"
        database.path = "/\(name)"
        var environment = ProcessInfo.processInfo.environment
        environment["AMQP_URL"] = "amqp://\(user):\(amqp.password ?? "")@127.0.0.1:\(amqp.port ?? 0)/\(name)"
        environment["MQTT_URL"] =
            "mqtt://\(name)%3A\(user):\(amqp.password ?? "")@127.0.0.1:\(mqtt.port ?? 0)"
        environment["DATABASE_URL"] = database.string
        environment["HTTP_PORT"] = "0"
        environment["LOG_LEVEL"] = "info"
        let folder = FileManager.default.temporaryDirectory.appending(path: "sensor-services-\(name)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let settings = try Settings(environment: environment)
        let store = StoreConnection(settings.database, applicationName: "test \(name)")
        return TestSystem(
            name: name, environment: environment, store: store, folder: folder, databaseServer: server)
    }

    private func remove() async {
        for program in started.programs.withLock({ $0 }) where program.isRunning { program.signal(SIGKILL) }
        await store.close()
        _ = try? await TestServers.management("DELETE", "/api/vhosts/\(name)")
        let admin = StoreConnection(databaseServer, applicationName: "tests")
        _ = try? await admin.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        try? FileManager.default.removeItem(at: folder)
    }

    /// The first value of a query's first row, as a number.
    public func number(_ sql: SQL) async throws -> Int64 { try await store.number(sql) }

    /// Starts one of the five programs, or another one, by its path.
    public func start(
        _ program: String, _ arguments: [String] = [], changing: [String: String] = [:], log: String? = nil
    ) throws -> Program {
        let path = program.hasPrefix("/") ? program : Program.built(program).path
        let program = try Program(
            path, arguments, environment: environment.merging(changing) { _, new in new },
            log: folder.appending(path: "\(log ?? program)-\(UUID().uuidString.prefix(4)).log"))
        started.programs.withLock { $0.append(program) }
        return program
    }

    /// Runs one of the five programs, or another one, to its end.
    public func run(
        _ program: String, _ arguments: [String] = [], changing: [String: String] = [:], input: String? = nil,
        deadline: Duration = .seconds(120)
    ) async throws -> Program.Outcome {
        let path = program.hasPrefix("/") ? program : Program.built(program).path
        return try await Program.run(
            path, arguments, environment: environment.merging(changing) { _, new in new }, input: input,
            deadline: deadline)
    }
}

/// Waits until `condition` holds, asking again every 50 ms.
/// - Throws: `Program.Ended` at once if the condition says so; `Failure` naming `what` when `deadline` has passed; whatever the condition threw last counts as "not yet".
public func eventually(
    _ what: String, within deadline: Duration = .seconds(120), _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + deadline
    var last = ""
    while .now < end {
        do {
            if try await condition() { return }
        } catch let ended as Program.Ended {
            throw ended
        } catch { last = ": \(error)" }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw TestServers.Failure("not within \(deadline): \(what)\(last)")
}
