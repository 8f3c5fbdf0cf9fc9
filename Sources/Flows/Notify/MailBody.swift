internal import Foundation
internal import Model
internal import Store
internal import Time

/// A mail about one change, or about many (RFC 5322, UTF-8).
enum MailBody {
    /// What a subject may have in braces.
    static let fields = ["severity", "state", "sensor", "channel", "rule", "text", "value", "limit", "unit"]

    /// The first name in braces that is not one of `fields`; nil: there is none.
    static func unknownField(of template: String) -> String? {
        template.matches(of: /\{([^{}]*)\}/).map { String($0.1) }.first { !fields.contains($0) }
    }

    /// The message about one change.
    static func message(_ notification: AlarmNotification, _ mail: NotifyConfiguration.Mail, now: Timestamp) -> [UInt8]
    {
        let subject = mail.subject.replacing(/\{([^{}]*)\}/) { value(String($0.1), of: notification) }
        return message(
            subject: subject.split(separator: " ").joined(separator: " "), lines: lines(of: notification),
            id: notification.id, mail, now)
    }

    /// The message about many changes.
    static func summary(
        _ notifications: [AlarmNotification], _ mail: NotifyConfiguration.Mail, now: Timestamp
    ) -> [UInt8] {
        let listed = notifications.prefix(WebhookBody.listedMax)
        var lines = listed.map {
            "\(value("severity", of: $0)) \(value("state", of: $0)): \($0.serial) \($0.channel) \($0.text)"
        }
        if notifications.count > listed.count { lines.append("and \(notifications.count - listed.count) more") }
        lines += ["", "iotctl get alarms lists all of them."]
        return message(
            subject: "\(notifications.count) changes of alarms at once", lines: lines,
            id: WebhookBody.summaryID(notifications), mail, now)
    }

    private static func value(_ field: String, of notification: AlarmNotification) -> String {
        switch field {
        case "severity": notification.severity.rawValue
        case "state": notification.edge == .trigger ? "alarm" : "ended"
        case "sensor": notification.serial
        case "channel": notification.channel
        case "rule": notification.rule
        case "text": notification.text
        case "value": number(notification.edge == .clear ? notification.clearValue : notification.value)
        case "limit": number(notification.limit)
        case "unit": notification.unit
        default: ""
        }
    }

    private static func number(_ number: Double?) -> String { number.map { "\($0)" } ?? "" }

    private static func lines(of notification: AlarmNotification) -> [String] {
        var lines = [notification.text, ""]
        func add(_ name: String, _ text: String?) {
            if let text, !text.isEmpty { lines.append("\(name): \(text)") }
        }
        add("sensor", notification.serial)
        add("channel", notification.channel)
        add("rule", notification.rule)
        add("severity", notification.severity.rawValue)
        add("value", notification.value.map { "\($0) \(notification.unit)" })
        add("limit", notification.limit.map { "\($0) \(notification.unit)" })
        add("began", notification.raisedAt.text(.precise) + " UTC")
        if notification.edge == .clear {
            add("ended", notification.clearedAt.map { $0.text(.precise) + " UTC" })
            add("value at the end", notification.clearValue.map { "\($0) \(notification.unit)" })
            add("cause", notification.clearCause)
        }
        if notification.isLate { lines.append("It was evaluated late, because its evaluator was away.") }
        add("runbook", notification.runbook)
        add("alarm", notification.alarm)
        return lines
    }

    private static func message(
        subject: String, lines: [String], id: String, _ mail: NotifyConfiguration.Mail, _ now: Timestamp
    ) -> [UInt8] {
        let domain = mail.from.split(separator: "@").last ?? "localhost"
        let escaped = WebhookBody.escapedID(id).replacing(/[^A-Za-z0-9._-]/, with: "_")
        let headers = [
            "From: \(mail.from)", "To: \(mail.to.joined(separator: ", "))", "Subject: \(encoded(subject))",
            "Date: \(date(now))", "Message-ID: <\(escaped)@\(domain)>",
            "X-Notification-Id: \(WebhookBody.escapedID(id))",
            "Auto-Submitted: auto-generated", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
        ]
        let text = Data((lines.joined(separator: "\r\n") + "\r\n").utf8)
        let body = text.base64EncodedString(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
        return Array((headers.joined(separator: "\r\n") + "\r\n\r\n" + body + "\r\n").utf8)
    }

    /// A header's text as encoded words (RFC 2047), unless it is printable ASCII of one line. Texts come from messages: a
    /// line end among them must not begin another header.
    static func encoded(_ text: String) -> String {
        let clean = String(text.prefix(200).map { $0.isNewline || $0 == "\0" ? " " : $0 })
        if clean.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return clean }
        // A word has at most 75 characters, and no character is cut: 45 bytes make 60.
        var words: [[UInt8]] = [[]]
        for character in clean.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if words[words.count - 1].count + bytes.count > 45 { words.append([]) }
            words[words.count - 1] += bytes
        }
        return words.map { "=?utf-8?B?\(Data($0).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }

    private static func date(_ time: Timestamp) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss '+0000'"
        return format.string(from: Date(timeIntervalSince1970: Double(time.unixMicroseconds) / 1e6))
    }
}
