/// The time to wait before the next attempt: it doubles from `first` to `longest`, with jitter so that many clients of
/// a restarted server do not reconnect in step.
public struct Backoff: Sendable {
    /// The first wait.
    public let first: Duration
    /// The longest wait.
    public let longest: Duration
    private var failures = 0

    /// A backoff from 100 ms to 5 s by default.
    public init(first: Duration = .milliseconds(100), longest: Duration = .seconds(5)) {
        self.first = first
        self.longest = longest
    }

    /// Records a failure.
    /// - Returns: the time to wait, between half of the full wait and all of it.
    public mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(failures, 16)
        failures += 1
        let full = min(first * (1 << doublings), longest)
        return full * Double.random(in: 0.5...1, using: &random)
    }

    /// Records a failure.
    /// - Returns: the time to wait, with jitter from the system's random numbers.
    public mutating func next() -> Duration {
        var random = SystemRandomNumberGenerator()
        return next(using: &random)
    }

    /// Records a success: the next wait begins at `first` again.
    public mutating func reset() { failures = 0 }
}
