/// How long to wait before the next try: doubling from `first` to `longest`, with jitter so that many clients of a
/// restarted server don't come back in step.
public struct Backoff: Sendable {
    /// The first wait.
    public let first: Duration
    /// The longest wait.
    public let longest: Duration
    private var failures = 0

    /// By default from 100 ms to 5 s.
    public init(first: Duration = .milliseconds(100), longest: Duration = .seconds(5)) {
        self.first = first
        self.longest = longest
    }

    /// Notes a failure and says how long to wait: between half of the full wait and all of it.
    public mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let doublings = min(failures, 16)
        failures += 1
        let full = min(first * (1 << doublings), longest)
        return full * Double.random(in: 0.5...1, using: &random)
    }

    /// Notes a failure and says how long to wait.
    public mutating func next() -> Duration {
        var random = SystemRandomNumberGenerator()
        return next(using: &random)
    }

    /// Notes a success: the next wait is the first again.
    public mutating func reset() { failures = 0 }
}
