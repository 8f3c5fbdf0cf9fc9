#if GRPC
internal import Broker
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Logging
internal import Messaging
internal import Model
internal import Postgres
internal import Service
internal import Support
internal import Synchronization
internal import Time
internal import Wire

/// The gRPC server: connections, limits, status codes. What the calls do is in `ControlService`.
struct ControlServer: Sendable {
    /// The largest request, in bytes: 64 arguments with texts of 4 KiB.
    static let requestBytesMax = 512 << 10
    /// The most calls at a time over one connection.
    static let callsPerConnectionMax = 100
    /// The most clients that watch alarms: each has a connection to the broker.
    static let watchesMax = 64
    /// The most commands that wait for their answers: each has a connection to the broker and one to the database.
    static let commandsMax = 32
    /// How long a client may take nothing of what is ready for it, before its watch is ended.
    static let writeTimeout: Duration = .seconds(10)
    /// How long a client may take to send its request.
    static let requestTimeout: Duration = .seconds(10)
    /// The time that calls have to end after SIGTERM.
    static let shutdownTimeout: Duration = .seconds(2)

    private let context: Runtime
    private let host: String
    private let port: UInt16

    init(_ context: Runtime, host: String, port: UInt16) {
        self.context = context
        self.host = host
        self.port = port
    }

    /// Serves until the task is cancelled, and then until the calls have ended.
    func run() async throws {
        APIMetrics.prepare(context.metrics)
        let service = ControlService(context)
        let transport = HTTP2ServerTransport.Posix(
            address: host.contains(":")
                ? .ipv6(host: host, port: Int(port)) : .ipv4(host: host, port: Int(port)),
            transportSecurity: .plaintext,
            config: .defaults {
                $0.http2.maxConcurrentStreams = Self.callsPerConnectionMax
                $0.rpc.maxRequestPayloadSize = Self.requestBytesMax
                // An alarm must not wait for another one.
                $0.connection.flushCoalescing = nil
                // A client that is gone without a word holds its watch for at most 40 s.
                $0.connection.keepalive.time = .seconds(30)
                $0.connection.keepalive.timeout = .seconds(10)
                $0.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
                $0.connection.keepalive.clientBehavior.allowWithoutCalls = true
            })
        let server = GRPCServer(transport: transport, services: [ControlCalls(context, service)])
        // Not a child: its calls end gracefully after this task was cancelled.
        let serving = Task { try await server.serve() }
        let telling = Task { [context] in
            guard let port = try await transport.listeningAddress.port else { return }
            context.logger.info("listening for gRPC", metadata: ["grpc_port": "\(port)"])
        }
        defer { telling.cancel() }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            server.beginGracefulShutdown()
            Task {
                try await Task.sleep(for: Self.shutdownTimeout)
                serving.cancel()
            }
        }
        await service.store.close()
    }
}

extension SocketAddress {
    fileprivate var port: Int? { ipv4?.port ?? ipv6?.port }
}

// MARK: - calls

/// The calls of `iot.Control` as gRPC knows them.
private struct ControlCalls: RegistrableRPCService {
    private let context: Runtime
    private let service: ControlService
    private let watches = Slots(ControlServer.watchesMax, of: "clients that watch alarms")
    private let commands = Slots(ControlServer.commandsMax, of: "commands that wait for an answer")

    init(_ context: Runtime, _ service: ControlService) {
        self.context = context
        self.service = service
    }

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        register(.watchAlarms, with: &router) { request, call in
            StreamingServerResponse(metadata: [:]) { writer in
                try await counting(.watchAlarms) { try await watchAlarms(request, writer, call) }
                return [:]
            }
        }
        unary(.acknowledge, with: &router) { request, _ in try await service.acknowledge(request) }
        unary(.getSensor, with: &router) { request, _ in try await service.getSensor(request) }
        unary(.listSensors, with: &router) { request, _ in try await service.listSensors(request) }
        unary(.sendCommand, with: &router) { request, call in
            try commands.take()
            defer { commands.giveBack() }
            return try await service.sendCommand(request, from: call.remotePeer)
        }
    }

    private func unary<Transport: ServerTransport>(
        _ method: ControlMethod, with router: inout RPCRouter<Transport>,
        _ body: @escaping @Sendable ([UInt8], ServerContext) async throws -> [UInt8]
    ) {
        register(method, with: &router) { request, call in
            let answer = try await counting(method) {
                try await call.untilCancelled { try await body(request, call) }
            }
            return StreamingServerResponse(single: ServerResponse(message: answer))
        }
    }

    private func register<Transport: ServerTransport>(
        _ method: ControlMethod, with router: inout RPCRouter<Transport>,
        _ body:
            @escaping @Sendable ([UInt8], ServerContext) async throws -> StreamingServerResponse<[UInt8]>
    ) {
        router.registerHandler(
            forMethod: MethodDescriptor(
                fullyQualifiedService: ControlMethod.service, method: method.rawValue),
            deserializer: Bytes(), serializer: Bytes()
        ) { request, call in
            do {
                let message = try await within(ControlServer.requestTimeout) {
                    try await ServerRequest(stream: request).message
                }
                return try await body(message, call)
            } catch { throw RPCError(of: error) }
        }
    }

    private func watchAlarms(
        _ request: [UInt8], _ writer: RPCWriter<[UInt8]>, _ call: ServerContext
    ) async throws {
        try watches.take()
        APIMetrics.noteWatches(watches.taken, in: context.metrics)
        context.logger.info("a client watches alarms", metadata: ["client": "\(call.remotePeer)"])
        defer {
            watches.giveBack()
            APIMetrics.noteWatches(watches.taken, in: context.metrics)
            context.logger.info("a client no longer watches alarms", metadata: ["client": "\(call.remotePeer)"])
        }
        try await call.untilCancelled {
            try await service.watchAlarms(request) { try await write($0, to: writer) }
        }
    }

    /// Writes responses, and waits while the client's window and the buffers of its connection are full.
    /// - Throws: `SlowClient` after `writeTimeout`.
    private func write(_ responses: [WatchAlarmsResponse], to writer: RPCWriter<[UInt8]>) async throws {
        if responses.isEmpty { return }
        let messages = try responses.map { try ControlCodec.encode($0) }
        do {
            try await within(ControlServer.writeTimeout) { try await writer.write(contentsOf: messages) }
        } catch is TimedOut { throw SlowClient() }
        let now = Timestamp.now
        let delays = responses.compactMap { $0.event.map { now.seconds(since: $0.received) } }
        APIMetrics.noteSent(delays.count, delays: delays, in: context.metrics)
    }

    /// Runs a call, turns its error into a status, and counts it.
    private func counting<Value>(
        _ method: ControlMethod, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            let value = try await body()
            APIMetrics.noteCall(method, code: "OK", in: context.metrics)
            return value
        } catch {
            let status = RPCError(of: error)
            APIMetrics.noteCall(method, code: "\(status.code)", in: context.metrics)
            if error is SlowClient {
                APIMetrics.noteDropped(1, in: context.metrics)
                context.logger.warning("a client that watches alarms took nothing for \(ControlServer.writeTimeout)")
                // The status would wait for the client too. The end of a cancelled task resets the stream instead.
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            } else if status.code == .internalError {
                context.logger.error("\(method.rawValue): \(error)")
            }
            throw status
        }
    }
}

/// A client took nothing for `ControlServer.writeTimeout`.
private struct SlowClient: Error, CustomStringConvertible {
    let description = "the client read too slowly"
}

/// A limit on things that go on at the same time.
private final class Slots: Sendable {
    private let most: Int
    private let what: String
    private let count = Mutex(0)

    init(_ most: Int, of what: String) {
        self.most = most
        self.what = what
    }

    /// The number that go on.
    var taken: Int { count.withLock { $0 } }

    /// - Throws: `ControlError.exhausted` if no more may go on.
    func take() throws(ControlError) {
        let isFull = count.withLock { count in
            if count == most { return true }
            count += 1
            return false
        }
        if isFull { throw .exhausted("there are \(most) \(what) already") }
    }

    func giveBack() { count.withLock { $0 -= 1 } }
}

// MARK: - gRPC

/// Messages stay bytes here; `ControlCodec` knows them.
private struct Bytes: MessageSerializer, MessageDeserializer {
    func serialize<Body: GRPCContiguousBytes>(_ message: [UInt8]) -> Body { Body(message) }

    func deserialize<Body: GRPCContiguousBytes>(_ body: Body) -> [UInt8] {
        unsafe body.withUnsafeBytes { unsafe Array($0) }
    }
}

extension ServerContext {
    /// Runs `work`, and cancels it when the client has gone or the server ends: gRPC does not cancel a call's task.
    fileprivate func untilCancelled<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await work() }
            group.addTask { [cancellation] in
                try await cancellation.cancelled
                throw ControlError.unavailable("the call was cancelled, or sensor-registry ends")
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}

extension RPCError {
    /// The status for an error of a call.
    fileprivate init(of error: any Error) {
        let code: RPCError.Code =
            switch error {
            case let error as RPCError: error.code
            case let error as ControlError:
                switch error {
                case .invalid: .invalidArgument
                case .notFound: .notFound
                case .outOfRange: .outOfRange
                case .exhausted: .resourceExhausted
                case .unavailable: .unavailable
                }
            case is Rejection: .invalidArgument
            case let error as StoreError: error.advice == .retry ? .unavailable : .internalError
            case is BrokerError, is NotConfirmed, is TimedOut, is CancellationError: .unavailable
            case is SlowClient: .resourceExhausted
            default: .internalError
            }
        self.init(code: code, message: (error as? RPCError)?.message ?? "\(error)")
    }
}
#endif
