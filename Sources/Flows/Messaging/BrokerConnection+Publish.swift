public import AMQP
public import Broker
internal import Support

/// The broker did not confirm in time.
public struct NotConfirmed: Error, CustomStringConvertible {
    /// The time limit, and the broker's reason if it gave one.
    public let description: String
    /// Whether the broker blocks publishers now.
    public let isBlocked: Bool

    /// - Parameters:
    ///   - timeout: the time limit.
    ///   - blocked: the broker's reason for blocking publishers; nil: it does not block them.
    public init(within timeout: Duration, blocked: String?) {
        let reason = blocked.map { "it takes no publishes now (\($0))" } ?? "no answer"
        description = "the broker confirmed nothing within \(timeout): \(reason)"
        isBlocked = blocked != nil
    }
}

extension BrokerConnection {
    /// Publishes messages, and waits at most `timeout` for the confirms.
    ///
    /// A broker that blocks publishers sends no answer, and a publish can't be cancelled: it continues without a
    /// caller.
    /// - Throws: `BrokerError`, or `NotConfirmed`.
    public nonisolated func publish(
        _ messages: [OutgoingMessage], within timeout: Duration
    ) async throws -> [PublishOutcome] {
        do {
            return try await Support.within(timeout) { try await self.publish(messages) }
        } catch let error where error is TimedOut || error is CancellationError {}
        throw NotConfirmed(within: timeout, blocked: await blockedReason)
    }
}
