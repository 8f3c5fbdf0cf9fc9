internal import Foundation
internal import Synchronization

/// Stands between one ingester and the database, speaks enough of PostgreSQL's protocol to know what passes, and stops
/// the traffic at an exact point: a fault can then be put between two messages of one transaction.
///
/// Knows nothing of the program under test but three words of its SQL: `COPY measurement` begins the rows of a batch,
/// `ingest_commit(` ends it, and `ingest_chunk(` makes a chunk.
public final class DatabaseProxy: Sendable {
    /// Where the traffic is stopped.
    public enum Point: String, Sendable {
        /// The database has not been told of the COPY.
        case beforeCopy = "before COPY"
        /// Half of the first rows' message is on its way.
        case inCopy = "in COPY"
        /// All rows are there, the end of the transaction is not.
        case beforeCommit = "before COMMIT"
        /// It is committed, and the ingester does not know.
        case afterCommit = "after COMMIT"
        /// A chunk is made, and not yet committed.
        case inChunkCreation = "in a chunk creation"

        /// The points of a batch's transaction.
        public static let ofBatch: [Point] = [.beforeCopy, .inCopy, .beforeCommit, .afterCommit]
    }

    /// How the transaction that was stopped ended.
    public enum Outcome: Sendable, Equatable {
        /// By COMMIT.
        case committed
        /// By ROLLBACK.
        case rolledBack
        /// By an error; its SQLSTATE.
        case refused(String)
        /// Its connection ended.
        case disconnected
    }

    /// A connection that stands still.
    public struct Halted: Sendable {
        /// What the ingester calls it.
        public var applicationName: String
        /// The stream that it stores, if its name says so.
        public var stream: String?
    }

    struct State {
        var armed: Point?
        var halted: Link?
        var mayGoOn = false
        var isStalled = false
        var isClosed = false
        var links: [Link] = []
        var statements = 0
    }

    private let upstreamPort: UInt16
    private let listener: Int32
    /// Where the ingester finds the database.
    public let port: UInt16
    let state = Mutex(State())

    /// Listens on a port of its own, and leads to `upstreamPort` of this machine.
    public init(to upstreamPort: UInt16) throws {
        self.upstreamPort = upstreamPort
        let socket = try ListeningSocket()
        (listener, port) = (socket.descriptor, socket.port)
        Thread.detachNewThread { [self] in accept() }
    }

    private func accept() {
        while let client = Socket.accept(listener) {
            guard !state.withLock({ $0.isClosed }), let server = Socket.connect(to: upstreamPort) else {
                Socket.close(client)
                continue
            }
            let link = Link(client: client, server: server, proxy: self)
            state.withLock { $0.links.append(link) }
            link.start()
        }
        Socket.close(listener)
    }

    // MARK: what a test does

    /// Stops the next batch that comes to `point`.
    public func arm(_ point: Point) {
        state.withLock { state in
            state.armed = point
            state.halted = nil
            state.mayGoOn = false
        }
    }

    /// Waits until a batch stands still.
    /// - Throws: `TestServers.Failure` if none comes in time.
    public func halted(within deadline: Duration = .seconds(90)) async throws -> Halted {
        try await eventually("a batch stands still", within: deadline) { state.withLock { $0.halted != nil } }
        let name = state.withLock { $0.halted?.applicationName } ?? ""
        let stream = name.split(separator: " ").first { $0.hasPrefix("measurements.") }
        return Halted(applicationName: name, stream: stream.map(String.init))
    }

    /// Lets everything pass that was held, and what follows.
    public func release() {
        state.withLock { state in
            state.mayGoOn = true
            state.isStalled = false
        }
    }

    /// Ends the connection that stands still, on both sides; what was held is gone.
    public func cut() { state.withLock { $0.halted }?.cut() }

    /// Ends all connections; new ones are taken.
    public func cutAll() {
        let links = state.withLock { state in
            state.isStalled = false
            return state.links
        }
        for link in links { link.cut() }
    }

    /// Lets nothing pass on any connection, also on new ones, until `release`; all of them stay open.
    public func stall() { state.withLock { $0.isStalled = true } }

    /// How the transaction that was stopped has ended; nil: not yet.
    public var outcome: Outcome? { state.withLock { $0.halted }?.outcome }

    /// The statements that clients have sent so far on all connections; several in one message count once.
    public var statements: Int { state.withLock { $0.statements } }

    /// Ends everything.
    public func close() {
        state.withLock { $0.isClosed = true }
        cutAll()
        Socket.shutDown(listener)
    }

    // MARK: what a connection asks

    /// Whether the next batch at `point` is to stand still, seen from `link`.
    func isArmed(_ point: Point) -> Bool { state.withLock { $0.armed == point } }

    /// Stands still if this is the point; returns when traffic may go on, or the connection has been cut.
    func pass(_ point: Point, _ link: Link) {
        let stops = state.withLock { state in
            guard state.armed == point else { return false }
            state.armed = nil
            state.halted = link
            return true
        }
        if stops { link.wait { state.withLock { $0.mayGoOn } } }
    }

    /// Waits while nothing may pass.
    func passStall(_ link: Link) { link.wait { state.withLock { !$0.isStalled } } }

    /// Whether `link` is the connection that was stopped.
    func wasHalted(_ link: Link) -> Bool { state.withLock { $0.halted === link } }

    /// Counts a statement.
    func count() { state.withLock { $0.statements += 1 } }

    func forget(_ link: Link) { state.withLock { state in state.links.removeAll { $0 === link } } }
}

/// One connection through the proxy: a thread for each direction.
final class Link: Sendable {
    private struct State {
        var applicationName = ""
        var isCommitting = false
        var isCut = false
        var threads = 2
        var outcome: DatabaseProxy.Outcome?
    }

    /// What a message of the client begins.
    private enum Statement {
        case copy
        case commit
        case chunk
        case other
    }

    private let client: Int32
    private let server: Int32
    private let proxy: DatabaseProxy
    private let state = Mutex(State())

    init(client: Int32, server: Int32, proxy: DatabaseProxy) {
        self.client = client
        self.server = server
        self.proxy = proxy
    }

    var applicationName: String { state.withLock { $0.applicationName } }
    var outcome: DatabaseProxy.Outcome? { state.withLock { $0.outcome } }

    func start() {
        Thread.detachNewThread { [self] in
            if greet() { forwardStatements() }
            end()
        }
    }

    /// Ends both sides.
    func cut() {
        state.withLock { state in
            if state.threads > 0 {
                Socket.shutDown(client)
                Socket.shutDown(server)
            }
            state.isCut = true
        }
    }

    /// Naps until `condition` holds or the connection has been cut: the threads of a proxy have nothing better to do.
    func wait(until condition: () -> Bool) {
        while !condition(), !state.withLock({ $0.isCut }) { Thread.sleep(forTimeInterval: 0.002) }
    }

    private func end() {
        cut()
        let isLast = state.withLock { state in
            state.threads -= 1
            if state.outcome == nil { state.outcome = .disconnected }
            return state.threads == 0
        }
        guard isLast else { return }
        Socket.close(client)
        Socket.close(server)
        proxy.forget(self)
    }

    private func isCut() -> Bool { state.withLock { $0.isCut } }

    // MARK: client to server

    /// Messages before the first typed one. Encryption is refused, so that what follows can be read.
    /// - Returns: whether a session begins.
    private func greet() -> Bool {
        let encryptionRequests: Set<UInt32> = [80_877_103, 80_877_104]
        while let head = Socket.receive(client, 4) {
            guard let rest = Socket.receive(client, Int(head.number) - 4) else { break }
            if encryptionRequests.contains(rest.prefix(4).number) {
                guard Socket.send(client, [UInt8(ascii: "N")]) else { break }
                continue
            }
            let words = rest.dropFirst(4).split(separator: 0, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            if let index = words.firstIndex(of: "application_name"), index + 1 < words.count {
                state.withLock { $0.applicationName = words[index + 1] }
            }
            proxy.passStall(self)
            guard !isCut(), Socket.send(server, head + rest) else { break }
            Thread.detachNewThread { [self] in
                forwardAnswers()
                // Silence covers also that the server has gone.
                proxy.passStall(self)
                end()
            }
            return true
        }
        // There is no second thread.
        state.withLock { $0.threads = 1 }
        return false
    }

    private func forwardStatements() {
        var prepared: [[UInt8]: Statement] = [:]
        var isFirstOfCopy = false
        var hasMadeChunk = false
        while let message = Message(from: client) {
            var statement = Statement.other
            if ["Q", "P"].contains(message.type) { proxy.count() }
            switch message.type {
            case "Q": statement = Self.statement(in: message.body)
            case "P":
                statement = Self.statement(in: message.body)
                prepared[Array(message.body.prefix { $0 != 0 })] = statement
                if statement == .commit { statement = .other }
            case "B":
                let names = message.body.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
                if names.count > 1, prepared[Array(names[1])] == .commit { statement = .commit }
            default: break
            }
            switch statement {
            case .copy:
                isFirstOfCopy = true
                proxy.pass(.beforeCopy, self)
            case .commit:
                proxy.pass(.beforeCommit, self)
                state.withLock { $0.isCommitting = true }
            case .chunk: hasMadeChunk = true
            case .other:
                if hasMadeChunk, message.type == "Q" {
                    hasMadeChunk = false
                    proxy.pass(.inChunkCreation, self)
                }
            }
            var bytes = message.bytes[...]
            if message.type == "d", isFirstOfCopy {
                isFirstOfCopy = false
                if proxy.isArmed(.inCopy) {
                    guard Socket.send(server, Array(bytes.prefix(bytes.count / 2))) else { return }
                    bytes = bytes.dropFirst(bytes.count / 2)
                    proxy.pass(.inCopy, self)
                }
            }
            proxy.passStall(self)
            guard !isCut(), Socket.send(server, Array(bytes)) else { return }
        }
    }

    private static func statement(in body: [UInt8]) -> Statement {
        let text = String(decoding: body, as: UTF8.self)
        if text.contains("ingest_commit(") { return .commit }
        if text.contains("COPY measurement") { return .copy }
        return text.contains("ingest_chunk(") ? .chunk : .other
    }

    // MARK: server to client

    private func forwardAnswers() {
        while let message = Message(from: server) {
            let end = Self.end(message)
            if end == .committed, state.withLock({ $0.isCommitting }) { proxy.pass(.afterCommit, self) }
            if let end, proxy.wasHalted(self) {
                state.withLock { state in if state.outcome == nil { state.outcome = end } }
            }
            if message.type == "Z", message.body.first == UInt8(ascii: "I") {
                state.withLock { $0.isCommitting = false }
            }
            proxy.passStall(self)
            guard !isCut(), Socket.send(client, message.bytes) else { return }
        }
    }

    /// How the message ends a transaction, if it does.
    private static func end(_ message: Message) -> DatabaseProxy.Outcome? {
        let fields = message.body.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        switch message.type {
        case "C": return fields.first == "COMMIT" ? .committed : fields.first == "ROLLBACK" ? .rolledBack : nil
        case "E": return .refused(fields.first { $0.hasPrefix("C") }.map { String($0.dropFirst()) } ?? "")
        default: return nil
        }
    }
}

/// A typed message of PostgreSQL's protocol, version 3.
private struct Message {
    var type: Character
    var body: [UInt8]
    /// The whole of it.
    var bytes: [UInt8]

    /// Reads one; nil if the connection has ended.
    init?(from socket: Int32) {
        guard let head = Socket.receive(socket, 5) else { return nil }
        let length = Int(head.dropFirst().number)
        guard length >= 4, let body = Socket.receive(socket, length - 4) else { return nil }
        type = Character(Unicode.Scalar(head[0]))
        self.body = body
        bytes = head + body
    }
}

extension Collection where Element == UInt8 {
    /// The bytes as one number, the greatest first.
    fileprivate var number: UInt32 { reduce(0) { $0 << 8 | UInt32($1) } }
}

/// Blocking TCP sockets on 127.0.0.1.
private enum Socket {
    static func accept(_ listener: Int32) -> Int32? {
        while true {
            let socket = Foundation.accept(listener, nil, nil)
            if socket >= 0 {
                sendAtOnce(socket)
                return socket
            }
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    static func connect(to port: UInt16) -> Int32? {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = local(port: port)
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Foundation.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(socket)
            return nil
        }
        sendAtOnce(socket)
        return socket
    }

    /// Exactly that many bytes; nil if the connection ends before.
    static func receive(_ socket: Int32, _ count: Int) -> [UInt8]? {
        guard count > 0 else { return count == 0 ? [] : nil }
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let received = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe recv(socket, buffer.baseAddress.map { unsafe $0 + done }, count - done, 0)
            }
            if received > 0 { done += received } else if received == 0 || errno != EINTR { return nil }
        }
        return bytes
    }

    /// - Returns: whether all of it was taken.
    static func send(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Foundation.send(
                    socket, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if sent > 0 { done += sent } else if errno != EINTR { return false }
        }
        return true
    }

    static func shutDown(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_RDWR)) }

    static func close(_ socket: Int32) { _ = Foundation.close(socket) }

    private static func sendAtOnce(_ socket: Int32) {
        var yes: Int32 = 1
        _ = unsafe setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func local(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
