internal import Sensors
internal import Wire

/// How virtual sensors reach the broker: MQTT with a connection for each, or AMQP with one for all.
protocol SensorLink: Sendable {
    /// Connects, now and again whenever the connection breaks.
    func start(wills: [Announcement]) async
    /// Sends messages that were taken from the outbox. What can't be sent now comes back as an event.
    func send(_ messages: [LinkMessage]) async
    /// Says what sensors leave with the broker at their next connection.
    func setWills(_ wills: [(sensor: Int, will: Announcement)]) async
    /// Waits for events; nil once the link is closed.
    func nextEvents() async -> [LinkEvent]?
    /// Says good-bye.
    func close() async
}

/// A message of a sensor.
struct LinkMessage: Sendable {
    var sensor: Int
    var subject: Routing.Subject
    var payload: [UInt8]
    var token: UInt64
}

/// What happens on a link.
enum LinkEvent: Sendable {
    /// Messages of this lane can be sent.
    case connected(lane: Int)
    /// They can't; what was under way may or may not have arrived.
    case disconnected(lane: Int, reason: String)
    /// The broker has it.
    case confirmed(token: UInt64)
    /// It was not sent: send it again.
    case returned(token: UInt64)
    /// The broker has no place for it now: send it again after a pause.
    case notTaken(token: UInt64, reason: String)
    /// It can never be sent.
    case refused(token: UInt64)
    /// Somebody gives a command.
    case command(sensor: Int, payload: [UInt8])
}
