internal import CThread

extension Timestamp {
    /// The current time by the system's clock.
    public static var now: Timestamp { Timestamp(unixNanoseconds: cthread_unix_nanoseconds()) }
}
