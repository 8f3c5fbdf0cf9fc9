import Postgres
import Store
import Testing

@testable import Ingest

@Suite struct BatchRetryTests {
    private static func failed(_ sqlState: String) -> StoreError {
        .failed(operation: "COPY measurement", sqlState: sqlState, message: "m")
    }

    private func action(_ error: any Error, messages: Int = 10, elapsed: Duration = .zero) -> BatchRetry.Action {
        var retry = BatchRetry()
        return retry.afterTry(error, messages: messages, elapsed: elapsed)
    }

    @Test(arguments: [1, 10])
    func anErrorThatIsNotTheBatchsIsRetried(messages: Int) {
        #expect(action(IngestConflict.ledgerChanged, messages: messages) == .retry)
        #expect(action(StoreError.unreachable("away"), messages: messages) == .retry)
        #expect(action(StoreError.lost(operation: "COMMIT", "gone"), messages: messages) == .retry)
    }

    /// Deadlock, lock timeout, disk full, too many connections, shutdown, a missing table.
    @Test(arguments: ["40P01", "55P03", "53100", "53300", "57P01", "42P01"])
    func aServerThatCannotNowIsAskedAgain(sqlState: String) {
        #expect(action(Self.failed(sqlState), messages: 1) == .retry)
        #expect(action(Self.failed(sqlState), messages: 10) == .retry)
    }

    @Test func aBatchThatFailsSlowlyTwiceIsHalved() {
        var retry = BatchRetry()
        let lost = StoreError.lost(operation: "COPY measurement", "timeout")
        #expect(retry.afterTry(lost, messages: 10, elapsed: BatchRetry.slowTry) == .retry)
        #expect(retry.afterTry(lost, messages: 10, elapsed: .seconds(1)) == .retry)
        #expect(retry.afterTry(lost, messages: 10, elapsed: BatchRetry.slowTry) == .halve)
    }

    @Test func aSingleMessageIsNeverHalved() {
        var retry = BatchRetry()
        let lost = StoreError.lost(operation: "COPY measurement", "timeout")
        for _ in 0..<5 { #expect(retry.afterTry(lost, messages: 1, elapsed: .seconds(60)) == .retry) }
    }

    /// Out of memory, out of shared memory for locks, program limits.
    @Test(arguments: ["53200", "54000", "54001"])
    func aBatchThatIsTooLargeIsHalved(sqlState: String) {
        #expect(action(Self.failed(sqlState)) == .halve)
    }

    @Test func oneMessageWaitsForMemoryButNotForALimit() {
        #expect(action(Self.failed("53200"), messages: 1) == .retry)
        #expect(action(Self.failed("54000"), messages: 1) == .quarantine)
    }

    /// A value out of range, a constraint.
    @Test(arguments: ["22003", "22021", "23514"])
    func aBatchWithBadContentIsHalvedDownToTheMessageAtFault(sqlState: String) {
        #expect(action(Self.failed(sqlState)) == .halve)
        #expect(action(Self.failed(sqlState), messages: 1) == .quarantine)
    }

    @Test func aDeletedSensorIsLookedUpAgainOnce() {
        var retry = BatchRetry()
        #expect(retry.afterTry(Self.failed("23503"), messages: 10, elapsed: .zero) == .reload)
        #expect(retry.afterTry(Self.failed("23503"), messages: 10, elapsed: .zero) == .halve)
        var single = BatchRetry()
        #expect(single.afterTry(Self.failed("23503"), messages: 1, elapsed: .zero) == .reload)
        #expect(single.afterTry(Self.failed("23503"), messages: 1, elapsed: .zero) == .quarantine)
    }

    /// Each message would fail alike: all of them wait in the stream, and none goes to the quarantine.
    @Test(arguments: [1, 10])
    func anAnswerThatCannotBeReadIsAskedForAgain(messages: Int) {
        var retry = BatchRetry()
        for error in [
            StoreError.unexpected("no row"), .missingColumn("gaps", found: ["a"], statement: "SELECT a"),
            .undecodable(column: "cause", expected: "LossCause", found: "\"x\"", statement: "SELECT cause"),
        ] {
            #expect(retry.afterTry(error, messages: messages, elapsed: .zero) == .retry, "\(error)")
        }
    }

    @Test func aLostLeaseAndACancelledTaskEndTheBatch() {
        #expect(action(IngestConflict.leaseLost) == .fail)
        #expect(action(CancellationError()) == .fail)
    }

    @Test func noActionIsDueBeforeTheFirstError() {
        #expect(BatchRetry().action == nil)
    }

    /// Every action after a try, with a try that leads to it.
    private static let tries: [(error: any Error, messages: Int, action: BatchRetry.Action)] = [
        (StoreError.lost(operation: "COMMIT", "gone"), 10, .retry), (failed("23503"), 10, .reload),
        (failed("22003"), 10, .halve), (failed("22003"), 1, .quarantine), (IngestConflict.leaseLost, 10, .fail),
    ]

    /// The check before a repeat fails by errors that would halve, reload or quarantine the batch after a try.
    @Test(arguments: ["08006", "55006", "57014", "53200", "54000", "22021", "23503"])
    func anErrorOfTheCheckChangesNoAction(sqlState: String) {
        for (error, messages, action) in Self.tries {
            var retry = BatchRetry()
            #expect(retry.afterTry(error, messages: messages, elapsed: .zero) == action)
            for _ in 0..<3 { retry.afterCheck(Self.failed(sqlState)) }
            #expect(retry.action == action)
            retry.afterCheck(StoreError.unexpected("a column is missing"))
            #expect(retry.action == action)
        }
    }

    @Test func aCheckThatFindsTheLeaseLostOrIsCancelledEndsTheBatch() {
        for (error, messages, _) in Self.tries {
            for ending: any Error in [IngestConflict.leaseLost, CancellationError()] {
                var retry = BatchRetry()
                _ = retry.afterTry(error, messages: messages, elapsed: .zero)
                retry.afterCheck(ending)
                #expect(retry.action == .fail)
            }
        }
    }

    /// The check does not count as a slow try, nor as the one reload of the batch.
    @Test func theCheckLeavesTheCountsOfTheTries() {
        var retry = BatchRetry()
        let lost = StoreError.lost(operation: "COPY measurement", "timeout")
        #expect(retry.afterTry(lost, messages: 10, elapsed: BatchRetry.slowTry) == .retry)
        for _ in 0..<5 { retry.afterCheck(lost) }
        retry.afterCheck(Self.failed("23503"))
        #expect(retry.afterTry(lost, messages: 10, elapsed: .zero) == .retry)
        #expect(retry.afterTry(Self.failed("23503"), messages: 10, elapsed: .zero) == .reload)
        #expect(retry.afterTry(lost, messages: 10, elapsed: BatchRetry.slowTry) == .halve)
        #expect(retry.action == .halve)
    }

    /// A batch whose sensor is deleted again and again is reloaded once, whatever fails in between.
    @Test func aReloadIsBounded() {
        var retry = BatchRetry()
        var reloads = 0
        for round in 0..<20 {
            let error = round % 2 == 0 ? Self.failed("23503") : Self.failed("40P01")
            if retry.afterTry(error, messages: 1, elapsed: .zero) == .reload { reloads += 1 }
        }
        #expect(reloads == 1)
    }
}
