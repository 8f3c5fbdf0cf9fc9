/// The life of a command: `queued → delivered → succeeded | failed | rejected`, or `expired | cancelled | timed_out`.
///
/// A sensor's own word is the truth. What the registry concludes from silence (`expired` without an answer, `timed_out`) and
/// what people decide (`cancelled`) is given up when the sensor says otherwise later; what the sensor said last is not.
public struct CommandLife: Sendable, Equatable {
    /// How far it has come. The raw value is what the `command` table holds.
    public enum State: String, Sendable, CaseIterable {
        /// Given; the sensor has not said that it has it.
        case queued
        /// The sensor has it.
        case delivered
        /// The sensor did it.
        case succeeded
        /// The sensor tried in vain.
        case failed
        /// The sensor did not try.
        case rejected
        /// Its time passed before it was run.
        case expired
        /// Somebody took it back.
        case cancelled
        /// The sensor had it, and never said what came of it.
        case timedOut = "timed_out"

        /// Whether it has not ended.
        public var isOpen: Bool { self == .queued || self == .delivered }
    }

    /// How long after its expiry an answer to it may still be on its way.
    public static let expiryGraceSeconds: Int64 = 5
    /// How long after its expiry, or after it was delivered, a sensor may take to say what came of it.
    public static let resultGraceSeconds: Int64 = 60
    /// Why a command expired that nobody answered.
    public static let silence = "no answer before it expired"

    /// How far it has come.
    public private(set) var state: State
    /// Why it went no further; empty otherwise.
    public private(set) var reason: String
    /// It is not run after this; nil: never expires.
    public let expires: Timestamp?
    /// When the sensor's first answer came.
    public private(set) var delivered: Timestamp?
    /// When its end was known.
    public private(set) var finished: Timestamp?

    /// A command as it is known: by default one that was just given.
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

    /// Whether the sensor itself said how it ended.
    private var isAnswered: Bool {
        switch state {
        case .succeeded, .failed, .rejected: true
        case .expired: delivered != nil && reason != Self.silence
        case .queued, .delivered, .cancelled, .timedOut: false
        }
    }

    /// Notes the sensor's answer, which came at `received`.
    public mutating func note(_ ack: Ack, at received: Timestamp) {
        if isAnswered { return }
        if ack.outcome == .received {
            // Of a command that was taken back, only how it ended matters.
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

    /// Ends it if its time has passed: `expired` if the sensor never answered, `timed_out` if it never said more than
    /// that it has it.
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
