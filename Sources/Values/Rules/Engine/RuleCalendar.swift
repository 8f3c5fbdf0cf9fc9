internal import Time

/// A schedule with the offsets of its time zone.
struct RuleCalendar: Sendable, Equatable {
    private let schedule: RuleSchedule
    private let zone: ZoneOffsets

    init(_ schedule: RuleSchedule, zone: ZoneOffsets) {
        self.schedule = schedule
        self.zone = zone
    }

    /// Whether no alarm is raised at that time.
    func isMaintenance(at time: Timestamp) -> Bool {
        schedule.maintenanceWindows.contains { $0.from <= time && time < $0.to }
            || schedule.maintenance.contains { holds($0, at: time) }
    }

    /// Whether nobody is notified at that time.
    func isQuiet(at time: Timestamp) -> Bool { schedule.quiet.contains { holds($0, at: time) } }

    private func holds(_ hours: RuleSchedule.WeeklyHours, at time: Timestamp) -> Bool {
        let (day, minute) = Self.dayAndMinute(time, zone)
        let (from, to) = (hours.from.minutes, hours.to.minutes)
        if from < to { return hours.isOn(day) && from <= minute && minute < to }
        return hours.isOn(day) && minute >= from || hours.isOn((day + 6) % 7) && minute < to
    }

    /// The local day of the week, 0 for Monday, and the minute of that day.
    static func dayAndMinute(_ time: Timestamp, _ zone: ZoneOffsets) -> (day: Int, minute: Int) {
        let seconds = time.unixNanoseconds.flooredDivision(by: 1_000_000_000).quotient + Int64(zone.seconds(at: time))
        let (days, rest) = seconds.flooredDivision(by: 86_400)
        // 1970-01-01 was a Thursday.
        return (Int((days + 3).flooredDivision(by: 7).remainder), Int(rest / 60))
    }
}

extension RuleSchedule.WeeklyHours {
    fileprivate func isOn(_ day: Int) -> Bool { days.isEmpty || days.contains(RuleSchedule.Day.allCases[day]) }
}
