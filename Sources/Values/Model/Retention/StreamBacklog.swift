/// The unread part of a stream, and how close the stream's retention is to dropping it.
public struct StreamBacklog: Sendable, Equatable {
    /// The `nearness` from which an operator should be warned.
    public static let nearFrom = 0.8
    /// The segment size in bytes of a stream whose policy does not set it: RabbitMQ's default, 500 MB.
    public static let segmentBytesDefault: Int64 = 500_000_000

    /// Messages in the stream.
    public var messages: Int64
    /// Messages in the stream that are not stored in the database.
    public var unread: Int64
    /// Messages that the stream dropped before they were stored.
    public var lost: Int64
    /// The age of the oldest unread message, in seconds; nil: no message is unread.
    public var oldestSeconds: Double?
    /// An upper estimate of the stream's size in bytes.
    public var bytes: Int64
    /// `max-age` in seconds; nil: none.
    public var secondsMax: Double?
    /// `max-length-bytes`; nil: none.
    public var bytesMax: Int64?

    /// The backlog of a stream.
    /// - Parameters:
    ///   - committed: the offset of the last stored message; nil: none is stored.
    ///   - first: the offset of the oldest message in the stream; nil: the stream is empty.
    ///   - messages: the number of messages in the stream.
    public init(
        committed: Int64?, first: Int64?, messages: Int64, oldestSeconds: Double?, bytes: Int64, secondsMax: Double?,
        bytesMax: Int64?
    ) {
        self.messages = messages
        let next = (committed ?? -1) + 1
        let first = first ?? next
        lost = max(0, first - next)
        unread = min(messages, max(0, first + messages - max(first, next)))
        self.oldestSeconds = unread > 0 ? oldestSeconds : nil
        self.bytes = bytes
        self.secondsMax = secondsMax
        self.bytesMax = bytesMax
    }

    /// 0: all messages are stored; 1: the oldest unread message is about to be dropped. The larger value of age and
    /// size.
    public var nearness: Double {
        if lost > 0 { return 1 }
        guard unread > 0, messages > 0 else { return 0 }
        let byAge = secondsMax.flatMap { limit in oldestSeconds.map { $0 / limit } } ?? 0
        let unreadBytes = Double(bytes) * Double(unread) / Double(messages)
        let bySize = bytesMax.map { unreadBytes / Double($0) } ?? 0
        return min(1, max(0, byAge, bySize))
    }

    /// Whether an operator should be warned.
    public var isNear: Bool { nearness >= Self.nearFrom }

    /// Converts RabbitMQ's `max-age`, a number and one of Y, M, D, h, m, s, to seconds; nil for any other text.
    public static func seconds(maxAge text: String) -> Double? {
        let units: [Character: Double] = ["Y": 31_536_000, "M": 2_592_000, "D": 86_400, "h": 3600, "m": 60, "s": 1]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Double(text.dropLast()), number > 0 else {
            return nil
        }
        return number * unit
    }
}
