import Model
import Testing
import Time

@Suite struct LatestValuesTests {
    private let start = ContinuousClock.now

    private func value(
        _ value: Double, at seconds: Int64, sensor: SensorID = 1, channel: Int16 = 0
    ) throws -> LatestValue {
        var frame = frame(1, rate: nil, start: now.advanced(bySeconds: seconds))
        frame.blocks = [Block(channel: .number(channel), samples: .value(value))]
        var values: [LatestValue] = []
        RowCutter(clockRule: ClockRule()).cut(
            frame, sensor: sensor, received: now, channelNumber: { _ in channel },
            into: { values.append(LatestValue($0)) })
        return try #require(values.first)
    }

    @Test func theLastSampleOfARowIsTheNewest() throws {
        var values: [LatestValue] = []
        RowCutter(clockRule: ClockRule()).cut(
            frame(5, rate: try rate(2)), sensor: 3, received: now, channelNumber: { _ in 7 },
            into: { values.append(LatestValue($0)) })
        let value = try #require(values.first)
        #expect(value.value == 4 && value.time == now.advanced(bySeconds: 2))
        #expect(value.channel == ChannelID(sensor: 3, number: 7))
        #expect(value.rateHertz == 2 && value.statistics.finiteCount == 5)
    }

    @Test func atMostOneWriteASecondAndTheNewestWins() throws {
        var latest = LatestValues()
        latest.note(try value(1, at: 0))
        #expect(latest.takeDue(now: start).map(\.value) == [1])
        latest.note(try value(2, at: 1))
        latest.note(try value(3, at: 2))
        #expect(latest.takeDue(now: start + .milliseconds(999)).isEmpty)
        #expect(latest.takeDue(now: start + .seconds(1)).map(\.value) == [3])
        #expect(latest.takeDue(now: start + .seconds(9)).isEmpty)
    }

    @Test func lateValuesNeverReplaceNewerOnes() throws {
        var latest = LatestValues()
        latest.note(try value(1, at: 10))
        latest.note(try value(2, at: 9))
        #expect(latest.takeDue(now: start).map(\.value) == [1])
        latest.note(try value(3, at: 9))
        #expect(latest.takeDue(now: start + .seconds(5)).isEmpty)
        latest.note(try value(4, at: 10))
        #expect(latest.takeDue(now: start + .seconds(5)).map(\.value) == [4])
    }

    @Test func whatCouldNotBeWrittenIsDueAgainAndIsTheNewest() throws {
        var latest = LatestValues()
        latest.note(try value(1, at: 0))
        let taken = latest.takeDue(now: start)
        latest.note(try value(2, at: 1))
        latest.writeFailed(taken)
        #expect(latest.takeDue(now: start + .milliseconds(1)).map(\.value) == [2])
    }

    @Test func channelsAreKeptApartAndInOrder() throws {
        var latest = LatestValues()
        for (sensor, channel) in [(2, 0), (1, 1), (1, 0)] as [(SensorID, Int16)] {
            latest.note(try value(1, at: 0, sensor: sensor, channel: channel))
        }
        let ordered = [(1, 0), (1, 1), (2, 0)].map { ChannelID(sensor: $0.0, number: $0.1) }
        #expect(latest.takeDue(now: start).map(\.channel) == ordered)
    }

    @Test func aBatchThatWasNotStoredLeavesNoValue() throws {
        var latest = LatestValues()
        latest.note(try value(1, at: 0))
        latest.commit()
        latest.note(try value(2, at: 1))
        latest.note(try value(3, at: 2))
        latest.note(try value(9, at: 1, channel: 1))
        latest.rollBack()
        #expect(latest.takeDue(now: start).map(\.value) == [1])
        latest.note(try value(4, at: 1))
        latest.commit()
        #expect(latest.takeDue(now: start + .seconds(5)).map(\.value) == [4], "not compared with what was discarded")
    }

    @Test func aValueThatABatchTookIsDueAgainAfterTheBatchFailed() throws {
        var latest = LatestValues()
        latest.note(try value(1, at: 0))
        latest.commit()
        latest.note(try value(2, at: 1))
        let taken = latest.takeDue(now: start)
        #expect(taken.map(\.value) == [2])
        latest.writeFailed(taken)
        latest.rollBack()
        #expect(latest.takeDue(now: start + .milliseconds(1)).map(\.value) == [1])
    }
}
