internal import Model
internal import Postgres

/// The sensors of a partition with a row that cannot be decoded, from batch to batch. A value without I/O: the caller logs
/// the changes.
struct UnreadableSensors: Sendable {
    /// A change that is logged.
    enum Change: Sendable, Equatable {
        /// A row of the sensor cannot be decoded, or it is another error than before.
        case unreadable(SerialNumber, StoreError)
        /// All rows that a batch needed of the sensor can be decoded again.
        case readable(SerialNumber)
    }

    private var errors: [SerialNumber: StoreError] = [:]

    /// The number of these sensors.
    var count: Int { errors.count }

    /// Why the partition is not all right, in one line; nil: it has no such sensor.
    var reason: String? {
        errors.min { $0.key < $1.key }.map { first in
            "frames of \(count) sensors go to the quarantine, such as \(first.key): \(first.value)"
        }
    }

    /// Records what a batch has read of its sensors; the state of other sensors stays as it was.
    /// - Parameter found: each sensor of the batch with its error; nil: its rows can be decoded.
    /// - Returns: the changes, by sensor.
    mutating func note(_ found: [SerialNumber: StoreError?]) -> [Change] {
        var changes: [Change] = []
        for (serial, error) in found.sorted(by: { $0.key < $1.key }) where error != errors[serial] {
            changes.append(error.map { .unreadable(serial, $0) } ?? .readable(serial))
            errors[serial] = error
        }
        return changes
    }
}
