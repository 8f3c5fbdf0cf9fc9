internal import Foundation
public import Logging
internal import Time

/// Logs to stderr: plain lines on a terminal, JSON elsewhere.
public enum Logs {
    /// Configures logging; call it once, before the first logger is created.
    public static func bootstrap(level: Logger.Level) {
        let onTerminal = isatty(STDERR_FILENO) == 1
        LoggingSystem.bootstrap { label -> any LogHandler in
            onTerminal ? LineHandler(label: label, logLevel: level) : JSONHandler(label: label, logLevel: level)
        }
    }
}

private struct JSONHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.mapValues(\.description)
        fields["time"] = Timestamp.now.text(.milliseconds)
        fields["level"] = event.level.rawValue
        fields["service"] = label
        fields["message"] = "\(event.message)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var line = try? encoder.encode(fields) else { return }
        line.append(UInt8(ascii: "\n"))
        FileHandle.standardError.write(line)
    }
}

private struct LineHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let tail = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let time = Date.now.formatted(date: .omitted, time: .standard)
        FileHandle.standardError.write(Data("\(time) \(event.level) \(label): \(event.message)\(tail)\n".utf8))
    }
}
