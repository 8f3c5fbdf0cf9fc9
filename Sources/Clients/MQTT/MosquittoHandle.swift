internal import CMosquitto
internal import Glibc
internal import Support

/// An event that libmosquitto reported during a call.
enum HandleEvent {
    /// The broker accepted the login.
    case accepted
    /// The broker refused the login, with a readable line.
    case refused(String)
    /// The broker granted or refused the subscription with that id.
    case subscribed(id: Int32, isGranted: Bool)
    /// The broker accepted the message with that id.
    case confirmed(id: Int32)
    /// The broker refused the message with that id, with a readable line.
    case returned(id: Int32, reason: String)
    /// The broker closes the connection, with a readable line.
    case dismissed(String)
    /// A message for a subscription.
    case message(topic: String, payload: [UInt8])
}

/// Why a call of libmosquitto failed: one readable line without secrets.
struct HandleError: Error, CustomStringConvertible {
    let text: String

    var description: String { text }

    init(_ text: String) { self.text = text }

    /// The text for libmosquitto's status; to be created right after the call, before `errno` changes.
    init(status: Int32) {
        text =
            switch status {
            case MOSQ_ERR_ERRNO.signed: SystemError.text(errno)
            case MOSQ_ERR_CONN_LOST.signed: "the broker closed the connection"
            case MOSQ_ERR_KEEPALIVE.signed: "the broker did not answer the keep-alive"
            default:
                unsafe mosquitto_strerror(status).map { unsafe SystemError.sentencePart(String(cString: $0)) }
                    ?? "error \(status)"
            }
    }

}

extension mosq_err_t {
    /// The code as libmosquitto's functions return it.
    fileprivate var signed: Int32 { Int32(bitPattern: UInt32(truncatingIfNeeded: rawValue)) }
}

/// One connection of libmosquitto, from the CONNECT to its end. The next connection gets its own handle, so that the
/// library has nothing in flight that the caller does not know.
///
/// It speaks MQTT 5: in 3.1.1 a PUBACK cannot say that the message reached no queue (docs/decisions/0007, no. 11).
///
/// Used on the fleet's thread only. The callbacks run within `read` and `write` and only record events for
/// `takeEvents`.
@safe final class MosquittoHandle {
    private enum Library {
        /// The library may be used once this has been evaluated; `mosquitto_lib_init` is not thread-safe.
        static let status = mosquitto_lib_init()
    }

    private let client: OpaquePointer
    private var events: [HandleEvent] = []

    /// A handle that does not connect yet.
    init(configuration: ClientConfiguration, inFlightMax: Int) throws(HandleError) {
        guard Library.status == MOSQ_ERR_SUCCESS.signed else { throw HandleError(status: Library.status) }
        guard let client = unsafe mosquitto_new(configuration.clientID, false, nil) else {
            throw HandleError("no client \(configuration.clientID): \(SystemError.text(errno))")
        }
        unsafe self.client = client
        unsafe mosquitto_user_data_set(client, Unmanaged.passUnretained(self).toOpaque())
        try check(unsafe mosquitto_username_pw_set(client, configuration.user, configuration.password))
        try check(unsafe mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5))
        try check(unsafe mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1))
        let window = Int32(max(1, min(inFlightMax, 65_535)))
        try check(unsafe mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, window))
        if let will = configuration.will { try setWill(will) }
        try askForSession()
        setCallbacks()
    }

    deinit { unsafe mosquitto_destroy(client) }

    /// Begins to connect; `socket` exists afterwards. `address` must be numeric: a lookup here would block every
    /// client.
    func connect(address: String, port: UInt16, keepAliveSeconds: UInt16) throws(HandleError) {
        let status = unsafe mosquitto_connect_async(client, address, Int32(port), Int32(max(5, keepAliveSeconds)))
        if status != MOSQ_ERR_CONN_PENDING.signed { try check(status) }
    }

    /// The connection's file descriptor; nil once the connection is closed.
    var socket: Int32? {
        let socket = unsafe mosquitto_socket(client)
        return socket < 0 ? nil : socket
    }

    /// Whether the library has data that it could not write to the socket yet.
    var wantsWrite: Bool { unsafe mosquitto_want_write(client) }

    /// Reads from the socket and runs the callbacks.
    func read() throws(HandleError) { try check(unsafe mosquitto_loop_read(client, 1)) }

    /// Writes the waiting data to the socket.
    func write() throws(HandleError) { try check(unsafe mosquitto_loop_write(client, 1)) }

    /// Sends a PINGREQ if one is due and fails if the broker's answer is overdue. Must be called about once a second.
    func keepAlive() throws(HandleError) { try check(unsafe mosquitto_loop_misc(client)) }

    /// Publishes with QoS 1, not retained.
    /// - Returns: the message id that the confirm will carry.
    func publish(topic: String, payload: [UInt8]) throws(HandleError) -> Int32 {
        var id: Int32 = 0
        let status = unsafe payload.withUnsafeBytes { bytes in
            unsafe mosquitto_publish(client, &id, topic, Int32(bytes.count), bytes.baseAddress, 1, false)
        }
        try check(status)
        return id
    }

    /// Whether a message can be published to that topic: not empty, no wildcards.
    static func isTopic(_ topic: String) -> Bool {
        unsafe !topic.isEmpty && mosquitto_pub_topic_check(topic) == MOSQ_ERR_SUCCESS.signed
    }

    /// Subscribes with QoS 1.
    /// - Returns: the message id that the answer will carry.
    func subscribe(_ topic: String) throws(HandleError) -> Int32 {
        var id: Int32 = 0
        try check(unsafe mosquitto_subscribe(client, &id, topic, 1))
        return id
    }

    /// Sends a DISCONNECT: the broker will not publish the Last Will. It is sent once `wantsWrite` is false.
    func disconnect() { _ = unsafe mosquitto_disconnect(client) }

    /// The events since the last call, in order.
    func takeEvents() -> [HandleEvent] {
        let taken = events
        events.removeAll(keepingCapacity: true)
        return taken
    }

    private func setWill(_ will: Will) throws(HandleError) {
        let status = unsafe will.payload.withUnsafeBytes { bytes in
            unsafe mosquitto_will_set(client, will.topic, Int32(bytes.count), bytes.baseAddress, 1, false)
        }
        try check(status)
    }

    /// Asks the broker to keep the session after the connection for as long as it allows; by default MQTT 5 ends it.
    ///
    /// The library has no asynchronous connect with properties. But `mosquitto_connect_bind_v5` stores the properties
    /// for this and later connects before it checks the port, and port -1 connects nowhere.
    private func askForSession() throws(HandleError) {
        var properties: OpaquePointer?
        defer { unsafe mosquitto_property_free_all(&properties) }
        let expiry = Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue)
        try check(unsafe mosquitto_property_add_int32(&properties, expiry, .max))
        let status = unsafe mosquitto_connect_bind_v5(client, "", -1, 60, nil, properties)
        guard status == MOSQ_ERR_INVAL.signed else { throw HandleError(status: status) }
    }

    private func check(_ status: Int32) throws(HandleError) {
        guard status == MOSQ_ERR_SUCCESS.signed else { throw HandleError(status: status) }
    }

    private func setCallbacks() {
        unsafe mosquitto_connect_callback_set(client) { _, context, code in
            unsafe append(context, code == 0 ? .accepted : .refused(refusal(code: code)))
        }
        unsafe mosquitto_publish_v5_callback_set(client) { _, context, id, code, _ in
            unsafe append(
                context, code == 0 ? .confirmed(id: id) : .returned(id: id, reason: reasonText(code: code)))
        }
        unsafe mosquitto_disconnect_v5_callback_set(client) { _, context, code, _ in
            // Smaller codes come from the library: an error that `read` and `write` also return, or our own DISCONNECT.
            if code >= 0x80 { unsafe append(context, .dismissed(reasonText(code: code))) }
        }
        unsafe mosquitto_subscribe_callback_set(client) { _, context, id, count, granted in
            let isGranted = unsafe count > 0 && (granted.map { unsafe $0[0] } ?? 128) < 128
            unsafe append(context, .subscribed(id: id, isGranted: isGranted))
        }
        unsafe mosquitto_message_callback_set(client) { _, context, message in
            guard let message = unsafe message?.pointee, let topic = unsafe message.topic else { return }
            let bytes = unsafe UnsafeRawBufferPointer(start: message.payload, count: Int(max(0, message.payloadlen)))
            unsafe append(context, .message(topic: String(cString: topic), payload: Array(bytes)))
        }
    }

    fileprivate func note(_ event: HandleEvent) { events.append(event) }
}

/// Records an event at the handle that `context` points to.
private func append(_ context: UnsafeMutableRawPointer?, _ event: HandleEvent) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<MosquittoHandle>.fromOpaque(context).takeUnretainedValue().note(event)
}

/// The text for the reason code of a CONNACK (MQTT 5, table 3-1).
private func refusal(code: Int32) -> String {
    switch code {
    case 0x84: "protocol version not supported"
    case 0x85: "client id not allowed"
    case 0x86: "bad user name or password"
    case 0x87: "not authorised (bad user name or password, or no permission)"
    case 0x88: "the broker is not available"
    default: reasonText(code: code)
    }
}

/// The library's text for a reason code (MQTT 5, 2.4), and the code.
private func reasonText(code: Int32) -> String {
    let text = unsafe mosquitto_reason_string(code).map { unsafe String(cString: $0) } ?? "reason"
    return "\(text) (\(code))"
}
