public import Time

/// One row of `measurement`: the samples of one channel in one frame, or the part of them within one UTC minute.
public struct MeasurementRow: Sendable, Equatable {
    /// When the first sample was taken, as far as can be trusted.
    public var time: Timestamp
    /// The channel.
    public var channel: ChannelID
    /// Which frame it comes from; nil for devices that don't number.
    public var position: FramePosition?
    /// Samples a second; 0 where a single sample came without a rate.
    public var rateHertz: Double
    /// The samples themselves.
    public var samples: Samples
    /// What they come to.
    public var statistics: SampleStatistics
    /// The broker's stamp.
    public var received: Timestamp
    /// What the device said, where that was not believed.
    public var deviceTime: Timestamp?
    /// Why `time` is what it is.
    public var clock: ClockVerdict
}

/// Cuts frames into rows.
public struct RowCutter: Sendable {
    /// A minute, in nanoseconds: the longest span of a row, and a border that no row crosses.
    public static let minute: Int64 = 60_000_000_000

    /// Which device times to believe.
    public var clockRule: ClockRule

    /// A cutter that believes device times by that rule.
    public init(clockRule: ClockRule) { self.clockRule = clockRule }

    /// The rows of a valid frame, block by block, each block's in order of time.
    ///
    /// How a frame is cut says nothing: limits and newest values go by the whole of a block. The rows of a capture have
    /// numbers of channels of their own (`ChannelID.ofCaptures`), and it has no wholes.
    /// - Parameters:
    ///   - channelNumber: the number of a channel; names must have been given one before.
    ///   - whole: called with each block as if it were one row, whatever minutes it touches.
    ///   - into: called with each row.
    /// - Returns: the trusted time of the frame's first sample, and why it is that.
    @discardableResult
    public func cut(
        _ frame: Frame, sensor: SensorID, received: Timestamp, channelNumber: (ChannelKey) -> Int16?,
        whole: ((MeasurementRow) -> Void)? = nil, into emit: (MeasurementRow) -> Void
    ) -> (time: Timestamp, verdict: ClockVerdict) {
        let trusted = clockRule.judge(start: frame.start, spanNanoseconds: frame.spanNanoseconds, received: received)
        for block in frame.blocks {
            guard let number = channelNumber(block.channel) else { continue }
            var channel = ChannelID(sensor: sensor, number: number)
            if frame.isCapture { channel = channel.ofCaptures }
            func row(_ range: Range<Int>) -> MeasurementRow {
                let offset = range.lowerBound == 0 ? 0 : frame.rate?.nanoseconds(toSample: Int64(range.lowerBound)) ?? 0
                let samples = block.samples.slice(range)
                return MeasurementRow(
                    time: trusted.time.advanced(byNanoseconds: offset), channel: channel, position: frame.position,
                    rateHertz: frame.rate?.hertz ?? 0, samples: samples,
                    statistics: SampleStatistics(samples), received: received,
                    deviceTime: trusted.verdict == .ok ? nil : frame.start?.advanced(byNanoseconds: offset),
                    clock: trusted.verdict)
            }
            let all = 0..<block.samples.count
            Self.forEachMinute(of: block.samples.count, start: trusted.time, rate: frame.rate) { range in
                let part = row(range)
                emit(part)
                if frame.isCapture { return }
                if range == all { whole?(part) } else if range.lowerBound == 0 { whole?(row(all)) }
            }
        }
        return trusted
    }

    /// Calls `body` with the sample indices of each UTC minute that a run of samples touches, in order of time.
    private static func forEachMinute(
        of count: Int, start: Timestamp, rate: SampleRate?, _ body: (Range<Int>) -> Void
    ) {
        guard count > 1, let rate else { return body(0..<count) }
        let end = start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(count - 1)))
        if minute(of: start) == minute(of: end) { return body(0..<count) }
        var first = 0
        while first < count {
            let time = start.advanced(byNanoseconds: rate.nanoseconds(toSample: Int64(first)))
            let border = (minute(of: time) + 1) * minute
            let inside = rate.samples(within: border - 1 - start.unixNanoseconds)
            let next = max(first + 1, Int(clamping: min(inside, Int64(count))))
            body(first..<next)
            first = next
        }
    }

    private static func minute(of time: Timestamp) -> Int64 {
        time.unixNanoseconds.flooredDivision(by: minute).quotient
    }
}
