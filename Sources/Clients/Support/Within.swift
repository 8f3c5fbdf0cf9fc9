/// An operation exceeded its time limit.
public struct TimedOut: Error, Sendable, Equatable, CustomStringConvertible {
    /// The time limit.
    public let limit: Duration

    /// The error in one line.
    public var description: String { "no answer within \(limit)" }
}

/// Waits for `work`, but at most for `limit`. After that the task is cancelled and no longer awaited, because a call
/// into a C client cannot be interrupted.
/// - Throws: `TimedOut`, or the error that `work` throws.
public func within<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (answers, continuation) = AsyncThrowingStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(1))
    let task = Task {
        do {
            continuation.yield(try await work())
            continuation.finish()
        } catch { continuation.finish(throwing: error) }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        continuation.finish(throwing: TimedOut(limit: limit))
    }
    defer {
        timer.cancel()
        task.cancel()
    }
    for try await answer in answers { return answer }
    throw CancellationError()
}
