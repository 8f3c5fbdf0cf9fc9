import Model
import Testing

@testable import Store

@Suite struct SensorNumbersTests {
    private func serial(_ text: String) throws -> SerialNumber { try #require(SerialNumber(text)) }

    private func frame(_ channels: ChannelKey...) -> Frame {
        Frame(
            position: nil, start: nil, rate: nil, blocks: channels.map { Block(channel: $0, samples: .value(1)) })
    }

    @Test func aNumberedChannelNeedsNoLookUp() throws {
        let (known, unknown) = (try serial("a"), try serial("b"))
        let numbers = SensorNumbers(sensors: [known: 1])
        #expect(numbers[known] == 1 && numbers[unknown] == nil)
        #expect(numbers.channel(.number(5), of: 1) == 5 && numbers.channel(.name("x"), of: 1) == nil)
        let frames = [(serial: try serial("a"), frame: frame(.number(3)))]
        #expect(numbers.unknownSensors(in: frames).isEmpty && numbers.unknownNames(in: frames).isEmpty)
        #expect(numbers.hasChannels(of: frame(.number(3)), sensor: 1))
    }

    @Test func unknownSensorsAreAskedForOnceAndInOrder() throws {
        let numbers = SensorNumbers(sensors: [try serial("b"): 2])
        let frames = try ["c", "b", "a", "c"].map { (serial: try serial($0), frame: frame(.name("x"))) }
        #expect(numbers.unknownSensors(in: frames).map(\.text) == ["a", "c"])
        // The names of sensors without a number wait for the number.
        #expect(numbers.unknownNames(in: frames).map(\.sensor) == [2])
    }

    /// Names get their numbers in the order of the first frames.
    @Test func unknownNamesKeepTheirOrder() throws {
        let numbers = SensorNumbers(sensors: [try serial("a"): 9, try serial("b"): 2], channels: [9: ["y": 0]])
        let frames = [
            (serial: try serial("a"), frame: frame(.name("z"), .name("y"), .number(1))),
            (serial: try serial("b"), frame: frame(.name("y"))),
            (serial: try serial("a"), frame: frame(.name("c"), .name("z"))),
        ]
        let unknown = numbers.unknownNames(in: frames)
        #expect(unknown.map(\.sensor) == [2, 9] && unknown.map(\.names) == [["y"], ["z", "c"]])
    }

    @Test func aFrameWithANameWithoutANumberIsIncomplete() {
        let numbers = SensorNumbers(channels: [1: ["x": 63]])
        #expect(numbers.channel(.name("x"), of: 1) == 63)
        #expect(numbers.hasChannels(of: frame(.name("x"), .number(0)), sensor: 1))
        #expect(!numbers.hasChannels(of: frame(.name("x"), .name("y")), sensor: 1))
        #expect(!numbers.hasChannels(of: frame(.name("x")), sensor: 2))
    }
}
