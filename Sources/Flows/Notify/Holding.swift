internal import Synchronization

/// Which receivers this registry holds, and until when.
final class Holding: Sendable {
    private let state = Mutex<(names: Set<String>, until: ContinuousClock.Instant)>(([], .now))

    /// Whether this registry sends to the receiver now.
    func has(_ name: String) -> Bool { state.withLock { $0.names.contains(name) && .now < $0.until } }

    /// Holds these receivers until then, and no others.
    func set(_ names: Set<String>, until: ContinuousClock.Instant) { state.withLock { $0 = (names, until) } }
}
