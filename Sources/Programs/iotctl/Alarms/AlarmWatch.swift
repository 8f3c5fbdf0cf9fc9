internal import Model

/// Remembers which alarms were shown as active at the start, so that the message of one is not shown again. Pure.
struct AlarmWatch: Sendable {
    private var shown: Set<String> = []

    /// Notes the alarms that are active at the start.
    init(active ids: [String] = []) { shown = Set(ids) }

    /// Whether the message tells something new: not the trigger of an alarm that was shown at the start.
    mutating func isNew(_ edge: Alarm.Edge, of id: String) -> Bool {
        let wasShown = shown.remove(id) != nil
        return !(wasShown && edge == .trigger)
    }
}
