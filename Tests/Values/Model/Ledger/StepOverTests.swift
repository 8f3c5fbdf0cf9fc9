import Simulation
import Testing

@testable import Model

/// A reader of a stream in which some offsets can't be delivered, and some are not there.
@Suite struct StepOverTests {
    /// A stream as the broker has it: each offset good, bad or missing.
    private struct Stream {
        var first: Int64 = 0
        var end: Int64
        var bad: Set<Int64>

        func next(from offset: Int64) -> Int64? {
            let place = max(offset, first)
            return place < end ? place : nil
        }
    }

    /// What came of reading a stream to its end.
    private struct Outcome: Equatable {
        var stored: [Int64] = []
        var holes: [ClosedRange<Int64>] = []
        var told: [ClosedRange<Int64>] = []
        var deaths = 0
    }

    /// Reads as the worker does: a death takes with it what was ahead.
    private func read(_ stream: Stream, full: UInt16 = 5000, committed: Int64? = nil) throws -> Outcome {
        var stepOver = StepOver(full: full)
        var outcome = Outcome()
        var committed = committed
        reading: for _ in 0..<10_000 {
            stepOver.begin(isAnchored: committed.map { $0 >= stream.first } ?? false)
            let start = stepOver.start
            var place = start ?? committed.map { $0 + 1 } ?? 0
            while true {
                guard let offset = stream.next(from: place) else {
                    switch stepOver.noteAlive(at: nil) {
                    case .readElsewhere: continue reading
                    case .stepped(let hole): outcome.told.append(hole)
                    case .readOn: break
                    }
                    return outcome
                }
                let window = offset..<offset + Int64(stepOver.ahead)
                if stream.bad.contains(where: window.contains) {
                    // Nothing of the window arrives, as it is with 100 messages ahead on 4.0.5.
                    outcome.deaths += 1
                    _ = stepOver.noteDeath(next: (committed ?? -1) + 1)
                    continue reading
                }
                switch stepOver.noteAlive(at: offset) {
                case .readElsewhere: continue reading
                case .stepped(let hole): outcome.told.append(hole)
                case .readOn: break
                }
                if let hole = stepOver.hole { outcome.holes.append(hole) }
                outcome.stored.append(offset)
                committed = offset
                place = offset + 1
                if stepOver.noteStored(1) { continue reading }
            }
        }
        throw TestFailure("it reads without an end")
    }

    private struct TestFailure: Error {
        var text: String
        init(_ text: String) { self.text = text }
    }

    @Test func oneBadMessageIsAHoleOfOne() throws {
        let outcome = try read(Stream(end: 40, bad: [17]), committed: 3)
        #expect(outcome.stored == Array(4..<17) + Array(18..<40))
        #expect(outcome.holes == [17...17] && outcome.told == [17...17])
    }

    @Test func itMayBeTheFirstOrTheLast() throws {
        let first = try read(Stream(end: 5, bad: [0]))
        #expect(first.stored == [1, 2, 3, 4] && first.holes == [0...0])
        // Nothing behind it yet that it could be stored with: it is told at once all the same.
        let last = try read(Stream(end: 6, bad: [5]), committed: 2)
        #expect(last.stored == [3, 4] && last.holes == [] && last.told == [5...5])
    }

    @Test func neighboursAreOneHoleAndToldOnce() throws {
        let outcome = try read(Stream(end: 60, bad: Set(10..<40)), committed: 3)
        #expect(outcome.stored == Array(4..<10) + Array(40..<60))
        #expect(outcome.holes == [10...39])
        #expect(outcome.told.map(\.count).reduce(0, +) == 30)
    }

    @Test(arguments: [1, 2, 3, 5]) func everyGoodMessageIsStoredOnce(every: Int64) throws {
        var random = SplitMix64(seed: UInt64(every))
        for _ in 0..<20 {
            let bad = Set((Int64(1)..<200).filter { _ in Int64.random(in: 0...every * 3, using: &random) == 0 })
            let outcome = try read(Stream(end: 200, bad: bad), full: 500, committed: 0)
            #expect(outcome.stored == (Int64(1)..<200).filter { !bad.contains($0) })
            #expect(Set(outcome.told.flatMap { Array($0) }) == bad)
        }
    }

    /// Retention dropped a million messages, and the first that is left is bad: it is found by doubling and halving.
    @Test func behindManyDroppedMessagesTheBadOneIsFound() throws {
        for committed in [nil, 5] as [Int64?] {
            let outcome = try read(Stream(first: 1_000_000, end: 1_000_100, bad: [1_000_000]), committed: committed)
            #expect(outcome.stored == Array(1_000_001..<1_000_100))
            #expect(outcome.holes == [((committed ?? -1) + 1)...1_000_000])
            #expect(outcome.deaths < 150, "\(outcome.deaths)")
        }
    }

    /// One death may have had any reason; and what follows from it is forgotten when all is quiet.
    @Test func oneDeathStepsOverNothing() {
        var stepOver = StepOver(full: 1)
        stepOver.begin(isAnchored: true)
        var atOnce = stepOver.noteDeath(next: 7)
        #expect(atOnce && stepOver.start == nil)
        for _ in 0..<StepOver.silencesMax {
            let verdict = stepOver.noteAlive(at: nil)
            #expect(verdict == .readOn)
        }
        atOnce = stepOver.noteDeath(next: 7)
        #expect(atOnce && stepOver.start == nil)
        atOnce = stepOver.noteDeath(next: 7)
        #expect(atOnce && stepOver.start == 8)
    }

    /// Nothing had stood there: the reader's connection broke twice for other reasons, and then the message came.
    @Test func aMessageThatComesAfterAllIsTaken() {
        var stepOver = StepOver(full: 1)
        stepOver.begin(isAnchored: true)
        _ = stepOver.noteDeath(next: 7)
        _ = stepOver.noteDeath(next: 7)
        #expect(stepOver.start == 8)
        var verdict = stepOver.noteAlive(at: nil)
        #expect(verdict == .stepped(7...7))
        verdict = stepOver.noteAlive(at: 7)
        #expect(verdict == .readOn && stepOver.hole == nil)
    }

    /// A broker that delivers nothing at all, not even the last stored message, is given time.
    @Test func aBrokerThatDeliversNothingIsGivenTime() {
        var stepOver = StepOver(full: 100)
        for ahead in [12, 1] as [UInt16] {
            stepOver.begin(isAnchored: false)
            let atOnce = stepOver.noteDeath(next: 7)
            #expect(atOnce && stepOver.ahead == ahead)
        }
        for _ in 0..<6 {
            stepOver.begin(isAnchored: false)
            let atOnce = stepOver.noteDeath(next: 7)
            #expect(!atOnce)
        }
        #expect(stepOver.isBlind)
    }
}
