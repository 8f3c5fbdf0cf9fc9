internal import Foundation
internal import Model
internal import Store
internal import Time

/// Alerts as Alertmanager's API v2 takes them.
enum AlertmanagerBody {
    /// One alert; its labels are its identity there.
    struct Alert: Encodable, Equatable {
        var labels: [String: String]
        var annotations: [String: String]
        var startsAt: String
        var endsAt: String
    }

    /// The body of a POST to `/api/v2/alerts`. Of changes of the same labels only the newest alarm is in it, in its present
    /// state: Alertmanager would take several as one alert.
    /// - Parameter now: what the end of active alarms is counted from.
    static func alerts(
        _ notifications: [AlarmNotification], _ settings: NotifyConfiguration.Alertmanager, now: Timestamp
    ) -> [Alert] {
        var newest: [[String: String]: AlarmNotification] = [:]
        var order: [[String: String]] = []
        for notification in notifications {
            let labels = labels(of: notification, settings)
            if let other = newest[labels] {
                if notification.raisedAt >= other.raisedAt { newest[labels] = notification }
            } else {
                newest[labels] = notification
                order.append(labels)
            }
        }
        return order.compactMap { labels in newest[labels].map { alert($0, labels, settings, now) } }
    }

    private static func alert(
        _ notification: AlarmNotification, _ labels: [String: String], _ settings: NotifyConfiguration.Alertmanager,
        _ now: Timestamp
    ) -> Alert {
        let ends: Timestamp
        if let cleared = notification.clearedAt {
            // A clock that stepped must not make it end before it began, which is refused, or in the future.
            ends = max(min(cleared, now), notification.raisedAt.advanced(byNanoseconds: 1_000_000))
        } else {
            ends = now.advanced(byNanoseconds: 4 * settings.keepAlive.nanoseconds)
        }
        // A device's time may be ahead of ours; an alert that begins in the future is not told.
        let starts = min(notification.raisedAt, now)
        return Alert(
            labels: labels, annotations: annotations(of: notification), startsAt: starts.text(.nanoseconds),
            endsAt: max(ends, starts.advanced(byNanoseconds: 1_000_000)).text(.nanoseconds))
    }

    private static func labels(
        of notification: AlarmNotification, _ settings: NotifyConfiguration.Alertmanager
    ) -> [String: String] {
        var labels = settings.labels
        labels["alertname"] = notification.rule
        labels["sensor"] = notification.serial
        labels["severity"] = notification.severity.rawValue
        if !notification.channel.isEmpty { labels["channel"] = notification.channel }
        return labels
    }

    private static func annotations(of notification: AlarmNotification) -> [String: String] {
        var texts: [String: String] = [:]
        texts["summary"] = notification.text
        texts["alarm_id"] = notification.alarm
        texts["value"] = notification.value.map { "\($0)" }
        texts["limit"] = notification.limit.map { "\($0)" }
        texts["unit"] = notification.unit
        texts["runbook_url"] = notification.runbook
        if let cause = notification.clearCause { texts["cause"] = cause }
        if notification.isLate { texts["late"] = "true" }
        return texts.filter { !$0.value.isEmpty }
    }
}
