internal import Postgres
internal import Store

/// Decides the next action after a batch could not be stored. A value without I/O: the caller reports each error, and waits,
/// reads and writes as the action says.
struct BatchRetry: Sendable {
    /// A failed try that took at least this long may have failed because of the batch's size.
    static let slowTry: Duration = .seconds(15)
    /// After this many slow tries a batch of several messages is halved.
    static let slowTriesMax = 2

    /// The next action.
    enum Action: Sendable, Equatable {
        /// Store the same batch again after a pause: the batch is not at fault.
        case retry
        /// Store the same batch again after a pause, with the numbers of sensors and channels read again.
        case reload
        /// Store its two halves, one after the other.
        case halve
        /// Put its only message into the quarantine.
        case quarantine
        /// Give the error to the caller: this worker cannot store the batch.
        case fail
    }

    /// The action after the last error; nil before the first.
    private(set) var action: Action?
    private var slowTries = 0
    private var hasReloaded = false

    /// The action after a try to store the batch has failed.
    /// - Parameters:
    ///   - messages: the number of messages in the batch.
    ///   - elapsed: the duration of the try.
    mutating func afterTry(_ error: any Error, messages: Int, elapsed: Duration) -> Action {
        let next = next(error, messages, elapsed)
        action = next
        return next
    }

    /// The action after the check whether a failed try was committed after all has failed itself. Its error says nothing of
    /// the batch: the action after the try remains, and the check is repeated after a pause. An error that is not the
    /// database's ends the batch.
    mutating func afterCheck(_ error: any Error) {
        if !(error is StoreError) { action = .fail }
    }

    private mutating func next(_ error: any Error, _ messages: Int, _ elapsed: Duration) -> Action {
        switch error {
        case IngestConflict.ledgerChanged: .retry
        case IngestConflict.namesChanged: .reload
        case let error as StoreError: next(error, messages, elapsed)
        default: .fail
        }
    }

    private mutating func next(_ error: StoreError, _ messages: Int, _ elapsed: Duration) -> Action {
        if elapsed >= Self.slowTry { slowTries += 1 }
        switch error {
        // The answer to a look-up of the partition cannot be read: no message is at fault, and each would fail alike.
        // `IngestLoader` sets aside the rows of single sensors before.
        case .unexpected, .missingColumn, .undecodable: return .retry
        case .unreachable, .refused, .lost, .failed: break
        }
        switch error.advice {
        case .retry:
            return messages > 1 && slowTries >= Self.slowTriesMax ? .halve : .retry
        case .halve where messages == 1 && error.sqlState == "53200":
            // The server lacks memory for one message now, and may have it later.
            return .retry
        case .giveUp where error.sqlState == "23503" && !hasReloaded:
            // A sensor whose number is in memory was deleted.
            hasReloaded = true
            return .reload
        case .halve, .giveUp:
            return messages > 1 ? .halve : .quarantine
        }
    }
}
