internal import CRabbitMQ
public import Endpoint
internal import Synchronization

/// Counts the messages of several threads, and measures the time from the first to the last.
public final class DrainCount: Sendable {
    private struct State {
        var left: Int
        var first: ContinuousClock.Instant?
        var seconds: Double?
        var isOver = false
        var waiter: CheckedContinuation<Double?, Never>?
    }

    private let state: Mutex<State>

    /// Waits for `target` messages.
    public init(target: Int) { state = Mutex(State(left: target)) }

    /// Whether counting has ended: all messages have arrived, or `stop` was called.
    public var isOver: Bool { state.withLock { $0.isOver } }

    /// Counts messages that have arrived.
    func add(_ count: Int) {
        state.withLock { state in
            let first = state.first ?? .now
            state.first = first
            state.left -= count
            guard state.left <= 0, !state.isOver else { return }
            Self.end(&state, after: first.duration(to: .now) / .seconds(1))
        }
    }

    /// Ends counting before all messages have arrived.
    public func stop() {
        state.withLock { state in if !state.isOver { Self.end(&state, after: nil) } }
    }

    private static func end(_ state: inout State, after seconds: Double?) {
        state.seconds = seconds
        state.isOver = true
        state.waiter?.resume(returning: seconds)
        state.waiter = nil
    }

    /// Waits for the last message; call it once.
    /// - Returns: seconds since the first message; nil if `stop` was called.
    public func finished() async -> Double? {
        await withCheckedContinuation { waiter in
            state.withLock { state in
                if state.isOver { waiter.resume(returning: state.seconds) } else { state.waiter = waiter }
            }
        }
    }
}

/// Reads a stream as librabbitmq's own examples read a queue: consume, destroy the envelope, acknowledge from time to
/// time.
@safe
public final class BareDrain {
    private let connection: amqp_connection_state_t
    private let prefetch: Int

    /// Connects to the broker; nil if that fails.
    public init?(_ endpoint: Endpoint, stream: String, prefetch: Int) {
        guard let connection = unsafe amqp_new_connection() else { return nil }
        unsafe self.connection = unsafe connection
        self.prefetch = prefetch
        guard let socket = unsafe amqp_tcp_socket_new(connection),
            unsafe amqp_socket_open(socket, endpoint.host.name, Int32(endpoint.host.port)) == 0
        else { return nil }
        var none = unsafe amqp_table_t()
        _ = unsafe crabbitmq_login(
            connection, endpoint.path, 131_072, 60, &none, endpoint.user, endpoint.password.text)
        unsafe amqp_channel_open(connection, 1)
        unsafe amqp_basic_qos(connection, 1, 0, UInt16(prefetch), 0)
        unsafe stream.withCString { name in
            unsafe "first".withCString { first in
                unsafe "x-stream-offset".withCString { key in
                    var entry = unsafe amqp_table_entry_t()
                    unsafe entry.key = amqp_cstring_bytes(key)
                    unsafe entry.value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
                    unsafe entry.value.value.bytes = amqp_cstring_bytes(first)
                    unsafe withUnsafeMutablePointer(to: &entry) { entries in
                        let table = unsafe amqp_table_t(num_entries: 1, entries: entries)
                        _ = unsafe amqp_basic_consume(
                            connection, 1, amqp_cstring_bytes(name), amqp_empty_bytes, 0, 0, 0, table)
                    }
                }
            }
        }
        guard unsafe amqp_get_rpc_reply(connection).reply_type == AMQP_RESPONSE_NORMAL else { return nil }
    }

    deinit { unsafe amqp_destroy_connection(connection) }

    /// Reads until all messages have arrived, counting was stopped, or the connection ends.
    public func run(_ gate: DrainCount) {
        var sinceAck = 0
        var envelope = unsafe amqp_envelope_t()
        while !gate.isOver {
            unsafe amqp_maybe_release_buffers(connection)
            var timeout = timeval(tv_sec: 0, tv_usec: 20_000)
            let reply = unsafe amqp_consume_message(connection, &envelope, &timeout, 0)
            if unsafe reply.reply_type != AMQP_RESPONSE_NORMAL {
                guard unsafe reply.library_error == AMQP_STATUS_TIMEOUT.rawValue else { return }
                gate.add(sinceAck)
                sinceAck = 0
                continue
            }
            sinceAck += 1
            if sinceAck == prefetch / 4 {
                unsafe amqp_basic_ack(connection, 1, envelope.delivery_tag, 1)
                gate.add(sinceAck)
                sinceAck = 0
            }
            unsafe amqp_destroy_envelope(&envelope)
        }
    }
}
