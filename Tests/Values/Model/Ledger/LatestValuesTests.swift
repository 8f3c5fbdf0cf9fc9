import Model
import Testing
import Time

@Suite struct LatestValuesTests {
    private let start = ContinuousClock.now

    private func value(_ value: Double, at seconds: Int64, sensor: Int32 = 1, channel: Int16 = 0) throws -> LatestValue
    {
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
        #expect(value.sensor == 3 && value.channel == 7 && value.rateHertz == 2 && value.statistics.finiteCount == 5)
    }

    @Test func atMostOneWriteASecondAndTheNewestWins() throws {
        var book = LatestValues()
        book.note(try value(1, at: 0))
        #expect(book.takeDue(now: start).map(\.value) == [1])
        book.note(try value(2, at: 1))
        book.note(try value(3, at: 2))
        #expect(book.takeDue(now: start + .milliseconds(999)).isEmpty)
        #expect(book.takeDue(now: start + .seconds(1)).map(\.value) == [3])
        #expect(book.takeDue(now: start + .seconds(9)).isEmpty)
    }

    @Test func lateValuesNeverReplaceNewerOnes() throws {
        var book = LatestValues()
        book.note(try value(1, at: 10))
        book.note(try value(2, at: 9))
        #expect(book.takeDue(now: start).map(\.value) == [1])
        book.note(try value(3, at: 9))
        #expect(book.takeDue(now: start + .seconds(5)).isEmpty)
        book.note(try value(4, at: 10))
        #expect(book.takeDue(now: start + .seconds(5)).map(\.value) == [4])
    }

    @Test func whatCouldNotBeWrittenIsDueAgainAndIsTheNewest() throws {
        var book = LatestValues()
        book.note(try value(1, at: 0))
        let taken = book.takeDue(now: start)
        book.note(try value(2, at: 1))
        book.writeFailed(taken)
        #expect(book.takeDue(now: start + .milliseconds(1)).map(\.value) == [2])
    }

    @Test func channelsAreKeptApartAndInOrder() throws {
        var book = LatestValues()
        for (sensor, channel) in [(2, 0), (1, 1), (1, 0)] as [(Int32, Int16)] {
            book.note(try value(Double(sensor), at: 0, sensor: sensor, channel: channel))
        }
        let due = book.takeDue(now: start)
        #expect(due.map(\.sensor) == [1, 1, 2] && due.map(\.channel) == [0, 1, 0])
    }

    @Test func aBatchThatWasNotStoredLeavesNoValue() throws {
        var book = LatestValues()
        book.note(try value(1, at: 0))
        book.commit()
        book.note(try value(2, at: 1))
        book.note(try value(3, at: 2))
        book.note(try value(9, at: 1, channel: 1))
        book.rollBack()
        #expect(book.takeDue(now: start).map(\.value) == [1])
        book.note(try value(4, at: 1))
        book.commit()
        #expect(book.takeDue(now: start + .seconds(5)).map(\.value) == [4], "not compared with what was discarded")
    }

    @Test func aValueThatABatchTookIsDueAgainAfterTheBatchFailed() throws {
        var book = LatestValues()
        book.note(try value(1, at: 0))
        book.commit()
        book.note(try value(2, at: 1))
        let taken = book.takeDue(now: start)
        #expect(taken.map(\.value) == [2])
        book.writeFailed(taken)
        book.rollBack()
        #expect(book.takeDue(now: start + .milliseconds(1)).map(\.value) == [1])
    }
}
