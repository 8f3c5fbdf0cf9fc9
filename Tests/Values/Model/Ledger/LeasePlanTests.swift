import Model
import Simulation
import Testing

@Suite struct LeasePlanTests {
    /// A table of leases as the database keeps it: a replica takes a partition only while no other holds it.
    private struct Table {
        var partitions: [LeasePlan.Partition]
        var replicas: Set<String>

        func plan(_ replica: String) -> LeasePlan {
            LeasePlan(me: replica, replicas: replicas, partitions: partitions)
        }

        /// Everybody plans on what they all saw, then acts in `order`; the table arbitrates.
        mutating func round(_ order: [String]) {
            let plans = order.map { ($0, plan($0)) }
            for (replica, plan) in plans {
                for index in partitions.indices {
                    let partition = partitions[index]
                    if plan.take.contains(partition.stream), partition.owner == nil {
                        partitions[index].owner = replica
                    }
                    if plan.giveBack.contains(partition.stream), partition.owner == replica {
                        partitions[index].owner = nil
                    }
                }
            }
        }

        mutating func leave(_ replica: String) {
            replicas.remove(replica)
            for index in partitions.indices where partitions[index].owner == replica { partitions[index].owner = nil }
        }

        func held(_ replica: String) -> Int { partitions.count { $0.owner == replica } }

        var share: Int { (partitions.count + replicas.count - 1) / max(1, replicas.count) }

        var shareMin: Int { partitions.count / max(1, replicas.count) }

        var isSettled: Bool {
            partitions.allSatisfy { $0.owner != nil }
                && replicas.allSatisfy { (shareMin...share).contains(held($0)) }
        }
    }

    private func table(_ partitions: Int, _ replicas: Int) -> Table {
        Table(
            partitions: (0..<partitions).map { LeasePlan.Partition(stream: "measurements.\($0)", owner: nil) },
            replicas: Set((0..<replicas).map { "replica-\($0)" }))
    }

    @Test(arguments: [1, 2, 3, 4, 5, 8, 16], [1, 2, 3, 4, 5, 9, 20])
    func theLivingShareEvenly(partitions: Int, replicas: Int) {
        var random = SplitMix64(seed: UInt64(partitions * 100 + replicas))
        var table = table(partitions, replicas)
        var rounds = 0
        while !table.isSettled, rounds < 100 {
            table.round(table.replicas.sorted().shuffled(using: &random))
            rounds += 1
        }
        // At worst one replica wins in each round, and at the end one has to give one back that another then takes.
        #expect(table.isSettled && rounds <= max(2, min(partitions, replicas)) + 2, "\(rounds) rounds")
        let before = table.partitions
        table.round(table.replicas.sorted())
        #expect(table.partitions == before)
    }

    @Test(arguments: 0..<50)
    func joinsAndLeavesSettleAgain(round: UInt64) {
        var random = SplitMix64(seed: round)
        var table = table(Int.random(in: 1...12, using: &random), Int.random(in: 1...5, using: &random))
        var names = table.replicas.count
        for _ in 0..<10 {
            if table.replicas.count > 1, Bool.random(using: &random) {
                table.leave(table.replicas.sorted().randomElement(using: &random) ?? "")
            } else {
                table.replicas.insert("replica-\(names)")
                names += 1
            }
            var rounds = 0
            while !table.isSettled, rounds < 100 {
                table.round(table.replicas.sorted().shuffled(using: &random))
                rounds += 1
            }
            #expect(table.isSettled && rounds <= table.partitions.count + 1, "\(rounds) rounds, \(table)")
        }
    }

    @Test func nobodyTakesWhatSomebodyHolds() {
        var table = table(6, 2)
        for index in 0..<5 { table.partitions[index].owner = "replica-0" }
        #expect(table.plan("replica-1").take == ["measurements.5"])
        #expect(table.plan("replica-0").giveBack == ["measurements.3", "measurements.4"])
        #expect(table.plan("replica-0").take.isEmpty && table.plan("replica-1").giveBack.isEmpty)
    }

    /// Nobody stands by idle while others hold two: of the third replica the autoscaler expects work.
    @Test func aThirdReplicaOfFourPartitionsGetsOne() {
        var table = table(4, 3)
        for (index, owner) in ["replica-0", "replica-0", "replica-1", "replica-1"].enumerated() {
            table.partitions[index].owner = owner
        }
        #expect(table.plan("replica-2").isShort)
        #expect(table.plan("replica-0").giveBack == ["measurements.1"])
        #expect(table.plan("replica-1").giveBack.isEmpty)
        table.partitions[1].owner = nil
        // The free partition is the third replica's: the others neither take it back nor release one more.
        #expect(table.plan("replica-0").take.isEmpty && table.plan("replica-1").giveBack.isEmpty)
        #expect(table.plan("replica-2").take == ["measurements.1"])
        table.partitions[1].owner = "replica-2"
        for replica in table.replicas {
            let plan = table.plan(replica)
            #expect(plan.giveBack.isEmpty && plan.take.isEmpty && !plan.isShort)
        }
    }

    /// What moves when one more comes is no more than what it gets.
    @Test(arguments: 1...16, 1...8)
    func aJoinMovesNoMoreThanItMust(partitions: Int, replicas: Int) {
        var table = table(partitions, replicas)
        for _ in 0..<50 where !table.isSettled { table.round(table.replicas.sorted()) }
        #expect(table.isSettled)
        let before = table.partitions
        table.replicas.insert("replica-new")
        for _ in 0..<50 where !table.isSettled { table.round(table.replicas.sorted()) }
        #expect(table.isSettled)
        let moved = zip(before, table.partitions).count { $0.owner != $1.owner }
        #expect(moved == table.held("replica-new"))
    }

    @Test func aReplicaThatIsGoneFromTheListDoesNotTrap() {
        let plan = LeasePlan(me: "a", replicas: [], partitions: [LeasePlan.Partition(stream: "s", owner: nil)])
        #expect(plan.take == ["s"])
        #expect(LeasePlan(me: "a", replicas: ["a"], partitions: []).take.isEmpty)
    }
}
