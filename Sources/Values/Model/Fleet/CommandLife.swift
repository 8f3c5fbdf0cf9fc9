public import Time

/// The life of a command: `queued → delivered → succeeded | failed | rejected`, or `expired | cancelled | timed_out`.
///
/// The sensor's answer is authoritative. A later answer of the sensor replaces states that the registry derived from
/// silence (`expired` without an answer, `timed_out`) or that an operator set (`cancelled`). Nothing replaces the
/// sensor's final answer.
public struct CommandLife: Sendable, Equatable {
    /// The state of a command. The raw value is stored in the `command` table.
    public enum State: String, Sendable, CaseIterable {
        /// Issued; the sensor has not acknowledged the command.
        case queued
        /// The sensor has received the command.
        case delivered
        /// The sensor executed the command.
        case succeeded
        /// The sensor tried to execute the command and failed.
        case failed
        /// The sensor refused to execute the command.
        case rejected
        /// The command expired before the sensor executed it.
        case expired
        /// An operator cancelled the command.
        case cancelled
        /// The sensor received the command and never reported a result.
        case timedOut = "timed_out"

        /// Whether the command has no final state yet.
        public var isOpen: Bool { self == .queued || self == .delivered }
    }

    /// Seconds after the expiry during which an answer may still be in transit.
    public static let expiryGraceSeconds: Int64 = 5
    /// Seconds after the expiry, or after a later delivery, that a sensor may take to report the result.
    public static let resultGraceSeconds: Int64 = 60
    /// The reason of a command that expired without an answer.
    public static let silence = "no answer before it expired"

    /// The current state.
    public private(set) var state: State
    /// The reason for the state; empty if there is none.
    public private(set) var reason: String
    /// The time after which the sensor does not execute the command; nil: it never expires.
    public let expires: Timestamp?
    /// The time of arrival of the sensor's first answer.
    public private(set) var delivered: Timestamp?
    /// The time at which the final state became known.
    public private(set) var finished: Timestamp?

    /// The known state of a command; by default that of a newly issued one.
    public init(
        state: State = .queued, reason: String = "", expires: Timestamp?, delivered: Timestamp? = nil,
        finished: Timestamp? = nil
    ) {
        self.state = state
        self.reason = reason
        self.expires = expires
        self.delivered = delivered
        self.finished = finished
    }

    /// Whether the sensor itself reported the final state.
    private var isAnswered: Bool {
        switch state {
        case .succeeded, .failed, .rejected: true
        case .expired: delivered != nil && reason != Self.silence
        case .queued, .delivered, .cancelled, .timedOut: false
        }
    }

    /// Records the sensor's answer, which arrived at `received`.
    public mutating func note(_ ack: Ack, at received: Timestamp) {
        if isAnswered { return }
        if ack.outcome == .received {
            // For a cancelled command only the final answer matters.
            if state == .cancelled || delivered != nil && state != .expired { return }
            delivered = delivered ?? received
            (state, reason, finished) = (.delivered, "", nil)
            return
        }
        let wasCancelled = state == .cancelled
        delivered = delivered ?? received
        finished = received
        reason = ack.reason
        switch ack.outcome {
        case .received: break
        case .succeeded: (state, reason) = (.succeeded, wasCancelled ? "before it could be cancelled" : "")
        case .failed: state = .failed
        case .rejected: state = ack.reason == Ack.expired ? .expired : .rejected
        }
    }

    /// Ends the command if its time has passed: `expired` if the sensor never answered, `timed_out` if the sensor only
    /// acknowledged the receipt.
    public mutating func expire(at now: Timestamp) {
        guard let expires else { return }
        switch state {
        case .queued:
            guard now >= expires.advanced(bySeconds: Self.expiryGraceSeconds) else { return }
            (state, reason, finished) = (.expired, Self.silence, now)
        case .delivered:
            let last = max(expires, delivered ?? expires)
            guard now >= last.advanced(bySeconds: Self.resultGraceSeconds) else { return }
            (state, reason, finished) = (.timedOut, "delivered, no result since", now)
        case .succeeded, .failed, .rejected, .expired, .cancelled, .timedOut: return
        }
    }
}
