import Model
import Simulation
import Testing
import Time

@Suite struct RowCutterTests {
    private let cutter = RowCutter(clockRule: ClockRule())

    private func rows(_ frame: Frame, received: Timestamp = now) -> [MeasurementRow] {
        var rows: [MeasurementRow] = []
        cutter.cut(frame, sensor: 5, received: received, channelNumber: { $0 == .number(0) ? 0 : nil }) {
            rows.append($0)
        }
        return rows
    }

    private func minute(_ nanoseconds: Int64) -> Int64 {
        nanoseconds >= 0 ? nanoseconds / RowCutter.minute : (nanoseconds + 1) / RowCutter.minute - 1
    }

    /// Random rates (fractions too), starts (before 1970 too) and lengths.
    @Test(arguments: 0..<60)
    func rowsKeepToTheirMinuteAndLoseNothing(round: UInt64) throws {
        var random = SplitMix64(seed: round)
        let common = [1.0 / 60, 0.1, 1, 3, 50, 1000, 10_000, 44_100, 48_000]
        let hertz: Double =
            round.isMultiple(of: 2)
            ? common[Int(round / 2) % common.count] : Double.random(in: 0.01...5000, using: &random)
        let rate = try rate(hertz)
        let count = Int.random(in: 1...min(6000, max(2, Int(hertz * 86_000))), using: &random)
        let start = Timestamp(
            unixNanoseconds: .random(in: -3_000_000_000_000_000...1_800_000_000_000_000_000, using: &random))
        let frame = frame(count, rate: rate, start: start)
        let rows = rows(frame, received: start)
        var index = 0
        for row in rows {
            guard case .floats(let samples) = row.samples else {
                Issue.record("\(row.samples)")
                return
            }
            let first = start.unixNanoseconds + rate.nanoseconds(toSample: Int64(index))
            let last = start.unixNanoseconds + rate.nanoseconds(toSample: Int64(index + samples.count - 1))
            #expect(samples == (index..<(index + samples.count)).map { Float($0) })
            #expect(row.time.unixNanoseconds == first)
            #expect(minute(first) == minute(last) && last - first < RowCutter.minute)
            #expect(row.statistics == SampleStatistics(row.samples))
            #expect(
                row.rateHertz == hertz && row.position == frame.position && row.clock == .ok && row.deviceTime == nil)
            index += samples.count
        }
        #expect(index == count)
        // No row more than there are minutes.
        #expect(Set(rows.map { minute($0.time.unixNanoseconds) }).count == rows.count)
    }

    @Test func aSampleOnTheBorderBelongsToTheNextMinute() throws {
        let rows = rows(frame(3, rate: try rate(1), start: now.advanced(bySeconds: -1)))
        #expect(rows.map(\.time) == [now.advanced(bySeconds: -1), now])
        #expect(rows.map(\.samples) == [.floats([0]), .floats([1, 2])])
    }

    @Test func aMinuteFromItsBeginningIsOneRow() throws {
        #expect(rows(frame(6000, rate: try rate(100), start: now)).count == 1)
        #expect(rows(frame(6001, rate: try rate(100), start: now)).map(\.samples.count) == [6000, 1])
    }

    @Test func oneSampleAMinuteIsOneRowEach() throws {
        let rows = rows(frame(60, rate: try rate(1.0 / 60), start: now))
        #expect(rows.map(\.time) == (0..<60).map { now.advanced(bySeconds: $0 * 60) })
    }

    @Test func aSingleValueNeedsNoRate() {
        var frame = frame(1, rate: nil)
        frame.blocks = [Block(channel: .number(0), samples: .value(.pi))]
        let rows = rows(frame)
        #expect(rows.count == 1)
        #expect(rows.first?.rateHertz == 0 && rows.first?.samples == .value(.pi) && rows.first?.time == now)
        #expect(rows.first?.channel == ChannelID(sensor: 5, number: 0) && rows.first?.received == now)
    }

    @Test func everyBlockIsCutAndUnknownChannelsAreLeftOut() throws {
        var frame = frame(4, rate: try rate(2), start: now.advanced(bySeconds: -1))
        frame.blocks.append(Block(channel: .number(1), samples: .counts([1, 2, 3, 4], scale: 1, offset: 0)))
        frame.blocks.append(Block(channel: .name("unknown"), samples: .value(1)))
        var channels: [Int16] = []
        cutter.cut(
            frame, sensor: 1, received: now,
            channelNumber: { key in
                if case .number(let number) = key { number + 10 } else { nil }
            }, into: { channels.append($0.channel.number) })
        #expect(channels == [10, 10, 11, 11])
    }

    /// What limits and newest values go by is the same whatever minutes a block touches.
    @Test func eachBlockIsGivenWholeToo() throws {
        for (start, count) in [(now, 1), (now.advanced(bySeconds: -2), 2)] {
            var frame = frame(200, rate: try rate(50), start: start)
            frame.blocks.append(Block(channel: .number(1), samples: .counts([1, -2, 3], scale: 2, offset: 1)))
            var wholes: [MeasurementRow] = []
            var rows: [MeasurementRow] = []
            cutter.cut(
                frame, sensor: 5, received: now.advanced(bySeconds: 4),
                channelNumber: { $0 == .number(0) ? 0 : 1 }, whole: { wholes.append($0) }, into: { rows.append($0) })
            #expect(rows.count == count + 1)
            #expect(wholes.map(\.samples) == frame.blocks.map(\.samples) && wholes.map(\.channel.number) == [0, 1])
            #expect(wholes.map(\.statistics) == frame.blocks.map { SampleStatistics($0.samples) })
            #expect(wholes.allSatisfy { $0.time == start && $0.position == frame.position })
        }
    }

    @Test func aDisbelievedTimeIsKeptBeside() throws {
        let device = Timestamp(unixNanoseconds: 30_000_000_000)
        let rows = rows(frame(3, rate: try rate(1), start: device))
        #expect(rows.map(\.time) == [now.advanced(bySeconds: -2), now])
        #expect(rows.map(\.deviceTime) == [device, device.advanced(bySeconds: 2)])
        #expect(rows.allSatisfy { $0.clock == .past })
    }

    @Test func withoutAClockThereIsNoDeviceTime() throws {
        let rows = rows(frame(2, rate: try rate(1), start: nil))
        #expect(rows.map(\.time) == [now.advanced(bySeconds: -1), now])
        #expect(rows.allSatisfy { $0.clock == .none && $0.deviceTime == nil })
    }
}
