public import Model
internal import Time

/// Tick ⇄ text. A tick is published to the stream itself, by the default exchange, so its routing key is the stream's name,
/// which no message of a sensor has.
public enum TickCodec {
    /// The text `tick <revision> <epoch> <nanoseconds>`.
    public static func encode(_ tick: StreamTick) -> [UInt8] {
        Array("tick \(tick.revision) \(tick.epoch) \(tick.sent.unixNanoseconds)".utf8)
    }

    /// Reads a tick; nil for anything else.
    public static func decode(_ body: [UInt8]) -> StreamTick? {
        let words = body.count <= 100 ? String(decoding: body, as: UTF8.self).split(separator: " ") : []
        guard words.count == 4, words[0] == "tick", let revision = Int64(words[1]), revision >= 0,
            let epoch = Int64(words[2]), let sent = Int64(words[3])
        else { return nil }
        return StreamTick(revision: revision, epoch: epoch, sent: Timestamp(unixNanoseconds: sent))
    }
}
