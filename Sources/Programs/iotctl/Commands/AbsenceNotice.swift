internal import Control
internal import Model
internal import Store
internal import Time

/// The line that `iotctl` prints at once when a command is for sensors that are lost or offline.
struct AbsenceNotice {
    /// The absent sensors among those that the command is for.
    var absent: [AbsentSensor]
    /// The number of sensors that the command is for.
    var count: Int
    /// The time until which a sensor that returns still gets the command.
    var expiry: Timestamp
    /// The answer to wait for.
    var waitFor: AckLevel
    /// How long `iotctl` waits for an answer.
    var timeout: Duration
    /// Whether it waits for offline sensors too. A lost sensor may be about to return.
    var waitsForOffline: Bool

    private var offline: [AbsentSensor] { absent.filter { $0.presence == .offline } }

    /// The line; nil if no sensor is absent.
    var line: String? {
        guard let first = absent.first else { return nil }
        let kept = "the command is kept until \(expiry.short) UTC"
        let subject = count == 1 ? "\(first.serial) is \(first.words)" : counts
        if waitFor == .none { return "\(subject); \(kept)" }
        let wait =
            offline.isEmpty || waitsForOffline
            ? "waiting at most \(timeout.short) for the answer" : "not waiting, unless --wait or --timeout is given"
        return "\(subject); \(kept); \(wait)"
    }

    /// "3 of 20 sensors are offline, 2 lost".
    private var counts: String {
        let lost = absent.count - offline.count
        if offline.isEmpty { return "\(lost) of \(count) sensors are lost" }
        return "\(offline.count) of \(count) sensors are offline\(lost == 0 ? "" : ", \(lost) lost")"
    }
}

extension AbsentSensor {
    /// The sensor's presence, for people: "offline, last seen 6m ago", "lost, disconnected 3s ago".
    var words: String {
        switch presence {
        case .lost: "lost, disconnected \(age.map { "\($0.short) ago" } ?? "just now")"
        case .unknown, .online, .offline: age.map { "offline, last seen \($0.short) ago" } ?? "offline, never seen"
        }
    }
}
