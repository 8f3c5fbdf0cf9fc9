internal import Model
internal import Time

extension MutableSpan<UInt64> {
    /// A word as a number.
    subscript(number index: Int) -> Double {
        get { Double(bitPattern: self[index]) }
        mutating set { self[index] = newValue.bitPattern }
    }

    /// A word as a time.
    subscript(time index: Int) -> Timestamp {
        get { Timestamp(unixNanoseconds: Int64(bitPattern: self[index])) }
        mutating set { self[index] = UInt64(bitPattern: newValue.unixNanoseconds) }
    }
}

extension RuleNode {
    /// The words that every leaf's state begins with.
    enum Word {
        static let truth = 0
        static let value = 1
    }

    /// Judges a leaf by one block of a frame that has finite samples.
    /// - Returns: false if the block says nothing to it; its truth is in its first word.
    func judge(
        _ block: Int, _ moment: RuleMoment, at base: Int,
        _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        let statistics = moment.statistics[block]
        let truth = RuleTruth(rawValue: words[base]) ?? .unknown
        switch operation {
        case .threshold(let statistic, let bounds):
            guard let minimum = statistics.min, let maximum = statistics.max else { return false }
            if statistic == .sample {
                let after = bounds.judge(truth, minimum: minimum, maximum: maximum)
                let side = after.holds ? after : truth
                set(after, side == .low ? minimum : maximum, base, &words)
                return true
            }
            guard let value = statistic.value(statistics, moment.frame.blocks[block].samples) else { return false }
            set(bounds.judge(truth, minimum: value, maximum: value), value, base, &words)
            return true
        case .held(let bounds, let nanoseconds):
            return judgeHeld(bounds, nanoseconds, block, moment, base, &words)
        case .rate(let bounds, let per, let over):
            guard let mean = statistics.mean else { return false }
            return judgeRate(
                bounds, per, over, mean, Self.middle(moment), anchors: base + 2, base, &words)
        case .counter(let bounds, let per, let over, let wrapsAt):
            guard statistics.min != nil else { return false }
            var total = words[number: base + 7]
            var last: Double? = words[base + 8] == 0 ? nil : words[number: base + 6]
            moment.frame.blocks[block].samples.forEachFinite { _, sample in
                if let last { total += Self.increase(from: last, to: sample, wrapsAt: wrapsAt) }
                last = sample
            }
            words[number: base + 7] = total
            words[number: base + 6] = last ?? 0
            words[base + 8] = 1
            return judgeRate(bounds, per, over, total, moment.tauEnd, anchors: base + 2, base, &words)
        case .baseline(let baseline):
            guard let value = baseline.of.value(statistics, moment.frame.blocks[block].samples) else { return false }
            return judge(baseline, value, moment, base, &words)
        case .flatline(let after, let within):
            guard let minimum = statistics.min, let maximum = statistics.max else { return false }
            let isRunning = truth != .unknown
            let (low, high) = (
                isRunning ? min(minimum, words[number: base + 2]) : minimum,
                isRunning ? max(maximum, words[number: base + 3]) : maximum
            )
            if isRunning, high - low <= within {
                words[number: base + 2] = low
                words[number: base + 3] = high
            } else {
                words[number: base + 2] = minimum
                words[number: base + 3] = maximum
                words[time: base + 4] = maximum - minimum <= within ? moment.tau : moment.tauEnd
            }
            let length = moment.tauEnd.nanoseconds(since: words[time: base + 4])
            let span = words[number: base + 3] - words[number: base + 2]
            set(span <= within && length >= after ? .yes : .no, span, base, &words)
            return true
        case .clipping(let low, let high, let share):
            guard let minimum = statistics.min, let maximum = statistics.max else { return false }
            let samples = moment.frame.blocks[block].samples
            let rails = samples.rails
            guard let bottom = low ?? (high == nil ? rails?.low : -.infinity),
                let top = high ?? (low == nil ? rails?.high : .infinity)
            else { return false }
            var count = 0
            if maximum >= top || minimum <= bottom {
                samples.forEachFinite { _, sample in if sample >= top || sample <= bottom { count += 1 } }
            }
            let clipped = Double(count) / Double(statistics.finiteCount)
            set(count > 0 && clipped >= share ? .yes : .no, clipped, base, &words)
            return true
        case .shift(let by, let hysteresis, let window):
            guard let mean = statistics.mean else { return false }
            return judgeShift(by, hysteresis, window, mean, truth, moment, base, &words)
        case .dead(let below, let hysteresis):
            guard let value = Condition.Statistic.deviation.value(statistics, moment.frame.blocks[block].samples) else {
                return false
            }
            set(value < (truth == .yes ? below + hysteresis : below) ? .yes : .no, value, base, &words)
            return true
        case .silence(_, isOfChannel: true):
            guard statistics.finiteCount > 0 else { return false }
            words[base + 2] = UInt64(bitPattern: moment.listened) &+ 1
            set(.no, 0, base, &words)
            return true
        case .silence, .place, .signal, .all, .any, .not, .sustained: return false
        }
    }

    /// Judges the sensor's place.
    func judge(place: GeoPosition, at base: Int, _ words: inout MutableSpan<UInt64>) -> Bool {
        guard case .place(let border, let isOutside, let margin) = operation else { return false }
        let outside = border.distanceOutside(latitude: place.latitude, longitude: place.longitude)
        let distance = isOutside ? outside : -outside
        let wasOn = words[base + Word.truth] == RuleTruth.yes.rawValue
        set(distance > (wasOn ? -margin : 0) ? .yes : .no, distance, base, &words)
        return true
    }

    /// Judges silence by a frame or a tick.
    /// - Parameters:
    ///   - heard: the listened time at which data came last; nil: a frame is that data.
    func judgeSilence(_ after: Int64, heard: Int64?, listened: Int64, at base: Int, _ words: inout MutableSpan<UInt64>)
        -> Bool
    {
        guard let heard else {
            set(.no, 0, base, &words)
            return true
        }
        let silence = listened - heard
        guard silence >= after else { return false }
        set(.yes, Double(silence) / 1e9, base, &words)
        return true
    }

    @inline(__always)
    private func set(_ truth: RuleTruth, _ value: Double, _ base: Int, _ words: inout MutableSpan<UInt64>) {
        words[base + Word.truth] = truth.rawValue
        words[number: base + Word.value] = value
    }

    private static func middle(_ moment: RuleMoment) -> Timestamp {
        moment.tau.advanced(byNanoseconds: moment.tauEnd.nanoseconds(since: moment.tau) / 2)
    }

    private static func increase(from last: Double, to sample: Double, wrapsAt: Double) -> Double {
        if sample >= last { return sample - last }
        return wrapsAt > last ? wrapsAt - last + sample : max(0, sample)
    }
}

// MARK: conditions with a memory

extension RuleNode {
    /// The change per time since an anchor that is at least `over` old. Words: truth, value, older anchor, newer anchor (time 0:
    /// none), each a time and a value.
    private func judgeRate(
        _ bounds: Bounds, _ per: Double, _ over: Int64, _ value: Double, _ time: Timestamp, anchors: Int, _ base: Int,
        _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        func begin(_ words: inout MutableSpan<UInt64>) {
            for anchor in [anchors, anchors + 2] {
                words[time: anchor] = time
                words[number: anchor + 1] = value
            }
        }
        if words[anchors] == 0 {
            begin(&words)
            return false
        }
        let (newer, older) = (words[time: anchors + 2], anchors)
        guard time > newer else { return false }
        if time.nanoseconds(since: newer) >= over {
            words[time: older] = newer
            words[number: older + 1] = words[number: anchors + 3]
            words[time: anchors + 2] = time
            words[number: anchors + 3] = value
        }
        let age = time.nanoseconds(since: words[time: older])
        guard age > 0, age >= over else { return false }
        let rate = (value - words[number: older + 1]) / (Double(age) / 1e9) * per
        guard rate.isFinite else { return false }
        let truth = RuleTruth(rawValue: words[base]) ?? .unknown
        set(bounds.judge(truth, minimum: rate, maximum: rate), rate, base, &words)
        return true
    }

    /// Words: truth, value, on which side the last sample is, since when.
    private func judgeHeld(
        _ bounds: Bounds, _ nanoseconds: Int64, _ block: Int, _ moment: RuleMoment, _ base: Int,
        _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        let statistics = moment.statistics[block]
        guard let minimum = statistics.min, let maximum = statistics.max else { return false }
        var side = RuleTruth(rawValue: words[base + 2]) ?? .unknown
        var since = words[time: base + 3]
        var isHeld = false
        if let whole = bounds.decide(side, minimum: minimum, maximum: maximum) {
            if whole != side { since = moment.tau }
            side = whole
        } else {
            let wasHeld = words[base] == RuleTruth.yes.rawValue || words[base] == RuleTruth.low.rawValue
            let start = moment.tau
            var before = start
            let rate = moment.frame.rate
            moment.frame.blocks[block].samples.forEachFinite { index, sample in
                let time = start.advanced(byNanoseconds: rate?.nanoseconds(toSample: Int64(index)) ?? 0)
                let next = bounds.judge(side, minimum: sample, maximum: sample)
                if next != side {
                    // The end of what was held before is the end of the alarm.
                    let isNew = index > 0 && (!wasHeld || since >= start)
                    if side.holds, isNew, before.nanoseconds(since: since) >= nanoseconds { isHeld = true }
                    since = time
                    side = next
                }
                before = time
            }
        }
        if side.holds, moment.tauEnd.nanoseconds(since: since) >= nanoseconds { isHeld = true }
        words[base + 2] = side.rawValue
        words[time: base + 3] = side.holds ? since : Timestamp(unixNanoseconds: 0)
        set(isHeld ? side == .low ? .low : .yes : .no, side == .low ? minimum : maximum, base, &words)
        return true
    }

    /// Words: truth, value, reference, frames, first time, last time.
    private func judgeShift(
        _ by: Double, _ hysteresis: Double, _ window: Int64, _ mean: Double, _ truth: RuleTruth,
        _ moment: RuleMoment, _ base: Int, _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        let count = words[number: base + 3]
        if count == 0 {
            words[number: base + 2] = mean
            words[number: base + 3] = 1
            words[time: base + 4] = moment.tau
            words[time: base + 5] = moment.tau
            return false
        }
        let reference = words[number: base + 2]
        let isReady = moment.tau.nanoseconds(since: words[time: base + 4]) >= window
        var after = truth
        if isReady {
            let moved = mean - reference
            after = abs(moved) > (truth == .yes ? by - hysteresis : by) ? .yes : .no
            set(after, moved, base, &words)
        }
        if after != .yes {
            let elapsed = max(0, moment.tau.nanoseconds(since: words[time: base + 5]))
            let weight = max(1 / (count + 1), min(1, Double(elapsed) / Double(max(1, window))))
            words[number: base + 2] = reference + weight * (mean - reference)
            words[number: base + 3] = count + 1
        }
        words[time: base + 5] = moment.tau
        return isReady
    }

    /// Words: truth, value, limit, last time, and for each hour mean, variance and frames.
    private func judge(
        _ baseline: Baseline, _ value: Double, _ moment: RuleMoment, _ base: Int,
        _ words: inout MutableSpan<UInt64>
    ) -> Bool {
        var bucket = base + 4
        if let hours = baseline.hours {
            bucket += 3 * (RuleCalendar.dayAndMinute(moment.time, hours).minute / 60)
        }
        let (mean, variance, count) = (words[number: bucket], words[number: bucket + 1], words[number: bucket + 2])
        let isReady = count >= baseline.minimum
        if isReady {
            let reach = baseline.sigmas * variance.squareRoot()
            let truth: RuleTruth =
                if value > mean + reach, baseline.side != .below {
                    .yes
                } else if value < mean - reach, baseline.side != .above {
                    .low
                } else {
                    .no
                }
            set(truth.holds ? .yes : .no, value, base, &words)
            words[number: base + 2] =
                truth == .low || truth == .no && baseline.side == .below ? mean - reach : mean + reach
        }
        let elapsed = count == 0 ? 0 : max(0, moment.tau.nanoseconds(since: words[time: base + 3]))
        let weight = max(1 / (count + 1), min(1, Double(elapsed) / 1e9 / baseline.window))
        let difference = value - mean
        words[number: bucket] = mean + weight * difference
        words[number: bucket + 1] = (1 - weight) * (variance + weight * difference * difference)
        words[number: bucket + 2] = count + 1
        words[time: base + 3] = moment.tau
        return isReady
    }
}
