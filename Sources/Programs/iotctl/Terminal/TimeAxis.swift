internal import Time

/// Round times of day (UTC) at which the axis of a plot is labelled.
enum TimeAxis {
    private static let second: Int64 = 1_000_000_000
    private static let day = 86_400 * second
    /// Blanks between two labels, at least.
    private static let blanks = 2

    /// The times from one label to the next, in nanoseconds, shortest first.
    private static let steps: [Int64] = {
        var steps: [Int64] = []
        var decade: Int64 = 1
        while decade < second {
            steps += [decade, 2 * decade, 5 * decade]
            decade *= 10
        }
        steps += [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800].map { $0 * second }
        steps += [1, 2, 3, 6, 12].map { $0 * 3600 * second }
        return steps + [1, 2, 7, 14, 30, 90, 365, 730, 1825, 3650, 18_250].map { $0 * day }
    }()

    /// The labels of a range, as many as fit below a plot of `width` columns; none if a single one does not fit.
    static func labels(_ range: Range<Timestamp>, width: Int) -> [PlotFrame.Label] {
        let span = range.upperBound.nanoseconds(since: range.lowerBound)
        guard span > 0 else { return [] }
        guard
            let step = steps.first(where: { step in
                let longest = label(range.lowerBound, step: step, span: span).count + blanks
                return Double(span) / Double(step) * Double(longest) <= Double(width)
            })
        else { return [] }
        let rest = range.lowerBound.unixNanoseconds.flooredDivision(by: step).remainder
        var time = rest == 0 ? range.lowerBound : range.lowerBound.advanced(byNanoseconds: step - rest)
        var labels: [PlotFrame.Label] = []
        while range.contains(time) {
            let share = Double(time.nanoseconds(since: range.lowerBound)) / Double(span)
            labels.append(PlotFrame.Label(share: share, text: label(time, step: step, span: span)))
            let next = time.advanced(byNanoseconds: step)
            guard next > time else { break }
            time = next
        }
        return labels
    }

    /// "2026-11-21", "11-21" at midnight, "09:30", "09:30:05" or "05.125", whatever tells two labels apart.
    private static func label(_ time: Timestamp, step: Int64, span: Int64) -> String {
        let text = Array(time.description)
        if step >= day { return String(text[..<10]) }
        if span > day, time.unixNanoseconds.flooredDivision(by: day).remainder == 0 { return String(text[5..<10]) }
        if step >= 60 * second { return String(text[11..<16]) }
        if step >= second { return String(text[11..<19]) }
        var (digits, unit) = (9, step)
        while unit % 10 == 0 {
            unit /= 10
            digits -= 1
        }
        return String(text[17..<(20 + digits)])
    }
}
