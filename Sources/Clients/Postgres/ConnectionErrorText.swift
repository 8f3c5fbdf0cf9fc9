internal import Support

/// Shortens libpq's text for a failed or broken connection. Pure.
///
/// libpq writes several lines: for each address of the host `connection to server at "db" (10.0.0.7), port 5432 failed: `
/// and the reason, and then lines that begin with a tab and give advice.
enum ConnectionErrorText {
    /// The reasons in one line without host, port, severity and advice, each once: "connection refused".
    static func short(_ text: String) -> String {
        var reasons: [String] = []
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("\t") {
            let reason = SystemError.sentencePart(String(reason(line)))
            if !reason.isEmpty, !reasons.contains(reason) { reasons.append(reason) }
        }
        return reasons.isEmpty ? "no answer" : reasons.joined(separator: "; ")
    }

    private static func reason(_ line: Substring) -> Substring {
        var rest = line
        if rest.hasPrefix("connection to server "), let place = rest.firstRange(of: " failed: ") {
            rest = rest[place.upperBound...]
        }
        for severity in ["FATAL:", "ERROR:", "PANIC:"] where rest.hasPrefix(severity) {
            rest = rest.dropFirst(severity.count)
        }
        return rest.drop { $0 == " " }
    }
}
