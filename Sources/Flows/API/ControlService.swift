internal import AMQP
internal import Control
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Store
internal import Support
internal import Time
internal import Wire

/// The calls of `iot.Control`, as functions from a request's bytes to a response's. They know nothing of gRPC.
///
/// All throw `ControlError`, `Rejection` for a request that cannot be read, `StoreError`, `BrokerError`, `NotConfirmed` and
/// `TimedOut`.
struct ControlService: Sendable {
    /// How long the database may take for a call.
    static let databaseTimeout: Duration = .seconds(10)
    /// The longest that a call waits for a sensor's answer.
    static let answerTimeoutMax: Duration = .seconds(600)
    /// The most sensors of a page.
    static let pageSizeMax = 1000
    /// The most sensors of a page that the client does not limit.
    static let pageSizeDefault = 100
    /// The longest name of a person or program, in bytes: as of a command's issuer.
    static let nameBytesMax = 128

    let context: Runtime
    /// Reads and acknowledgements; commands have connections of their own, because they wait.
    let store: StoreConnection

    init(_ context: Runtime) {
        self.context = context
        store = context.openStore("grpc")
    }

    // MARK: alarms

    /// Sends alarms until the task is cancelled; the first response tells the place.
    func watchAlarms(_ request: [UInt8], _ send: ([WatchAlarmsResponse]) async throws -> Void) async throws {
        let request = unsafe try ControlCodec.watchAlarms(request.span.bytes)
        var reader = try AlarmReader(context, request.start, try AlarmSelection(request))
        try await reader.run(send)
    }

    func acknowledge(_ request: [UInt8]) async throws -> [UInt8] {
        let request = unsafe try ControlCodec.acknowledge(request.span.bytes)
        guard !request.alarm.isEmpty, request.alarm.utf8.count <= 160 else {
            throw ControlError.invalid("alarm_id: 1 to 160 bytes")
        }
        try Self.check(name: request.by, of: "by")
        guard request.comment.utf8.count <= ControlCodec.textBytesMax else {
            throw ControlError.invalid("comment: at most \(ControlCodec.textBytesMax) bytes")
        }
        let at = try await within(Self.databaseTimeout) { [store] in
            try await store.acknowledge(alarm: request.alarm, by: request.by, comment: request.comment, at: .now)
        }
        guard let at else { throw ControlError.notFound("there is no alarm '\(request.alarm.prefix(160))'") }
        context.logger.info("alarm acknowledged", metadata: ["alarm": "\(request.alarm)", "by": "\(request.by)"])
        return ControlCodec.acknowledged(at: at)
    }

    // MARK: commands

    /// - Parameter caller: the caller's address, the issuer if the request names none.
    func sendCommand(_ request: [UInt8], from caller: String) async throws -> [UInt8] {
        let request = unsafe try ControlCodec.sendCommand(request.span.bytes)
        let sensor = try Self.serial(request.sensor)
        let rules = try Self.rules(request)
        guard SerialNumber(request.name) != nil else {
            throw ControlError.invalid("name: 1 to 64 characters of a-z A-Z 0-9 _ -")
        }
        if !request.issuer.isEmpty { try Self.check(name: request.issuer, of: "issuer") }
        let issuer = request.issuer.isEmpty ? "grpc \(caller)".cut(toBytes: Self.nameBytesMax) : request.issuer
        let command = CommandRequest(name: request.name, arguments: request.arguments, issuer: issuer)
        let store = context.openStore("grpc command")
        defer { Task { await store.close() } }
        let found = try await within(Self.databaseTimeout) {
            try await store.serials(matching: [SerialPattern(sensor.text)])
        }
        guard found.first?.isEmpty == false else { throw ControlError.notFound("there is no sensor \(sensor)") }
        let report = try await context.withBroker("grpc command", part: nil) { broker in
            try await Control.send(command, to: [sensor], over: broker, recordedIn: store, rules: rules)
        }
        guard let result = report.results.first, let id = result.id else {
            if case .broken(let error) = report.halt { throw error }
            throw ControlError.unavailable(report.results.first?.reason ?? "the command was not sent")
        }
        context.logger.info(
            "command \(request.name) to \(sensor): \(result.outcome.rawValue)",
            metadata: ["command": "\(id)", "issuer": "\(issuer)"])
        let seconds = (result.after ?? .zero).seconds
        return ControlCodec.encode(
            SendCommandResponse(
                id: id, outcome: result.outcome.rawValue, reason: result.reason, afterSeconds: seconds))
    }

    private static func rules(_ request: SendCommandRequest) throws(ControlError) -> RolloutRules {
        let level = request.waitFor.isEmpty ? .done : AckLevel(rawValue: request.waitFor)
        guard let level else {
            throw .invalid("wait_for: '\(request.waitFor.prefix(64))' is none of done, delivered, none")
        }
        var rules = RolloutRules(waitFor: level)
        if request.timeoutMilliseconds > 0 { rules.timeout = .milliseconds(Int64(request.timeoutMilliseconds)) }
        guard rules.timeout <= answerTimeoutMax else {
            throw .invalid("timeout_ms: at most \(answerTimeoutMax.components.seconds * 1000)")
        }
        if request.validMilliseconds > 0 {
            let longest = UInt64(CommandRequest.validityMax.components.seconds) * 1000
            guard request.validMilliseconds <= longest else { throw .invalid("valid_ms: at most \(longest), 49 days") }
            rules.validity = .milliseconds(Int64(request.validMilliseconds))
        }
        return rules
    }

    // MARK: sensors

    func getSensor(_ request: [UInt8]) async throws -> [UInt8] {
        let serial = try Self.serial(unsafe try ControlCodec.getSensor(request.span.bytes))
        let detail = try await within(Self.databaseTimeout) { [store] in try await store.sensorDetail(serial.text) }
        guard let detail else { throw ControlError.notFound("there is no sensor \(serial)") }
        return ControlCodec.encode(ControlSensor(detail))
    }

    func listSensors(_ request: [UInt8]) async throws -> [UInt8] {
        let request = unsafe try ControlCodec.listSensors(request.span.bytes)
        let patterns = try AlarmSelection.patterns(ofSerials: request.sensors)
        let selector = try Self.selector(request.selector)
        guard request.pageSize <= Self.pageSizeMax else {
            throw ControlError.invalid("page_size: at most \(Self.pageSizeMax)")
        }
        var after: SerialNumber?
        if !request.pageToken.isEmpty {
            after = SerialNumber(request.pageToken)
            if after == nil { throw ControlError.invalid("page_token: not of a page before") }
        }
        let size = request.pageSize == 0 ? Self.pageSizeDefault : Int(request.pageSize)
        // One more than the page: whether there is another page.
        let found = try await within(Self.databaseTimeout) { [store, after] in
            try await store.sensorPage(matching: selector, patterns, after: after, countMax: size + 1)
        }
        let page = found.prefix(size)
        return ControlCodec.encode(
            page.map { ControlSensor($0) }, next: found.count > size ? page.last?.serial ?? "" : "")
    }

    // MARK: checks

    private static func serial(_ text: String) throws(ControlError) -> SerialNumber {
        guard let serial = SerialNumber(text) else {
            throw .invalid("sensor: a serial number has 1 to 64 characters of a-z A-Z 0-9 _ -")
        }
        return serial
    }

    private static func selector(_ text: String) throws(ControlError) -> SensorSelector {
        if text.isEmpty { return .all }
        guard text.utf8.count <= ControlCodec.selectorBytesMax else {
            throw .invalid("selector: at most \(ControlCodec.selectorBytesMax) bytes")
        }
        do { return try SensorSelector(text) } catch { throw .invalid("selector: \(error)") }
    }

    private static func check(name: String, of field: String) throws(ControlError) {
        guard !name.isEmpty, name.utf8.count <= nameBytesMax else {
            throw .invalid("\(field): 1 to \(nameBytesMax) bytes")
        }
    }
}
