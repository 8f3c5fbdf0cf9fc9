internal import Model
internal import Wire

/// How virtual sensors reach the broker: MQTT with a connection for each sensor, or AMQP with shared connections.
protocol SensorLink: Sendable {
    /// Connects, and reconnects whenever a connection is lost.
    func start(wills: [Announcement]) async
    /// Sends messages from the outbox. A message that can't be sent now comes back as an event.
    func send(_ messages: [LinkMessage]) async
    /// Sets the Last Wills that sensors register with the broker at their next connection.
    func setWills(_ wills: [(sensor: Int, will: Announcement)]) async
    /// Waits for events; nil once the link is closed.
    func nextEvents() async -> [LinkEvent]?
    /// Closes the connections gracefully.
    func close() async
}

struct LinkMessage: Sendable {
    var sensor: Int
    var subject: Routing.Subject
    var payload: [UInt8]
    var token: UInt64
}

/// An event on a link.
enum LinkEvent: Sendable {
    /// Messages of this lane can be sent.
    case connected(lane: Int)
    /// Messages of this lane can't be sent; those that were sent and not confirmed may or may not have arrived.
    case disconnected(lane: Int, reason: String)
    /// The broker confirmed the message.
    case confirmed(token: UInt64)
    /// The message was not sent: send it again.
    case returned(token: UInt64)
    /// The broker can't accept the message now: send it again after a pause.
    case notTaken(token: UInt64, reason: String)
    /// The message can never be sent.
    case refused(token: UInt64)
    /// A command for a sensor arrived.
    case command(sensor: Int, payload: [UInt8])
    /// An alarm of a sensor arrived.
    case alarm(sensor: Int, edge: Alarm.Edge, payload: [UInt8])

    /// The event of a message that arrived for a sensor; nil: neither a command nor an alarm.
    init?(sensor: Int, subject: Routing.Subject, payload: [UInt8]) {
        switch subject {
        case .command: self = .command(sensor: sensor, payload: payload)
        case .alarm(let edge): self = .alarm(sensor: sensor, edge: edge, payload: payload)
        case .data, .registry, .acks, .logs: return nil
        }
    }
}
