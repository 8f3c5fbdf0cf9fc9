internal import Control
internal import Store
internal import Time

/// The line that `iotctl` prints at once when a command is for sensors that are offline.
struct OfflineNotice {
    /// The offline sensors among those that the command is for.
    var offline: [OfflineSensor]
    /// The number of sensors that the command is for.
    var count: Int
    /// The time until which a sensor that returns still gets the command.
    var expiry: Timestamp
    /// The answer to wait for.
    var waitFor: AckLevel
    /// The timeout if `iotctl` waits for offline sensors too; nil if it does not.
    var timeout: Duration?

    /// The line; nil if no sensor is offline.
    var line: String? {
        guard let first = offline.first else { return nil }
        let isOne = count == 1
        let subject =
            isOne ? "\(first.serial) is \(Self.reason(first))" : "\(offline.count) of \(count) sensors are offline"
        let kept = "the command is kept until \(expiry.short) UTC"
        if waitFor == .none { return "\(subject); \(kept)" }
        let wait =
            timeout.map { "waiting at most \($0.short) for the answer" }
            ?? "not waiting, unless --wait or --timeout is given"
        return "\(subject); \(kept); \(wait)"
    }

    /// The reason in the result of a sensor that is not waited for: "offline, last seen 6m ago".
    static func reason(_ sensor: OfflineSensor) -> String {
        sensor.lastSeenAge.map { "offline, last seen \($0.short) ago" } ?? "offline, never seen"
    }
}
