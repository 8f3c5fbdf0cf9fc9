/// A stream of samples on its way through the filter of a band, in blocks of any length.
///
/// However the samples are cut into blocks, the results are the same to the bit. A gap, another sample rate or a sample that is
/// not finite starts the filter anew: it begins at the next sample, and what it says while it still swings is left out.
struct FilteredSignal: Sendable {
    /// Samples a second; 0: nothing came yet.
    private(set) var rate = 0.0
    private var memory = BandFilter.Memory()
    /// Taken off every sample: the first one. So an offset of the signal does not have to die away.
    private var offset = 0.0
    /// How many samples are left to leave out; negative: it starts with the next sample.
    private var unsettled = -1
    /// Made of band and rate when it is needed.
    private var filter: BandFilter?

    init() {}

    /// Filters a block.
    /// - Parameters:
    ///   - isContinuous: whether its first sample follows the last one of the block before.
    ///   - restart: called before the first sample after a start.
    ///   - body: is given a range of the block of which the results count; it must run the filter over it.
    @inline(__always)
    mutating func add(
        _ samples: borrowing Span<Double>, rate: Double, isContinuous: Bool, _ band: SignalBand, restart: () -> Void,
        _ body: (borrowing Span<Double>, Range<Int>, BandFilter, Double, inout BandFilter.Memory) -> Void
    ) {
        guard rate > 0, rate < .infinity, band.from < BandFilter.highestShare * rate else {
            self = FilteredSignal()
            restart()
            return
        }
        if rate != self.rate || !isContinuous { unsettled = -1 }
        self.rate = rate
        let filter = filter.flatMap { $0.rate == rate ? $0 : nil } ?? BandFilter(band, rate: rate)
        self.filter = filter
        var start = 0
        while start < samples.count {
            guard samples[start].isFinite else {
                unsettled = -1
                start += 1
                continue
            }
            if unsettled < 0 {
                memory = BandFilter.Memory()
                offset = band.from > 0 ? samples[start] : 0
                unsettled = band.settling(atRate: rate)
                restart()
            }
            var end = start + 1
            while end < samples.count, samples[end].isFinite { end += 1 }
            let settled = min(end, start + unsettled)
            if settled > start {
                filter.run(samples, start..<settled, less: offset, &memory) { _ in }
                unsettled -= settled - start
            }
            if end > settled { body(samples, settled..<end, filter, offset, &memory) }
            start = end
        }
        memory.flush()
    }
}

extension FilteredSignal: Equatable {
    /// Without the filter, which follows from the rate.
    static func == (left: FilteredSignal, right: FilteredSignal) -> Bool {
        left.rate == right.rate && left.memory == right.memory && left.offset == right.offset
            && left.unsettled == right.unsettled
    }
}

extension FilteredSignal {
    static let wordCount = 3 + BandFilter.Memory.wordCount

    func write(to words: inout [UInt64]) {
        words.append(rate.bitPattern)
        words.append(offset.bitPattern)
        words.append(UInt64(bitPattern: Int64(unsettled)))
        memory.write(to: &words)
    }

    /// What was written there.
    init(words: borrowing Span<UInt64>, at first: Int) {
        rate = Double(bitPattern: words[first])
        offset = Double(bitPattern: words[first + 1])
        unsettled = Int(Int64(bitPattern: words[first + 2]))
        memory = BandFilter.Memory(words: words, at: first + 3)
    }
}
