import Model
import Records
import Testing
import Time

@testable import iotctl

/// The parts of `iotctl plot`: dots, frame, times, and the plot that they make.
@Suite struct PlotTests {
    private static let start = Timestamp(unixMilliseconds: 1_763_719_200_000)  // 2025-11-21T10:00:00Z

    private func at(_ seconds: Double) -> Timestamp { Self.start.advanced(byNanoseconds: Int64(seconds * 1e9)) }

    // MARK: canvas

    @Test func eachDotHasItsBit() {
        let dots = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]
        let shown = dots.map { x, y in
            var canvas = BrailleCanvas(columns: 1, rows: 1)
            canvas.set(x, y)
            return canvas.rows
        }
        #expect(shown == [["⠁"], ["⠂"], ["⠄"], ["⡀"], ["⠈"], ["⠐"], ["⠠"], ["⢀"]])
    }

    @Test func fillsLinesAndTheOutside() {
        var canvas = BrailleCanvas(columns: 2, rows: 2)
        #expect(canvas.width == 4 && canvas.height == 8 && canvas.rows == ["  ", "  "])
        canvas.fill(0, 7, 0)
        canvas.set(4, 0)
        canvas.set(-1, 0)
        canvas.set(0, 8)
        #expect(canvas.rows == ["⡇ ", "⡇ "])
        canvas.fill(3, -100, 100)
        #expect(canvas.rows == ["⡇⢸", "⡇⢸"])
        var line = BrailleCanvas(columns: 2, rows: 1)
        line.line(from: (0, 3), to: (3, 0))
        #expect(line.rows == ["⡠⠊"])
        line.line(from: (0, 0), to: (0, 0))
        #expect(line.rows == ["⡡⠊"])
        #expect(BrailleCanvas(columns: 0, rows: 3).rows.isEmpty)
    }

    // MARK: axis

    @Test(
        arguments: [
            (0.0, 3600.0, 60, ["10:00", "10:10", "10:20", "10:30", "10:40", "10:50"]),
            (453, 4053, 28, ["10:15", "10:30", "10:45", "11:00"]),
            (0, 7, 60, ["10:00:00", "10:00:02", "10:00:04", "10:00:06"]),
            (0, 86_400 * 3, 60, ["12:00", "11-22", "12:00", "11-23", "12:00", "11-24"]),
            (0, 86_400 * 30, 40, ["2025-12-04", "2025-12-18"]),
            (0.0001, 0.0049, 40, ["00.001", "00.002", "00.003", "00.004"]),
        ] as [(Double, Double, Int, [String])])
    func labelsAreRoundTimesThatFit(_ from: Double, _ to: Double, _ width: Int, _ words: [String]) {
        #expect(TimeAxis.labels(at(from)..<at(to), width: width).map(\.text) == words)
    }

    /// From nanoseconds to centuries: as many labels as fit, each below its time.
    @Test(arguments: [10, 29, 70, 490], [1, 7, 60, 86_400, 400_000_000, 8_000_000_000] as [Double])
    func labelsNeverOverlap(_ width: Int, _ span: Double) {
        for unit in [1e-9, 1e-6, 1] where span * unit * 1e9 >= 1 {
            let range = Self.start..<Self.start.advanced(byNanoseconds: Int64(min(9e18, span * unit * 1e9)))
            let labels = TimeAxis.labels(range, width: width)
            #expect(labels.allSatisfy { (0..<1).contains($0.share) })
            #expect(labels.reduce(0) { $0 + $1.text.count } <= width + 12, "\(range): \(labels)")
            #expect(zip(labels, labels.dropFirst()).allSatisfy { $0.share < $1.share })
        }
    }

    @Test func aFrameShowsTheRightOfTwoWordsThatOverlap() {
        let frame = PlotFrame(columns: 40)
        #expect(frame.width == 30)
        let lines = frame.lines(
            ["a  ", "b"], label: { $0 == 0 ? "12.5" : "" },
            axis: [
                PlotFrame.Label(share: 0, text: "first"), PlotFrame.Label(share: 0.9, text: "hidden"),
                PlotFrame.Label(share: 1, text: "last"),
            ])
        #expect(lines[0] == "    12.5 │a" && lines[1] == "         │b")
        #expect(lines[2] == "         └" + String(repeating: "─", count: 30))
        #expect(lines[3].hasPrefix("       first") && lines[3].hasSuffix(" last") && lines[3].count == 40)
        #expect(!lines[3].contains("hidden"))
    }

    // MARK: plot

    private func dotColumns(_ line: String) -> [Bool] {
        line.drop { $0 != "│" }.dropFirst().map { $0 != " " }
    }

    @Test(arguments: [40, 80, 200], [2, 7, 24])
    func linesFitTheTerminal(_ columns: Int, _ rows: Int) {
        let buckets = (0..<60).map { index in
            ChannelSeries.Point(
                time: at(Double(index)), count: 5, min: -Double(index), mean: 0, max: Double(index), rms: 1)
        }
        for series in [ChannelSeries(buckets: buckets), ChannelSeries(buckets: [buckets[0]])] {
            let lines = ChannelPlot(series: series, range: at(0)..<at(60)).lines(columns: columns, rows: rows)
            #expect(lines.count == rows + 2 && lines.allSatisfy { $0.count <= columns }, "\(lines)")
        }
    }

    /// The band of each column is that of its bucket, from the top to the bottom of the scale.
    @Test func bucketsFillFromTheLeastToTheLargest() {
        let buckets = (0..<60).map { index in
            let high = index < 30 ? 10.0 : 5
            return ChannelSeries.Point(time: at(Double(index)), count: 5, min: 0, mean: 1, max: high, rms: 1)
        }
        let lines = ChannelPlot(series: ChannelSeries(buckets: buckets), range: at(0)..<at(60))
            .lines(columns: 40, rows: 8)
        #expect(lines[0] == "      10 │" + String(repeating: "⣿", count: 15))
        #expect(lines[7] == "       0 │" + String(repeating: "⣿", count: 30))
        #expect(lines[4].hasPrefix("       5 │"))
        #expect(lines[9].contains("10:00:30"))
    }

    /// What is missing is empty, in a plot of buckets and in one of samples.
    @Test func gapsStayEmpty() {
        let buckets = (0..<60).filter { !(20..<40).contains($0) }.map { index in
            ChannelSeries.Point(time: at(Double(index)), count: 5, min: 0, mean: 1, max: 2, rms: 1)
        }
        let runs = [0, 40].map { second in
            SampleRun(
                start: at(Double(second)), rate: SampleRate(hertz: 1), samples: .floats(Array(repeating: 1, count: 20)))
        }
        for series in [ChannelSeries(buckets: buckets), ChannelSeries(runs: runs)] {
            #expect(series.gaps.count == 1)
            let lines = ChannelPlot(series: series, range: at(0)..<at(60)).lines(columns: 40, rows: 6)
            let used = (0..<6).map { dotColumns(lines[$0]) }.reduce(Array(repeating: false, count: 30)) { all, row in
                all.enumerated().map { $1 || ($0 < row.count && row[$0]) }
            }
            #expect(used[0..<10].allSatisfy { $0 } && used[20..<29].allSatisfy { $0 }, "\(lines)")
            #expect(!used[10..<20].contains(true), "\(lines)")
        }
    }

    @Test func samplesAreJoinedAndConstantsHaveAScale() {
        func series(_ values: [Double]) -> ChannelSeries {
            ChannelSeries(
                runs: [
                    SampleRun(start: at(0), rate: SampleRate(hertz: 0.1), samples: .floats(values.map { Float($0) }))
                ])
        }
        let ramp = ChannelPlot(series: series([0, 1, 2, 3, 4, 5]), range: at(0)..<at(60)).lines(columns: 40, rows: 6)
        #expect(ramp[0].hasPrefix("       5 │") && ramp[5].hasPrefix("       0 │⡠"))
        #expect((0..<6).allSatisfy { dotColumns(ramp[$0]).contains(true) })
        let constant = ChannelPlot(series: series([20, 20, 20]), range: at(0)..<at(60)).lines(columns: 40, rows: 5)
        #expect(
            constant[0].hasPrefix("      22 │") && constant[2].hasPrefix("      20 │⠒")
                && constant[4].hasPrefix("      18 │"))
        for value in [0, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1e-300] {
            let runs = [SampleRun(start: at(0), rate: nil, samples: .value(value))]
            let lines = ChannelPlot(series: ChannelSeries(runs: runs), range: at(0)..<at(60)).lines(
                columns: 40, rows: 5)
            #expect((0..<5).contains { dotColumns(lines[$0]).contains(true) }, "\(value)")
        }
        let wild = [-Double.greatestFiniteMagnitude, Double.greatestFiniteMagnitude, .nan].enumerated().map {
            SampleRun(start: at(Double($0.offset)), rate: nil, samples: .value($0.element))
        }
        let lines = ChannelPlot(series: ChannelSeries(runs: wild), range: at(0)..<at(60)).lines(columns: 40, rows: 5)
        #expect(dotColumns(lines[0]).contains(true) && dotColumns(lines[4]).contains(true))
    }

    // MARK: CSV

    @Test func tableQuotesNamesAndLeavesOutWhatIsNoNumber() {
        let series = ChannelSeries(runs: [
            SampleRun(start: at(0), rate: nil, samples: .value(0.1)),
            SampleRun(start: at(1), rate: nil, samples: .value(.nan)),
        ])
        let view = PlotView(series, sensor: "a", channel: "a \"b\", c", unit: "", range: at(0)..<at(60))
        #expect(
            PlotView.csv([view]) == """
                channel,time,n,min,mean,max,rms
                "a ""b"", c",2025-11-21T10:00:00.000000000Z,1,0.1,0.1,0.1,0.1
                "a ""b"", c",2025-11-21T10:00:01.000000000Z,1,,,,

                """)
    }
}
