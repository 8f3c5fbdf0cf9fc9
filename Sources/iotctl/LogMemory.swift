internal import Sensors
internal import Store

/// Which log lines were shown, so that one that comes from the table and from the broker is shown once. Pure.
///
/// The same text may stand in a log twice, even within a millisecond: lines are counted, not only compared.
struct LogMemory: Sendable {
    private struct Key: Hashable, Sendable {
        var boot: Int64
        var level: LogLine.Level
        var text: String
        var receivedMilliseconds: Int64
    }

    private var shown: [Key: Int] = [:]
    private var heard: [Key: Int] = [:]

    /// Of lines that the table holds, those that were not shown yet.
    mutating func news(ofStored records: [LogRecord]) -> [LogRecord] {
        var seen: [Key: Int] = [:]
        return records.filter { record in
            let milliseconds = (record.receivedAt?.unixMicroseconds ?? 0) / 1000
            let key = Key(
                boot: record.boot, level: record.level, text: record.text, receivedMilliseconds: milliseconds)
            seen[key, default: 0] += 1
            return isNew(key, seen[key] ?? 0)
        }
    }

    /// Whether a line that the broker brought was not shown yet.
    mutating func isNew(_ line: LogLine, received: Timestamp) -> Bool {
        let milliseconds = received.unixMicroseconds / 1000
        let key = Key(boot: line.boot, level: line.level, text: line.text, receivedMilliseconds: milliseconds)
        heard[key, default: 0] += 1
        return isNew(key, heard[key] ?? 0)
    }

    /// Whether the `occurrence`th line like this, as one of the two sources counts them, is one more than were shown.
    private mutating func isNew(_ key: Key, _ occurrence: Int) -> Bool {
        guard occurrence > shown[key] ?? 0 else { return false }
        shown[key] = occurrence
        return true
    }
}
