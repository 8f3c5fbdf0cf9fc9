public import Broker
internal import CRabbitMQ
internal import Synchronization

/// Counts messages of several threads, and the time from the first to the last.
public final class DrainCount: Sendable {
    private struct State {
        var left: Int
        var first: ContinuousClock.Instant?
        var seconds: Double?
        var isOver = false
        var waiter: CheckedContinuation<Double?, Never>?
    }

    private let state: Mutex<State>

    /// Waits for so many.
    public init(target: Int) { state = Mutex(State(left: target)) }

    /// Whether nothing more is counted: all came, or somebody gave up.
    public var isOver: Bool { state.withLock { $0.isOver } }

    /// Counts messages that have come.
    func add(_ count: Int) {
        state.withLock { state in
            let first = state.first ?? .now
            state.first = first
            state.left -= count
            guard state.left <= 0, !state.isOver else { return }
            Self.end(&state, after: first.duration(to: .now) / .seconds(1))
        }
    }

    /// Gives up.
    public func stop() {
        state.withLock { state in if !state.isOver { Self.end(&state, after: nil) } }
    }

    private static func end(_ state: inout State, after seconds: Double?) {
        state.seconds = seconds
        state.isOver = true
        state.waiter?.resume(returning: seconds)
        state.waiter = nil
    }

    /// Waits for the last message; to be called once.
    /// - Returns: seconds since the first; nil if somebody gave up.
    public func finished() async -> Double? {
        await withCheckedContinuation { waiter in
            state.withLock { state in
                if state.isOver { waiter.resume(returning: state.seconds) } else { state.waiter = waiter }
            }
        }
    }
}

/// A stream read as librabbitmq's own examples read a queue: consume, destroy the envelope, acknowledge now and then.
@safe
public final class BareDrain {
    private let connection: amqp_connection_state_t
    private let prefetch: Int

    /// Connects; nil if that fails.
    public init?(_ address: BrokerAddress, stream: String, prefetch: Int) {
        guard let connection = unsafe amqp_new_connection() else { return nil }
        unsafe self.connection = unsafe connection
        self.prefetch = prefetch
        guard let socket = unsafe amqp_tcp_socket_new(connection),
            unsafe amqp_socket_open(socket, address.host, Int32(address.port)) == 0
        else { return nil }
        var none = unsafe amqp_table_t()
        _ = unsafe crabbitmq_login(
            connection, address.virtualHost, 131_072, 60, &none, address.user, address.password)
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

    /// Reads until all have come, somebody gives up, or the connection ends.
    public func run(_ gate: DrainCount) {
        var sinceAck = 0
        var envelope = unsafe amqp_envelope_t()
        while !gate.isOver {
            unsafe amqp_maybe_release_buffers(connection)
            var patience = timeval(tv_sec: 0, tv_usec: 20_000)
            let reply = unsafe amqp_consume_message(connection, &envelope, &patience, 0)
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
