internal import Model
internal import Store
internal import Time

/// Remembers the log lines shown, so that a line from both the table and the broker is shown once. Pure.
///
/// A log may contain the same text twice, even within a millisecond; therefore equal lines are counted.
struct LogMemory: Sendable {
    private struct Key: Hashable, Sendable {
        var serial: String
        var boot: Int64
        var level: LogLine.Level
        var text: String
        var receivedMilliseconds: Int64
    }

    private var shown: [Key: Int] = [:]
    private var heard: [Key: Int] = [:]

    /// The lines from the table that were not shown yet.
    mutating func news(ofStored records: [LogRecord]) -> [LogRecord] {
        var seen: [Key: Int] = [:]
        return records.filter { record in
            let milliseconds = (record.receivedAt?.unixMicroseconds ?? 0) / 1000
            let key = Key(
                serial: record.serial, boot: record.boot, level: record.level, text: record.text,
                receivedMilliseconds: milliseconds)
            seen[key, default: 0] += 1
            return isNew(key, seen[key] ?? 0)
        }
    }

    /// Whether a line from the broker was not shown yet.
    mutating func isNew(_ line: LogLine, from serial: String, received: Timestamp) -> Bool {
        let milliseconds = received.unixMicroseconds / 1000
        let key = Key(
            serial: serial, boot: line.boot, level: line.level, text: line.text, receivedMilliseconds: milliseconds)
        heard[key, default: 0] += 1
        return isNew(key, heard[key] ?? 0)
    }

    /// Whether fewer than `occurrence` equal lines were shown; `occurrence` is the count within one of the two sources.
    private mutating func isNew(_ key: Key, _ occurrence: Int) -> Bool {
        guard occurrence > shown[key] ?? 0 else { return false }
        shown[key] = occurrence
        return true
    }
}
