internal import Foundation
internal import Model
internal import Store
internal import Time

/// The JSON of a webhook, and its signature.
enum WebhookBody {
    /// One change of an alarm, or a summary of many.
    struct Message: Encodable {
        /// The format's version; a receiver refuses one that it does not know.
        var version = 1
        /// The same at every attempt.
        var id: String
        /// `alarm` or `summary`.
        var kind: String
        var receiver: String
        /// Of an alarm: `trigger` or `clear`.
        var edge: String?
        /// Of an alarm.
        var alarm: AlarmText?
        /// Of a summary: how many changes it tells.
        var count: Int?
        /// Of a summary: how many alarms began, and how many ended.
        var began: Int?
        var ended: Int?
        /// Of a summary: the first of them.
        var alarms: [AlarmText]?
        /// Of a summary: how many are not listed in `alarms`.
        var more: Int?
        /// Of a summary: the ids of all changes.
        var ids: [String]?
    }

    /// An alarm.
    struct AlarmText: Encodable {
        var id: String
        var edge: String
        var rule: String
        var severity: String
        var sensor: String
        var channel: String?
        var value: Double?
        var limit: Double?
        var unit: String?
        var raisedAt: String
        var clearedAt: String?
        var clearValue: Double?
        var cause: String?
        var text: String
        var runbook: String?
        var late: Bool

        init(_ notification: AlarmNotification) {
            func present(_ text: String?) -> String? { text?.isEmpty == false ? text : nil }
            let isClear = notification.edge == .clear
            id = notification.alarm
            edge = notification.edge.rawValue
            rule = notification.rule
            severity = notification.severity.rawValue
            sensor = notification.serial
            channel = present(notification.channel)
            value = notification.value
            limit = notification.limit
            unit = present(notification.unit)
            raisedAt = notification.raisedAt.text(.nanoseconds)
            // A begin that is told late has ended already, but its own end is told next.
            clearedAt = isClear ? notification.clearedAt?.text(.nanoseconds) : nil
            clearValue = isClear ? notification.clearValue : nil
            cause = isClear ? present(notification.clearCause) : nil
            text = notification.text
            runbook = present(notification.runbook)
            late = notification.isLate
        }
    }

    /// The most alarms that a summary lists.
    static let listedMax = 20

    /// Of one change.
    static func message(_ notification: AlarmNotification, to receiver: String) -> Message {
        Message(
            id: notification.id, kind: "alarm", receiver: receiver, edge: notification.edge.rawValue,
            alarm: AlarmText(notification))
    }

    /// Of many changes.
    static func summary(_ notifications: [AlarmNotification], to receiver: String) -> Message {
        let began = notifications.count { $0.edge == .trigger }
        return Message(
            id: summaryID(notifications), kind: "summary", receiver: receiver, count: notifications.count, began: began,
            ended: notifications.count - began, alarms: notifications.prefix(listedMax).map { AlarmText($0) },
            more: max(0, notifications.count - listedMax), ids: notifications.map(\.id))
    }

    /// The id of a summary: the same for the same changes.
    static func summaryID(_ notifications: [AlarmNotification]) -> String {
        "summary/\(notifications.first?.number ?? 0)-\(notifications.last?.number ?? 0)-\(notifications.count)"
    }

    /// What Slack's incoming webhooks take.
    struct Slack: Encodable, Equatable {
        var text: String

        init(_ notification: AlarmNotification) { text = Self.line(notification) }

        init(summary notifications: [AlarmNotification]) {
            let lines = notifications.prefix(WebhookBody.listedMax).map { Self.line($0) }
            let more = notifications.count - lines.count
            let title = "*\(notifications.count) changes of alarms at once*"
            text = ([title] + lines + (more > 0 ? ["and \(more) more"] : [])).joined(separator: "\n")
        }

        private static func line(_ notification: AlarmNotification) -> String {
            let place = [notification.serial, notification.channel].filter { !$0.isEmpty }.joined(separator: " ")
            let state = notification.edge == .trigger ? "began" : "ended"
            var line = "*\(notification.severity.rawValue)* \(state): \(escaped(place)) – \(escaped(notification.text))"
            if let runbook = notification.runbook, runbook.hasPrefix("http") {
                line += " <\(escaped(runbook).replacing("|", with: "%7C"))|runbook>"
            }
            return line
        }

        /// The three characters that have a meaning in Slack.
        private static func escaped(_ text: String) -> String {
            text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        }
    }

    /// The bytes of a message, always the same for the same message.
    static func bytes(_ message: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return Array(try encoder.encode(message))
    }

    /// The headers of a POST.
    /// - Parameter secret: nil: not signed.
    static func headers(
        id: String, body: [UInt8], secret: [UInt8]?, now: Timestamp
    ) -> [(name: String, value: String)] {
        var headers = [("Content-Type", "application/json"), ("X-Notification-Id", escapedID(id))]
        guard let secret else { return headers }
        let time = "\(now.unixNanoseconds.flooredDivision(by: 1_000_000_000).quotient)"
        headers.append(("X-Notification-Timestamp", time))
        let code = SHA256.authenticationCode(of: Array(time.utf8) + [UInt8(ascii: ".")] + body, secret: secret)
        headers.append(("X-Notification-Signature", "sha256=\(code)"))
        return headers
    }

    /// An id as part of a header: an alarm's id is a text from a message.
    static func escapedID(_ id: String) -> String {
        let allowed = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/")
        return id.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}
