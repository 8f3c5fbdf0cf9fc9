internal import Broker
internal import CRabbitMQ
internal import Endpoint
internal import Glibc
internal import Support

/// The only owner of a librabbitmq connection. All C calls of this target are in this file.
///
/// "An amqp_connection_state_t object cannot be safely used by multiple threads" (alanxz/rabbitmq-c#428): the actor
/// that holds it runs on one thread.
@safe
struct AMQPHandle: ~Copyable {
    private let state: amqp_connection_state_t
    /// Seconds: how long any call that needs an answer waits for it.
    private static let rpcTimeoutSeconds = 15
    /// Seconds: the maximum time of a TCP connection attempt.
    private static let connectTimeoutSeconds = 10
    /// Bytes: the largest frame that the broker and this client agree on, and so the largest that is sent.
    private static let frameBytesMax: Int32 = 131_072
    /// Bytes: the largest frame that is accepted. All headers of a message are in one frame, and the broker sends them
    /// whatever was agreed: as many as an MQTT packet may hold, 16 MiB by default.
    private static let receivedBytesMax: Int32 = 32 << 20
    /// The tag of a channel's only consumer; tags are local to a channel.
    private static let consumerTag = "reader"

    /// A message of the broker.
    enum Incoming {
        /// Nothing more for now.
        case nothing
        /// A message for a consumer.
        case delivery(channel: UInt16, Delivery)
        /// The publish with this tag, or with `multiple` all up to it, was accepted (if not `ok`, refused).
        case confirm(tag: UInt64, multiple: Bool, ok: Bool)
        /// A publish was returned because no binding matches; its `message_id` is the tag.
        case returned(tag: UInt64?)
        /// The broker blocks publishers for now.
        case blocked(reason: String)
        /// The broker accepts publishes again.
        case unblocked
        /// The broker cancelled a consumer.
        case cancelled(channel: UInt16)
        /// The broker closed the channel because of an error.
        case channelClosed(channel: UInt16, code: Int, text: String)
        /// The broker closed the connection.
        case connectionClosed(code: Int, text: String)
        /// A message that needs no action.
        case other
    }

    // MARK: opening and closing

    /// A connection that is not connected yet.
    init() throws(BrokerError) {
        guard let state = unsafe amqp_new_connection() else { throw .lost("no memory for a connection") }
        unsafe self.state = state
    }

    /// Connects and logs in.
    func connect(_ endpoint: Endpoint, name: String, heartbeatSeconds: Int32) throws(BrokerError) {
        do { try endpoint.requirePlain() } catch { throw .refused(error.description) }
        guard let socket = unsafe amqp_tcp_socket_new(state) else { throw .lost("no memory for a socket") }
        do throws(TCPSocket.Failure) {
            let descriptor = try TCPSocket.connect(
                host: endpoint.host.name, port: Int(endpoint.host.port), within: .seconds(Self.connectTimeoutSeconds))
            unsafe amqp_tcp_socket_set_sockfd(socket, descriptor)
        } catch { throw .unreachable("\(endpoint): \(error)") }
        var handshakeTimeout = timeval(tv_sec: Self.rpcTimeoutSeconds, tv_usec: 0)
        unsafe amqp_set_handshake_timeout(state, &handshakeTimeout)
        unsafe amqp_set_rpc_timeout(state, &handshakeTimeout)
        try logIn(endpoint, name: name, heartbeatSeconds: heartbeatSeconds)
    }

    /// Calls `body` with the connection, for callers that hold it in an optional.
    func perform<Result>(
        _ body: (borrowing AMQPHandle) throws(BrokerError) -> Result
    ) throws(BrokerError) -> Result {
        try body(self)
    }

    deinit { unsafe amqp_destroy_connection(state) }

    /// Closes the connection gracefully; earlier publishes are sent first. A broker that blocks publishers does not read
    /// the request: the answer is awaited for 2 s at most.
    func close() {
        var timeout = timeval(tv_sec: 2, tv_usec: 0)
        unsafe amqp_set_rpc_timeout(state, &timeout)
        _ = unsafe amqp_connection_close(state, AMQP_REPLY_SUCCESS)
    }

    /// The socket, for poll(2).
    var descriptor: Int32 { unsafe amqp_get_sockfd(state) }

    /// Announces capabilities that librabbitmq 0.11 does not announce by itself: without `connection.blocked` and
    /// `consumer_cancel_notify` the broker sends neither.
    private func logIn(_ endpoint: Endpoint, name: String, heartbeatSeconds: Int32) throws(BrokerError) {
        let arena = TableArena()
        let capabilities = unsafe arena.table([
            ("connection.blocked", .flag(true)), ("consumer_cancel_notify", .flag(true)), ("basic.nack", .flag(true)),
            ("publisher_confirms", .flag(true)), ("authentication_failure_close", .flag(true)),
        ])
        var properties = unsafe arena.table(
            [("connection_name", .text(name))], adding: ("capabilities", capabilities))
        let reply = unsafe crabbitmq_login(
            state, endpoint.path, Self.frameBytesMax, heartbeatSeconds, &properties, endpoint.user,
            endpoint.password.text)
        withExtendedLifetime(arena) {}
        if unsafe reply.reply_type == AMQP_RESPONSE_NORMAL { return }
        let reason = unsafe Self.text(of: reply)
        // A broker that shuts down, or has no free connection, ends the handshake without a reason; a refused login has one.
        if unsafe reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION, reason.code == 403 || reason.code == 530 {
            throw .refused("\(endpoint): \(reason.text)")
        }
        throw .unreachable("\(endpoint): \(reason.text)")
    }

    // MARK: calls that wait for an answer

    func openChannel(_ channel: UInt16) throws(BrokerError) {
        _ = unsafe amqp_channel_open(state, channel)
        try check("channel.open", channel)
    }

    func closeChannel(_ channel: UInt16) throws(BrokerError) {
        let reply = unsafe amqp_channel_close(state, channel, AMQP_REPLY_SUCCESS)
        try unsafe check("channel.close", channel, reply)
    }

    func selectConfirms(_ channel: UInt16) throws(BrokerError) {
        _ = unsafe amqp_confirm_select(state, channel)
        try check("confirm.select", channel)
    }

    /// The broker's product and version, such as "RabbitMQ 4.0.5"; nil if the broker sent neither.
    var product: String? {
        guard let properties = unsafe amqp_get_server_properties(state) else { return nil }
        var words = ["product": "", "version": ""]
        for index in unsafe 0..<Int(properties.pointee.num_entries) {
            let entry = unsafe properties.pointee.entries[index]
            let name = unsafe Self.string(entry.key)
            if words[name] != nil { unsafe words[name] = Self.text(entry.value) }
        }
        let product = [words["product"] ?? "", words["version"] ?? ""].filter { !$0.isEmpty }
        return product.isEmpty ? nil : product.joined(separator: " ")
    }

    func declare(
        _ exchange: Topology.Exchange, _ channel: UInt16, passive: Bool = false
    ) throws(BrokerError) {
        let arena = TableArena()
        let arguments = unsafe arena.table(exchange.alternate.map { [("alternate-exchange", .text($0))] } ?? [])
        _ = unsafe amqp_exchange_declare(
            state, channel, arena.bytes(exchange.name), arena.bytes(exchange.type), passive ? 1 : 0, 1, 0, 0, arguments)
        withExtendedLifetime(arena) {}
        try check("exchange.declare \(exchange.name)", channel)
    }

    /// Declares a queue.
    /// - Returns: its name, which the broker chose if it was empty, and the numbers of its messages and consumers.
    func declare(
        _ queue: Topology.Queue, _ channel: UInt16, passive: Bool = false
    ) throws(BrokerError) -> (name: String, messages: Int, consumers: Int) {
        let arena = TableArena()
        var arguments: [(String, TableArena.Value)] = [("x-queue-type", .text(queue.kind.rawValue))]
        if queue.singleActiveConsumer { arguments.append(("x-single-active-consumer", .flag(true))) }
        if let lengthMax = queue.lengthMax { arguments.append(("x-max-length", .number(lengthMax))) }
        let answer = unsafe amqp_queue_declare(
            state, channel, arena.bytes(queue.name), passive ? 1 : 0, queue.exclusive ? 0 : 1, queue.exclusive ? 1 : 0,
            queue.exclusive ? 1 : 0, arena.table(arguments))
        withExtendedLifetime(arena) {}
        try check("queue.declare \(queue.name)", channel)
        guard let answer = unsafe answer else { return (queue.name, 0, 0) }
        return unsafe (
            Self.string(answer.pointee.queue), Int(answer.pointee.message_count), Int(answer.pointee.consumer_count)
        )
    }

    func delete(queue: String, _ channel: UInt16) throws(BrokerError) {
        let arena = TableArena()
        _ = unsafe amqp_queue_delete(state, channel, arena.bytes(queue), 0, 0)
        withExtendedLifetime(arena) {}
        try check("queue.delete \(queue)", channel)
    }

    /// Removes a binding between two exchanges; it is not an error if there is none.
    func unbind(exchange: String, from source: String, key: String, _ channel: UInt16) throws(BrokerError) {
        let arena = TableArena()
        _ = unsafe amqp_exchange_unbind(
            state, channel, arena.bytes(exchange), arena.bytes(source), arena.bytes(key), arena.table([]))
        withExtendedLifetime(arena) {}
        try check("exchange.unbind \(source)", channel)
    }

    func bind(_ binding: Topology.Binding, _ channel: UInt16) throws(BrokerError) {
        let arena = TableArena()
        let source = unsafe arena.bytes(binding.source)
        let key = unsafe arena.bytes(binding.key)
        switch binding.destination {
        case .queue(let name):
            _ = unsafe amqp_queue_bind(state, channel, arena.bytes(name), source, key, arena.table([]))
        case .exchange(let name):
            _ = unsafe amqp_exchange_bind(state, channel, arena.bytes(name), source, key, arena.table([]))
        }
        withExtendedLifetime(arena) {}
        try check("bind \(binding.source) \(binding.key)", channel)
    }

    func consume(_ options: ConsumerOptions, _ channel: UInt16) throws(BrokerError) {
        let arena = TableArena()
        let offset: [(String, TableArena.Value)] =
            switch options.offset {
            case nil: []
            case .first: [("x-stream-offset", .text("first"))]
            case .last: [("x-stream-offset", .text("last"))]
            case .next: [("x-stream-offset", .text("next"))]
            case .offset(let offset): [("x-stream-offset", .number(offset))]
            case .timestamp(let seconds): [("x-stream-offset", .time(unixSeconds: seconds))]
            }
        _ = unsafe amqp_basic_qos(state, channel, 0, options.prefetch, 0)
        try check("basic.qos", channel)
        try tune(frameBytesMax: Self.receivedBytesMax)
        _ = unsafe amqp_basic_consume(
            state, channel, arena.bytes(options.queue), arena.bytes(Self.consumerTag), 0, options.noAck ? 1 : 0, 0,
            arena.table(offset))
        withExtendedLifetime(arena) {}
        try check("basic.consume \(options.queue)", channel)
    }

    /// Sets the library's bound for frames in both directions. Of its buffer of that size only the used part takes memory.
    private func tune(frameBytesMax: Int32) throws(BrokerError) {
        guard unsafe amqp_get_frame_max(state) != frameBytesMax else { return }
        try Self.check(
            unsafe amqp_tune_connection(
                state, amqp_get_channel_max(state), frameBytesMax, amqp_get_heartbeat(state)), "tuning")
    }

    /// Ends the consumer of a channel; messages that were on their way can still be read.
    func cancel(_ channel: UInt16) throws(BrokerError) {
        let arena = TableArena()
        _ = unsafe amqp_basic_cancel(state, channel, arena.bytes(Self.consumerTag))
        withExtendedLifetime(arena) {}
        try check("basic.cancel", channel)
    }

    // MARK: calls that don't wait

    func publish(_ message: OutgoingMessage, tag: UInt64, _ channel: UInt16) throws(BrokerError) {
        let received = unsafe amqp_get_frame_max(state)
        // The library cuts a larger body into frames of its bound.
        if received > Self.frameBytesMax, message.body.count > Self.frameBytesMax / 2 {
            try tune(frameBytesMax: Self.frameBytesMax)
            try send(message, tag: tag, channel)
            return try tune(frameBytesMax: received)
        }
        try send(message, tag: tag, channel)
    }

    private func send(_ message: OutgoingMessage, tag: UInt64, _ channel: UInt16) throws(BrokerError) {
        var properties = unsafe amqp_basic_properties_t()
        unsafe properties._flags = amqp_flags_t(AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG)
        unsafe properties.delivery_mode = 2
        let status = unsafe withBytes(of: message.exchange) { exchange in
            unsafe withBytes(of: message.key) { key in
                unsafe withBytes(of: String(tag)) { id in
                    unsafe withBytes(of: message.expirationMilliseconds.map { String(max(0, $0)) } ?? "") {
                        expiration in
                        unsafe properties.message_id = id
                        if message.expirationMilliseconds != nil {
                            unsafe properties._flags |= amqp_flags_t(AMQP_BASIC_EXPIRATION_FLAG)
                            unsafe properties.expiration = expiration
                        }
                        return unsafe message.body.withUnsafeBytes { body in
                            let bytes = unsafe amqp_bytes_t(
                                len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
                            return unsafe amqp_basic_publish(state, channel, exchange, key, 1, 0, &properties, bytes)
                        }
                    }
                }
            }
        }
        try Self.check(status, "basic.publish")
    }

    func acknowledge(upTo tag: UInt64, _ channel: UInt16) throws(BrokerError) {
        try Self.check(unsafe amqp_basic_ack(state, channel, tag, 1), "basic.ack")
    }

    func reject(_ tag: UInt64, _ channel: UInt16) throws(BrokerError) {
        try Self.check(unsafe amqp_basic_reject(state, channel, tag, 0), "basic.reject")
    }

    /// Sends a heartbeat now; while the socket is being read the library sends them by itself.
    func sendHeartbeat() throws(BrokerError) {
        var frame = unsafe amqp_frame_t()
        unsafe frame.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
        try Self.check(unsafe amqp_send_frame(state, &frame), "heartbeat")
    }

    // MARK: reading

    /// Whether the library has buffered data, which poll(2) does not see.
    var hasBuffered: Bool { unsafe amqp_frames_enqueued(state) != 0 || amqp_data_in_buffer(state) != 0 }

    /// Reads the next message of the broker, without waiting for its beginning. Sends a heartbeat when one is due.
    func next() throws(BrokerError) -> Incoming {
        unsafe amqp_maybe_release_buffers(state)
        var frame = unsafe amqp_frame_t()
        var now = timeval(tv_sec: 0, tv_usec: 0)
        let status = unsafe amqp_simple_wait_frame_noblock(state, &frame, &now)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return .nothing }
        try Self.check(status, "reading")
        guard unsafe frame.frame_type == UInt8(AMQP_FRAME_METHOD) else { return .other }
        return try unsafe incoming(frame.payload.method, frame.channel)
    }

    private func incoming(_ method: amqp_method_t, _ channel: UInt16) throws(BrokerError) -> Incoming {
        guard let decoded = unsafe method.decoded else { return .other }
        switch unsafe method.id {
        case AMQP_BASIC_DELIVER_METHOD:
            return try unsafe delivery(decoded.load(as: amqp_basic_deliver_t.self), channel)
        case AMQP_BASIC_ACK_METHOD:
            let ack = unsafe decoded.load(as: amqp_basic_ack_t.self)
            return .confirm(tag: ack.delivery_tag, multiple: ack.multiple != 0, ok: true)
        case AMQP_BASIC_NACK_METHOD:
            let nack = unsafe decoded.load(as: amqp_basic_nack_t.self)
            return .confirm(tag: nack.delivery_tag, multiple: nack.multiple != 0, ok: false)
        case AMQP_BASIC_RETURN_METHOD: return try returned(channel)
        case AMQP_CONNECTION_BLOCKED_METHOD:
            return unsafe .blocked(reason: Self.string(decoded.load(as: amqp_connection_blocked_t.self).reason))
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
        case AMQP_BASIC_CANCEL_METHOD: return .cancelled(channel: channel)
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_channel_close_t.self)
            return unsafe .channelClosed(
                channel: channel, code: Int(close.reply_code), text: Self.string(close.reply_text))
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_connection_close_t.self)
            return unsafe .connectionClosed(code: Int(close.reply_code), text: Self.string(close.reply_text))
        default: return .other
        }
    }

    private func delivery(_ deliver: amqp_basic_deliver_t, _ channel: UInt16) throws(BrokerError) -> Incoming {
        // The strings of `deliver` live in the library's buffers, which reading the message may release: copy first.
        let key = unsafe Self.string(deliver.routing_key)
        var message = unsafe amqp_message_t()
        let reply = unsafe amqp_read_message(state, channel, &message, 0)
        try unsafe check("reading a message", channel, reply)
        defer { unsafe amqp_destroy_message(&message) }
        var delivery = unsafe Delivery(
            tag: deliver.delivery_tag, key: key,
            body: [UInt8](UnsafeRawBufferPointer(start: message.body.bytes, count: message.body.len)))
        delivery.isRedelivered = unsafe deliver.redelivered != 0
        if unsafe message.properties._flags & amqp_flags_t(AMQP_BASIC_HEADERS_FLAG) != 0 {
            unsafe Self.readHeaders(message.properties.headers, into: &delivery)
        }
        return .delivery(channel: channel, delivery)
    }

    private func returned(_ channel: UInt16) throws(BrokerError) -> Incoming {
        var message = unsafe amqp_message_t()
        let reply = unsafe amqp_read_message(state, channel, &message, 0)
        try unsafe check("reading a returned message", channel, reply)
        defer { unsafe amqp_destroy_message(&message) }
        return unsafe .returned(tag: UInt64(Self.string(message.properties.message_id)))
    }

    private static func readHeaders(_ headers: amqp_table_t, into delivery: inout Delivery) {
        var reason: String?
        var queue: String?
        for index in unsafe 0..<Int(headers.num_entries) {
            let entry = unsafe headers.entries[index]
            // The two headers of every message of a stream come first, and are compared as bytes.
            if unsafe isText(entry.key, "x-stream-offset") {
                delivery.streamOffset = unsafe integer(entry.value)
            } else if unsafe isText(entry.key, "timestamp_in_ms") {
                delivery.receivedUnixMilliseconds = unsafe integer(entry.value)
            } else if unsafe isText(entry.key, "x-first-death-reason") {
                reason = unsafe text(entry.value)
            } else if unsafe isText(entry.key, "x-first-death-queue") {
                queue = unsafe text(entry.value)
            }
        }
        if let reason { delivery.deathReason = "\(reason) from \(queue ?? "?")" }
    }

    private static func isText(_ bytes: amqp_bytes_t, _ text: StaticString) -> Bool {
        let wanted = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard unsafe bytes.len == wanted.count else { return false }
        return unsafe UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len).elementsEqual(wanted)
    }

    /// The text of a header; nil for a header of another type.
    private static func text(_ field: amqp_field_value_t) -> String? {
        guard unsafe field.kind == UInt8(AMQP_FIELD_KIND_UTF8.rawValue) else { return nil }
        return unsafe string(field.value.bytes)
    }

    private static func integer(_ field: amqp_field_value_t) -> Int64? {
        switch unsafe UInt32(field.kind) {
        case UInt32(AMQP_FIELD_KIND_I64.rawValue), UInt32(AMQP_FIELD_KIND_TIMESTAMP.rawValue):
            unsafe field.value.i64
        case UInt32(AMQP_FIELD_KIND_U64.rawValue): unsafe Int64(exactly: field.value.u64)
        case UInt32(AMQP_FIELD_KIND_I32.rawValue): unsafe Int64(field.value.i32)
        case UInt32(AMQP_FIELD_KIND_U32.rawValue): unsafe Int64(field.value.u32)
        default: nil
        }
    }

    // MARK: errors and bytes

    private func check(_ operation: String, _ channel: UInt16) throws(BrokerError) {
        try unsafe check(operation, channel, amqp_get_rpc_reply(state))
    }

    private func check(_ operation: String, _ channel: UInt16, _ reply: amqp_rpc_reply_t) throws(BrokerError) {
        if unsafe reply.reply_type == AMQP_RESPONSE_NORMAL { return }
        let reason = unsafe Self.text(of: reply)
        guard unsafe reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION,
            unsafe reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD
        else { throw unsafe Self.error(operation, reply) }
        var answer = amqp_channel_close_ok_t()
        unsafe amqp_send_method(state, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer)
        throw .rejected(operation: operation, code: reason.code, text: reason.text)
    }

    private static func check(_ status: Int32, _ operation: String) throws(BrokerError) {
        guard status == AMQP_STATUS_OK.rawValue else { throw error(operation, status) }
    }

    private static func error(_ operation: String, _ status: Int32) -> BrokerError {
        let words = "\(operation): \(text(of: status))"
        return status == AMQP_STATUS_BAD_AMQP_DATA.rawValue ? .undeliverable(words) : .lost(words)
    }

    private static func error(_ operation: String, _ reply: amqp_rpc_reply_t) -> BrokerError {
        if unsafe reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION {
            return unsafe error(operation, reply.library_error)
        }
        let reason = unsafe text(of: reply)
        return .closed(code: reason.code, "\(operation): \(reason.code) \(reason.text)")
    }

    /// The text for a status of the library; to be called right after the call that returned it, before `errno` changes.
    private static func text(of status: Int32) -> String {
        text(of: status, errno: errno)
    }

    /// The text for a status of the library, whose own text for most broken connections is "a socket error occurred".
    static func text(of status: Int32, errno: Int32) -> String {
        switch status {
        case AMQP_STATUS_SOCKET_ERROR.rawValue, AMQP_STATUS_TCP_ERROR.rawValue:
            // A number that no broken connection sets is older than the call.
            return brokenConnections.contains(errno) ? SystemError.text(errno) : "the connection broke"
        case AMQP_STATUS_CONNECTION_CLOSED.rawValue, AMQP_STATUS_SOCKET_CLOSED.rawValue:
            return "the broker closed the connection"
        case AMQP_STATUS_TIMEOUT.rawValue: return "no answer within \(rpcTimeoutSeconds) s"
        case AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue: return "no heartbeat from the broker"
        case AMQP_STATUS_BAD_AMQP_DATA.rawValue: return "invalid AMQP data"
        default:
            guard let text = unsafe amqp_error_string2(status) else { return "error \(status)" }
            return unsafe SystemError.sentencePart(String(cString: text))
        }
    }

    private static let brokenConnections: Set<Int32> = [
        ECONNREFUSED, ECONNRESET, ECONNABORTED, EPIPE, ETIMEDOUT, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, ENETDOWN,
        ENETRESET,
    ]

    private static func text(of reply: amqp_rpc_reply_t) -> (code: Int, text: String) {
        switch unsafe reply.reply_type {
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            guard let decoded = unsafe reply.reply.decoded else { return (0, "closed by the broker") }
            if unsafe reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD {
                let close = unsafe decoded.load(as: amqp_connection_close_t.self)
                return unsafe (Int(close.reply_code), string(close.reply_text))
            }
            let close = unsafe decoded.load(as: amqp_channel_close_t.self)
            return unsafe (Int(close.reply_code), string(close.reply_text))
        case AMQP_RESPONSE_LIBRARY_EXCEPTION: return unsafe (0, text(of: reply.library_error))
        default: return (0, "no answer")
        }
    }

    private static func string(_ bytes: amqp_bytes_t) -> String {
        unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}

/// Calls `body` with the UTF-8 of `text` as librabbitmq expects it; valid only during the call.
private func withBytes<Result>(of text: String, _ body: (amqp_bytes_t) -> Result) -> Result {
    var text = text
    return text.withUTF8 { buffer in
        unsafe body(amqp_bytes_t(len: buffer.count, bytes: UnsafeMutableRawPointer(mutating: buffer.baseAddress)))
    }
}

/// Memory for the strings and entries of argument tables, which must outlive the call that uses them.
@safe
private final class TableArena {
    enum Value {
        case text(String)
        case flag(Bool)
        case number(Int64)
        case time(unixSeconds: Int64)
    }

    private var parts: [UnsafeMutableRawPointer] = unsafe []

    func bytes(_ text: String) -> amqp_bytes_t {
        let utf8 = Array(text.utf8)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, utf8.count), alignment: 1)
        unsafe copy.copyMemory(from: utf8, byteCount: utf8.count)
        unsafe parts.append(copy)
        return unsafe amqp_bytes_t(len: utf8.count, bytes: copy)
    }

    func table(_ values: [(String, Value)], adding inner: (String, amqp_table_t)? = nil) -> amqp_table_t {
        var entries = unsafe values.map { unsafe amqp_table_entry_t(key: bytes($0.0), value: field($0.1)) }
        if let inner = unsafe inner {
            var field = unsafe amqp_field_value_t()
            unsafe field.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
            unsafe field.value.table = inner.1
            unsafe entries.append(amqp_table_entry_t(key: bytes(inner.0), value: field))
        }
        let copy = UnsafeMutablePointer<amqp_table_entry_t>.allocate(capacity: max(1, unsafe entries.count))
        unsafe copy.initialize(from: entries, count: entries.count)
        unsafe parts.append(UnsafeMutableRawPointer(copy))
        return unsafe amqp_table_t(num_entries: Int32(entries.count), entries: copy)
    }

    private func field(_ value: Value) -> amqp_field_value_t {
        var field = unsafe amqp_field_value_t()
        switch value {
        case .text(let text):
            unsafe field.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
            unsafe field.value.bytes = bytes(text)
        case .flag(let flag):
            unsafe field.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
            unsafe field.value.boolean = flag ? 1 : 0
        case .number(let number):
            unsafe field.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
            unsafe field.value.i64 = number
        case .time(let unixSeconds):
            unsafe field.kind = UInt8(AMQP_FIELD_KIND_TIMESTAMP.rawValue)
            unsafe field.value.u64 = UInt64(clamping: unixSeconds)
        }
        return unsafe field
    }

    deinit {
        for index in unsafe parts.indices { unsafe parts[index].deallocate() }
    }
}
