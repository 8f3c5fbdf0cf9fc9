public import ArgumentParser
public import Time

extension Timestamp: ExpressibleByArgument {
    /// Parses an option of the command line, as `init(commandLine:now:)` does.
    public init?(argument: String) { self.init(commandLine: argument, now: .now) }

    /// The time from this moment until now: positive if it lies in the past.
    public var age: Duration { .nanoseconds(Timestamp.now.nanoseconds(since: self)) }
}
