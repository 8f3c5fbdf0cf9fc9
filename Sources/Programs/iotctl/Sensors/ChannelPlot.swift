internal import Foundation
internal import Model
internal import Time

/// The course of a channel over time, plotted in braille dots: samples joined by lines, or the range of each bucket.
///
/// A gap stays empty.
struct ChannelPlot {
    /// The course to plot, with at least one point.
    var series: ChannelSeries
    /// The time from the left to the right.
    var range: Range<Timestamp>

    /// The number of points that a plot of `columns` characters can show side by side.
    static func pointsMax(columns: Int) -> Int { PlotFrame(columns: columns).width * BrailleCanvas.dotsAcross }

    /// Lines of at most `columns` characters: `rows` of the plot, then the axis and its times (UTC).
    func lines(columns: Int, rows: Int) -> [String] {
        let frame = PlotFrame(columns: columns)
        var canvas = BrailleCanvas(columns: frame.width, rows: rows)
        let scale = self.scale
        if series.isSampled { drawSamples(on: &canvas, scale) } else { drawBuckets(on: &canvas, scale) }
        let labels = Self.labels(of: scale, rows: rows)
        return frame.lines(
            canvas.rows, label: { labels[$0] ?? "" }, axis: TimeAxis.labels(range, width: frame.width))
    }

    // MARK: scale

    /// The values at the bottom and at the top: the smallest and the largest, or around the only one.
    private var scale: ClosedRange<Double> {
        let low = series.points.compactMap(\.min).min() ?? 0
        let high = series.points.compactMap(\.max).max() ?? 0
        if low < high { return low...high }
        let margin = low == 0 ? 1 : abs(low) * 0.1
        let largest = Double.greatestFiniteMagnitude
        return max(-largest, low - margin)...min(largest, low + margin)
    }

    /// Labels at the top, in the middle and at the bottom, with as many digits as it takes to tell them apart.
    private static func labels(of scale: ClosedRange<Double>, rows: Int) -> [Int: String] {
        let middle = scale.lowerBound / 2 + scale.upperBound / 2
        var values = [(0, scale.upperBound), (rows - 1, scale.lowerBound)]
        // In a plot with an even number of rows the middle is at the upper edge of the row below it.
        if rows > 4 { values.append((rows / 2, middle)) }
        for digits in 3...6 {
            let labels = values.map { ($0.0, $0.1.significant(digits)) }
            let isClear = Set(labels.map(\.1)).count == labels.count
            if isClear || digits == 6 { return Dictionary(labels, uniquingKeysWith: { first, _ in first }) }
        }
        return [:]
    }

    // MARK: dots

    private func column(of time: Timestamp, _ canvas: BrailleCanvas) -> Int {
        let span = Double(range.upperBound.nanoseconds(since: range.lowerBound))
        let share = Double(time.nanoseconds(since: range.lowerBound)) / max(1, span)
        return min(canvas.width - 1, max(0, Int(share * Double(canvas.width))))
    }

    private func row(of value: Double, _ canvas: BrailleCanvas, _ scale: ClosedRange<Double>) -> Int {
        // Halves: the difference of two large numbers may not be finite.
        let share =
            (value / 2 - scale.lowerBound / 2) / (scale.upperBound / 2 - scale.lowerBound / 2)
        return canvas.height - 1 - Int((share * Double(canvas.height - 1)).rounded())
    }

    private func drawSamples(on canvas: inout BrailleCanvas, _ scale: ClosedRange<Double>) {
        let gaps = Set(series.gaps.map(\.pointBefore))
        var before: (x: Int, y: Int)?
        for (index, point) in series.points.enumerated() {
            guard let value = point.mean else {
                before = nil
                continue
            }
            let dot = (x: column(of: point.time, canvas), y: row(of: value, canvas, scale))
            canvas.line(from: before ?? dot, to: dot)
            before = gaps.contains(index) ? nil : dot
        }
    }

    /// A bucket reaches to the next one; before a gap it is as long as usual.
    private func drawBuckets(on canvas: inout BrailleCanvas, _ scale: ClosedRange<Double>) {
        let gaps = Dictionary(series.gaps.map { ($0.pointBefore, $0.from) }, uniquingKeysWith: { first, _ in first })
        for (index, point) in series.points.enumerated() {
            guard let low = point.min, let high = point.max else { continue }
            let next = index + 1 < series.points.count ? series.points[index + 1].time : nil
            let end = gaps[index] ?? next ?? point.time.advanced(byNanoseconds: series.step)
            let first = column(of: point.time, canvas)
            let last = max(first, column(of: end.advanced(byNanoseconds: -1), canvas))
            for x in first...last {
                canvas.fill(x, row(of: high, canvas, scale), row(of: low, canvas, scale))
            }
        }
    }
}
