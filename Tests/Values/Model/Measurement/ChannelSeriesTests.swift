import Model
import Testing
import Time

@Suite struct ChannelSeriesTests {
    private static let start = Timestamp(unixMilliseconds: 1_763_720_000_000)

    private func at(_ seconds: Double) -> Timestamp { Self.start.advanced(byNanoseconds: Int64(seconds * 1e9)) }

    private func run(_ seconds: Double, _ values: [Float], hertz: Double = 2) -> SampleRun {
        SampleRun(start: at(seconds), rate: SampleRate(hertz: hertz), samples: .floats(values))
    }

    private func bucket(_ seconds: Double, count: Int64 = 10) -> ChannelSeries.Point {
        ChannelSeries.Point(time: at(seconds), count: count, min: -1, mean: 0, max: 1, rms: 0.5)
    }

    @Test func samplesOfRunsAreSortedAndNoneIsLost() {
        let series = ChannelSeries(runs: [run(1, [3, .nan]), run(0, [1, -2])])
        #expect(series.isSampled && series.points.map(\.time) == [at(0), at(0.5), at(1), at(1.5)])
        #expect(series.points.map(\.mean) == [1, -2, 3, nil] && series.points.map(\.rms) == [1, 2, 3, nil])
        #expect(series.points.allSatisfy { $0.min == $0.mean && $0.max == $0.mean && $0.count == 1 })
        #expect(series.gaps.isEmpty && series.sampleCount == 4 && series.step == 500_000_000)
    }

    /// A missing sample is a gap, whatever the rate is; a change of the rate is none.
    @Test func theRateSaysWhatAGapIs() {
        let missing = ChannelSeries(runs: [run(0, [1, 2, 3]), run(2, [4, 5])])
        #expect(missing.gaps == [ChannelSeries.Gap(pointBefore: 2, from: at(1.5), to: at(2))])
        #expect(missing.gapNanoseconds == 500_000_000)
        let slower = ChannelSeries(runs: [run(0, [1, 2, 3]), run(1.5, [4, 5, 6], hertz: 0.1)])
        #expect(slower.gaps.isEmpty)
    }

    /// Values without a rate: the usual time between them says what a gap is.
    @Test func theUsualTimeSaysItWithoutARate() {
        func value(_ seconds: Double) -> SampleRun {
            SampleRun(start: at(seconds), rate: nil, samples: .value(seconds))
        }
        let series = ChannelSeries(runs: [0, 60, 119, 181, 240, 600, 660].map(value))
        #expect(series.gaps.map(\.pointBefore) == [4] && series.gaps.first?.to == at(600))
        #expect(ChannelSeries(runs: [value(0), value(1000)]).gaps.isEmpty)
    }

    @Test func bucketsThatAreFarApartHaveAGapBetweenThem() {
        let series = ChannelSeries(buckets: [0, 10, 21, 30, 90, 100].map { bucket($0) })
        #expect(!series.isSampled && series.step == 10_000_000_000 && series.sampleCount == 60)
        #expect(series.gaps == [ChannelSeries.Gap(pointBefore: 3, from: at(40), to: at(90))])
        // Some fit into the minutes of a rollup: two steps are no gap.
        #expect(ChannelSeries(buckets: [0, 10, 30, 40].map { bucket($0) }).gaps.isEmpty)
    }

    @Test func fewPointsAreNoGapAndNoFault() {
        #expect(ChannelSeries(buckets: []).gaps.isEmpty && ChannelSeries(runs: []).points.isEmpty)
        let one = ChannelSeries(buckets: [bucket(5)])
        #expect(one.gaps.isEmpty && one.step == 0 && one.sampleCount == 10)
        let far = ChannelSeries(
            buckets: [Timestamp(unixNanoseconds: .min), Timestamp(unixNanoseconds: .max)].map {
                ChannelSeries.Point(time: $0, value: 1)
            })
        #expect(far.points.count == 2 && far.gaps.isEmpty)
    }
}
