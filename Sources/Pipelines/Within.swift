/// Something took longer than it may.
public struct TimedOut: Error, Sendable, Equatable, CustomStringConvertible {
    /// How long it had.
    public let limit: Duration

    /// What happened.
    public var description: String { "no answer within \(limit)" }
}

/// Waits for `work`, but not longer than `limit`: then the work is cancelled and left to itself, because a call into a C
/// client can't be called back.
/// - Throws: `TimedOut`, or whatever the work throws.
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
