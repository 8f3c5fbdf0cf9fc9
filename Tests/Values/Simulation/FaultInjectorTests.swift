import Testing

@testable import Simulation

@Suite struct FaultPlanTests {
    @Test func everyKindIsRead() throws {
        let plan = try FaultPlan("drop:0.1%,duplicate:0.001,reorder:1%,skew:5s,corrupt:0.05%")
        #expect(
            plan.shares.mapValues { ($0 * 1e6).rounded() } == [
                .drop: 1000, .duplicate: 1000, .reorder: 10_000, .corrupt: 500,
            ])
        #expect(plan.skewNanoseconds == 5_000_000_000)
        #expect(try FaultPlan("drop:0").shares.isEmpty)
        #expect(try FaultPlan("drop:100%").shares == [.drop: 1])
        #expect(try FaultPlan("drop:0.1,duplicate:0.2,reorder:0.3,corrupt:0.4").shares.count == 4)
    }

    @Test(
        arguments: [
            ("-5s", -5_000_000_000), ("250ms", 250_000_000), ("2m", 120_000_000_000), ("-1.5h", -5_400_000_000_000),
            ("3d", 259_200_000_000_000), ("0s", 0),
        ] as [(String, Int64)])
    func skewsHaveSigns(text: String, nanoseconds: Int64) throws {
        #expect(try FaultPlan("skew:\(text)").skewNanoseconds == nanoseconds)
    }

    @Test(arguments: [
        ("", "nothing: not KIND:VALUE"), ("drop", "drop: not KIND:VALUE"), ("drop:1%,", "nothing: not KIND:VALUE"),
        ("lose:1%", "lose: not one of drop, duplicate, reorder, corrupt, skew"),
        ("drop:1%,drop:2%", "drop is given twice"), ("skew:1s,skew:2s", "skew is given twice"),
        ("drop:101%", "drop:101%: not a share such as 0.1% or 0.001"),
        ("drop:-1%", "drop:-1%: not a share such as 0.1% or 0.001"),
        ("drop:", "drop:: not a share such as 0.1% or 0.001"),
        ("drop:nan", "drop:nan: not a share such as 0.1% or 0.001"),
        ("reorder:1e-3", "reorder:1e-3: not a share such as 0.1% or 0.001"),
        ("skew:5", "skew:5: not a time such as 5s, -5s, 500ms, 2m, 1h or 3d"),
        ("skew:infs", "skew:infs: not a time such as 5s, -5s, 500ms, 2m, 1h or 3d"),
        ("skew:99999d", "skew:99999d: not a time such as 5s, -5s, 500ms, 2m, 1h or 3d"),
        ("drop:60%,corrupt:50%", "the shares add up to more than 100%"),
    ])
    func whatCannotBeReadIsNamed(text: String, fault: String) {
        #expect(throws: FaultPlan.Fault(description: fault)) { try FaultPlan(text) }
    }
}

@Suite struct FaultInjectorTests {
    private func frame(_ sequence: Int64) -> OutgoingFrame {
        OutgoingFrame(sequence: sequence, samples: 3, payload: [8, 1, UInt8(truncatingIfNeeded: sequence)])
    }

    /// Everything that leaves for frames 0 ..< `count`.
    private func run(_ spec: String, count: Int64, seed: UInt64 = 5) throws -> ([OutgoingFrame], InjectedFaults) {
        var injector = FaultInjector(plan: try FaultPlan(spec), seed: seed)
        var sent = (0..<count).flatMap { injector.pass(frame($0)) }
        sent += injector.flush()
        #expect(injector.flush().isEmpty)
        return (sent, injector.injected)
    }

    private func sequences(_ ranges: [ClosedRange<Int64>]) -> Set<Int64> { Set(ranges.flatMap { Array($0) }) }

    @Test(arguments: 1...6)
    func theReportSaysExactlyWhatWasDone(seed: Int) throws {
        let (sent, injected) = try run(
            "drop:5%,duplicate:4%,reorder:3%,corrupt:2%", count: 5000, seed: UInt64(seed))
        let corrupt = sent.filter { $0.payload.first == FaultInjector.unreadable }
        let sound = sent.filter { $0.payload.first != FaultInjector.unreadable }
        #expect(Set(corrupt.map(\.sequence)) == sequences(injected.corrupted))
        let missing = Set(0..<Int64(5000)).subtracting(sound.map(\.sequence))
        #expect(missing == sequences(injected.dropped).union(sequences(injected.corrupted)))
        #expect(sequences(injected.dropped).isDisjoint(with: sequences(injected.corrupted)))
        // Twice, and the second is the one that counts.
        let counts = Dictionary(sound.map { ($0.sequence, 1) }, uniquingKeysWith: +)
        #expect(counts.values.allSatisfy { $0 <= 2 })
        #expect(counts.values.count { $0 == 2 } == injected.duplicatedFrames)
        #expect(sound.count { $0.isExtra } == injected.duplicatedFrames)
        #expect(Set(sound.filter { !$0.isExtra }.map(\.sequence)).count == counts.count)
        // After a later one, and never more than three sound ones late.
        var earlier: [Int64] = []  // in order, each once
        var late = 0
        for frame in sound {
            let place = 1 + (earlier.lastIndex { $0 <= frame.sequence } ?? -1)
            if place < earlier.count {
                late += 1
                #expect(earlier.count - place <= 3)
            }
            if place == 0 || earlier[place - 1] != frame.sequence { earlier.insert(frame.sequence, at: place) }
        }
        #expect(Int64(late) == injected.reorderedFrames)
        for (count, share) in [
            (injected.droppedFrames, 0.05), (injected.duplicatedFrames, 0.04), (injected.corruptedFrames, 0.02),
            (injected.reorderedFrames, 0.03),
        ] {
            #expect((0.5...1.5).contains(Double(count) / (share * 5000)), "\(count) for \(share)")
        }
        for ranges in [injected.dropped, injected.corrupted] {
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
        }
    }

    @Test func theSameSeedDoesTheSame() throws {
        let spec = "drop:10%,duplicate:10%,reorder:10%,corrupt:10%"
        #expect(try run(spec, count: 500).0 == run(spec, count: 500).0)
        #expect(try run(spec, count: 500).0 != run(spec, count: 500, seed: 6).0)
    }

    @Test func wholesaleFaultsLoseNothingElse() throws {
        #expect(try run("drop:100%", count: 100).1.dropped == [0...99])
        #expect(try run("corrupt:100%", count: 100).1.corrupted == [0...99])
        #expect(try run("duplicate:100%", count: 100).0.map(\.sequence) == (0..<100).flatMap { [$0, $0] })
        let (sent, injected) = try run("reorder:100%", count: 100)
        #expect(sent.map(\.sequence).sorted() == Array(0..<100) && injected.reorderedFrames > 20)
        let (untouched, nothing) = try run("skew:-5s", count: 100)
        #expect(untouched == (0..<100).map(frame) && nothing == InjectedFaults(skewNanoseconds: -5_000_000_000))
    }

    /// A sensor's last frame is held back, and nothing comes any more that could overtake it.
    @Test func whatIsHeldBackLeavesAtTheEnd() throws {
        var injector = FaultInjector(plan: try FaultPlan("reorder:100%"), seed: 1)
        #expect(injector.pass(frame(0)).isEmpty)
        #expect(injector.flush() == [frame(0)])
        #expect(injector.injected.reorderedFrames == 0)
    }
}
