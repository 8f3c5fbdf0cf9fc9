internal import Dispatch
internal import Glibc

/// Handles Ctrl-C and SIGTERM by cancellation.
enum Interrupts {
    /// Runs the work in a task that SIGINT and SIGTERM cancel.
    static func cancelling<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await work() }
        let sources = [SIGINT, SIGTERM].map { number in
            // Without this the signal would end the process before the source sees it.
            _ = signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { task.cancel() }
            source.activate()
            return source
        }
        defer { for source in sources { source.cancel() } }
        return try await task.value
    }
}
