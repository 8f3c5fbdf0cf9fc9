internal import Model

/// A place in the alarm stream, as a client keeps it.
///
/// The fingerprint tells the message at the offset from that of another stream: a stream that was deleted and declared again
/// counts from 0.
enum AlarmToken: Sendable, Equatable {
    /// Before the oldest alarm that the stream still has.
    case beginning
    /// Behind the message at `offset`.
    case behind(offset: Int64, fingerprint: Int64)

    /// The token as text.
    var text: String {
        switch self {
        case .beginning: "0"
        case .behind(let offset, let fingerprint): "\(offset).\(UInt64(bitPattern: fingerprint))"
        }
    }

    /// Reads a token.
    /// - Returns: nil for a text that no server has sent.
    init?(_ text: String) {
        if text == "0" {
            self = .beginning
            return
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let offset = Int64(parts[0]), offset >= 0, let fingerprint = UInt64(parts[1]) else {
            return nil
        }
        self = .behind(offset: offset, fingerprint: Int64(bitPattern: fingerprint))
        guard self.text == text else { return nil }
    }
}
