import Simulation
import Testing

@Suite struct OutboxTests {
    /// 200 bytes with the overhead.
    private func message(
        _ number: Int, lane: Int = 0, sensor: Int? = nil, cargo: OutboxMessage.Cargo = .frame(samples: 3)
    ) -> OutboxMessage {
        OutboxMessage(
            sensor: sensor ?? lane, lane: lane, suffix: "\(number)", payload: Array(repeating: 0, count: 40),
            cargo: cargo)
    }

    private func open(lanes: Int = 1, messages: Int = 1000, window: Int = 4) -> Outbox {
        let limits = OutboxLimits(bytesMax: messages * 200, windowMax: window)
        var outbox = Outbox(lanes: lanes, limits: limits)
        for lane in 0..<lanes { outbox.connected(lane: lane) }
        return outbox
    }

    @Test func messagesLeaveInOrderWithinTheWindow() {
        var outbox = open(window: 4)
        for number in 0..<10 { #expect(outbox.append(message(number)) == true) }
        let first = outbox.take(atMost: 100)
        #expect(first.map(\.message.suffix) == ["0", "1", "2", "3"])
        #expect(outbox.take(atMost: 100).isEmpty && outbox.take(lane: 0, atMost: 9).isEmpty)
        #expect(outbox.confirm(first[1].token)?.suffix == "1")
        #expect(outbox.confirm(first[1].token) == nil)
        #expect(outbox.take(atMost: 100).map(\.message.suffix) == ["4"])
        #expect(outbox.inFlight == 4 && outbox.inFlight(lane: 0) == 4 && outbox.count == 9)
    }

    @Test func closedLanesKeepTheirMessages() {
        var outbox = Outbox(lanes: 2)
        #expect(outbox.append(message(0)) && outbox.append(message(1, lane: 1)))
        #expect(outbox.take(atMost: 10).isEmpty)
        outbox.connected(lane: 1)
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["1"])
    }

    @Test func lanesTakeTurns() {
        var outbox = open(lanes: 3, window: 2)
        for number in 0..<9 { _ = outbox.append(message(number, lane: number % 3)) }
        #expect(outbox.take(atMost: 6).map(\.message.suffix) == ["0", "3", "1", "4", "2", "5"])
    }

    @Test func aLostConnectionRepeatsInOrder() {
        var outbox = open(window: 4)
        for number in 0..<6 { _ = outbox.append(message(number)) }
        let first = outbox.take(atMost: 4)
        _ = outbox.confirm(first[2].token)
        outbox.connectionLost(lane: 0)
        #expect(outbox.inFlight == 0 && outbox.take(atMost: 10).isEmpty)
        #expect(outbox.confirm(first[0].token) == nil, "a confirm of the old connection comes too late")
        outbox.connected(lane: 0)
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["0", "1", "3", "4"])
    }

    @Test func returnedMessagesKeepTheirPlace() {
        var outbox = open(window: 4)
        for number in 0..<6 { _ = outbox.append(message(number)) }
        let taken = outbox.take(atMost: 4)
        for index in [1, 3, 2] { outbox.returned(taken[index].token) }
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["1", "2", "3"])
    }

    @Test func aPauseKeepsTheOrderAndStopsOneLaneOnly() {
        var outbox = open(lanes: 2, window: 4)
        for number in 0..<6 { _ = outbox.append(message(number)) }
        _ = outbox.append(message(9, lane: 1))
        let taken = outbox.take(lane: 0, atMost: 4)
        #expect(outbox.pause(by: taken[1].token) == 0)
        #expect(outbox.pause(by: taken[2].token) == nil, "paused already")
        #expect(outbox.pause(by: taken[1].token) == nil, "not under way any more")
        #expect(outbox.confirm(taken[0].token)?.suffix == "0", "what is under way may still arrive")
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["9"])
        outbox.connectionLost(lane: 0)
        outbox.connected(lane: 0)
        #expect(outbox.take(lane: 0, atMost: 10).isEmpty, "a new connection does not end the pause")
        outbox.resume(lane: 0)
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["1", "2", "3", "4"])
        #expect(outbox.inFlight(lane: 0) == 4 && outbox.count == 6 && outbox.takeLosses().isEmpty)
    }

    @Test func aMessageInFlightAtThreeDisconnectsIsGivenUp() {
        var outbox = open(window: 1)
        _ = outbox.append(message(0))
        _ = outbox.append(message(1, cargo: .word))
        for _ in 0..<2 {
            #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["0"])
            outbox.connectionLost(lane: 0)
            outbox.connected(lane: 0)
        }
        #expect(outbox.takeLosses().isEmpty)
        #expect(outbox.take(atMost: 10).count == 1)
        outbox.connectionLost(lane: 0)
        #expect(outbox.takeLosses() == [.init(sensor: 0, cause: .givenUp, frames: 1, samples: 3, words: 0)])
        outbox.connected(lane: 0)
        #expect(outbox.take(atMost: 10).map(\.message.suffix) == ["1"])
    }

    @Test func onlyTheGuiltyIsGivenUp() {
        var outbox = open(window: 4)
        for number in 0..<8 { _ = outbox.append(message(number)) }
        var confirmed: [String] = []
        for _ in 0..<20 {
            let taken = outbox.take(atMost: 10)
            for (token, message) in taken where message.suffix < "2" { _ = outbox.confirm(token) }
            confirmed += taken.map(\.message.suffix).filter { $0 < "2" }
            guard taken.contains(where: { $0.message.suffix == "2" }) else {
                for (token, message) in taken where message.suffix > "2" {
                    confirmed.append(message.suffix)
                    _ = outbox.confirm(token)
                }
                continue
            }
            outbox.connectionLost(lane: 0)  // the broker does not like message 2
            outbox.connected(lane: 0)
        }
        #expect(confirmed == ["0", "1", "3", "4", "5", "6", "7"])
        #expect(outbox.takeLosses() == [.init(sensor: 0, cause: .givenUp, frames: 1, samples: 3, words: 0)])
    }

    @Test func overflowDropsTheOldestFramesOnly() {
        var outbox = open(lanes: 2, messages: 5)
        _ = outbox.append(message(0, cargo: .word))
        for number in 1..<8 { #expect(outbox.append(message(number, lane: number % 2)) == true) }
        #expect(outbox.count == 5 && outbox.bytes == 1000)
        #expect(
            outbox.takeLosses() == [
                .init(sensor: 1, cause: .overflow, frames: 2, samples: 6, words: 0),
                .init(sensor: 0, cause: .overflow, frames: 1, samples: 3, words: 0),
            ])
        #expect(outbox.take(lane: 0, atMost: 9).map(\.message.suffix) == ["0", "4", "6"])
        #expect(outbox.take(lane: 1, atMost: 9).map(\.message.suffix) == ["5", "7"])
    }

    @Test func whatIsUnderWayIsNotDropped() {
        var outbox = open(messages: 4, window: 2)
        for number in 0..<4 { _ = outbox.append(message(number)) }
        let taken = outbox.take(atMost: 2)
        for number in 4..<6 { _ = outbox.append(message(number)) }
        #expect(outbox.confirm(taken[0].token) != nil && outbox.confirm(taken[1].token) != nil)
        #expect(outbox.take(atMost: 9).map(\.message.suffix) == ["4", "5"])
    }

    @Test func wordsHaveALimitToo() {
        var outbox = open(messages: 3)
        for number in 0..<3 { #expect(outbox.append(message(number, cargo: .word)) == true) }
        #expect(outbox.append(message(3, cargo: .word)) == false)
        #expect(outbox.append(message(4)) == false, "a frame finds no room among words")
        #expect(outbox.takeLosses().first?.frames == 1)
        #expect(outbox.count == 3)
    }

    @Test func oversizedMessagesAreGivenUpAtOnce() {
        var outbox = open(window: 1)
        _ = outbox.append(message(0))
        _ = outbox.append(message(1))
        outbox.giveUp(outbox.take(atMost: 1)[0].token)
        #expect(outbox.takeLosses().first?.cause == .givenUp)
        #expect(outbox.take(atMost: 1).map(\.message.suffix) == ["1"])
    }

    /// Random operations on the outbox and on a model of arrays must agree in everything that can be seen.
    @Test(arguments: 1...10)
    func agreesWithASimpleModel(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let limits = OutboxLimits(bytesMax: 40 * 200, windowMax: 5)
        var outbox = Outbox(lanes: 4, limits: limits)
        var model = OutboxModel(lanes: 4, limits: limits)
        var tokens: [Int: Outbox.Token] = [:]
        for number in 0..<3000 {
            let lane = Int(random.next() % 4)
            switch random.next() % 18 {
            case 0...6:
                let cargo = random.next() % 8 == 0 ? OutboxMessage.Cargo.word : .frame(samples: 3)
                let new = message(number, lane: lane, sensor: lane * 2 + number % 2, cargo: cargo)
                #expect(outbox.append(new) == model.append(new, number))
            case 7...9:
                let limit = Int(random.next() % 7)
                let taken = outbox.take(lane: lane, atMost: limit)
                #expect(taken.map(\.message.suffix) == model.take(lane: lane, atMost: limit).map { "\($0)" })
                for (token, message) in taken { tokens[Int(message.suffix) ?? -1] = token }
            case 10...12:
                guard let (number, token) = tokens.min(by: { $0.key < $1.key }) else { continue }
                tokens[number] = nil
                #expect((outbox.confirm(token) != nil) == model.confirm(number))
            case 13:
                guard let (number, token) = tokens.max(by: { $0.key < $1.key }) else { continue }
                outbox.returned(token)
                model.returned(number)
            case 14:
                guard let (number, token) = tokens.min(by: { $0.value.bits < $1.value.bits }) else { continue }
                #expect(outbox.pause(by: token) == model.pause(by: number))
            case 15:
                outbox.resume(lane: lane)
                model.isPaused[lane] = false
            case 16:
                outbox.connectionLost(lane: lane)
                model.connectionLost(lane: lane)
            default:
                outbox.connected(lane: lane)
                model.connected(lane: lane)
            }
            #expect(outbox.count == model.messages.count && outbox.bytes == model.messages.count * 200)
            #expect(outbox.inFlight == model.messages.count { $0.isInFlight })
        }
        let frames = outbox.takeLosses().reduce(into: [Int: Int]()) { $0[$1.sensor, default: 0] += $1.frames }
        #expect(frames == model.lostFrames)
        drain(&outbox, &model)
    }

    private func drain(_ outbox: inout Outbox, _ model: inout OutboxModel) {
        for lane in 0..<4 {
            outbox.connectionLost(lane: lane)
            model.connectionLost(lane: lane)
            outbox.connected(lane: lane)
            model.connected(lane: lane)
            outbox.resume(lane: lane)
        }
        var rest: [String] = []
        while case let taken = outbox.take(atMost: 3), !taken.isEmpty {
            rest += taken.map(\.message.suffix)
            for (token, _) in taken { #expect(outbox.confirm(token) != nil) }
        }
        #expect(Set(rest) == Set(model.messages.map { "\($0.number)" }) && outbox.count == 0 && outbox.bytes == 0)
    }
}

/// The outbox as one would write it without thinking of speed. Every message takes 200 bytes.
private struct OutboxModel {
    struct Message {
        var number: Int
        var lane: Int
        var sensor: Int
        var isFrame: Bool
        var isInFlight = false
        var disconnects = 0
    }

    var messages: [Message] = []
    var isOpen: [Bool]
    var isPaused: [Bool]
    var lostFrames: [Int: Int] = [:]
    let limits: OutboxLimits

    init(lanes: Int, limits: OutboxLimits) {
        isOpen = Array(repeating: false, count: lanes)
        isPaused = isOpen
        self.limits = limits
    }

    mutating func append(_ message: OutboxMessage, _ number: Int) -> Bool {
        let isFrame = message.cargo != .word
        if !isFrame, (messages.count { !$0.isFrame } + 1) * 200 > limits.bytesMax { return false }
        messages.append(Message(number: number, lane: message.lane, sensor: message.sensor, isFrame: isFrame))
        while messages.count * 200 > limits.bytesMax,
            let oldest = messages.firstIndex(where: { $0.isFrame && !$0.isInFlight })
        {
            lose(messages.remove(at: oldest))
        }
        return messages.contains { $0.number == number }
    }

    mutating func take(lane: Int, atMost limit: Int) -> [Int] {
        guard isOpen[lane], !isPaused[lane] else { return [] }
        var taken: [Int] = []
        for index in messages.indices where messages[index].lane == lane && !messages[index].isInFlight {
            let inFlight = messages.count { $0.lane == lane && $0.isInFlight }
            let isProbing = messages.contains { $0.lane == lane && $0.isInFlight && isSuspect($0) }
            guard taken.count < limit, inFlight < limits.windowMax, !isProbing else { break }
            if isSuspect(messages[index]), inFlight > 0 { break }
            messages[index].isInFlight = true
            taken.append(messages[index].number)
        }
        return taken
    }

    func isSuspect(_ message: Message) -> Bool { message.disconnects == limits.disconnectsMax - 1 }

    mutating func confirm(_ number: Int) -> Bool {
        guard let index = messages.firstIndex(where: { $0.number == number && $0.isInFlight }) else { return false }
        messages.remove(at: index)
        return true
    }

    mutating func returned(_ number: Int) {
        for index in messages.indices where messages[index].number == number { messages[index].isInFlight = false }
    }

    mutating func pause(by number: Int) -> Int? {
        guard let index = messages.firstIndex(where: { $0.number == number && $0.isInFlight }) else { return nil }
        messages[index].isInFlight = false
        let lane = messages[index].lane
        defer { isPaused[lane] = true }
        return isPaused[lane] ? nil : lane
    }

    mutating func connected(lane: Int) { isOpen[lane] = true }

    mutating func connectionLost(lane: Int) {
        isOpen[lane] = false
        for index in messages.indices where messages[index].lane == lane && messages[index].isInFlight {
            messages[index].isInFlight = false
            messages[index].disconnects += 1
        }
        for message in messages where message.disconnects >= limits.disconnectsMax { lose(message) }
        messages.removeAll { $0.disconnects >= limits.disconnectsMax }
    }

    private mutating func lose(_ message: Message) {
        lostFrames[message.sensor, default: 0] += message.isFrame ? 1 : 0
    }
}
