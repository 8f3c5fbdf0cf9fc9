/// The reason why a call fails. Each case is a status code of gRPC, whose meaning is what the caller can do next.
enum ControlError: Error, Equatable, CustomStringConvertible {
    /// The request itself is wrong: INVALID_ARGUMENT.
    case invalid(String)
    /// What the request names does not exist: NOT_FOUND.
    case notFound(String)
    /// The place in the stream is not there any more: OUT_OF_RANGE.
    case outOfRange(String)
    /// A limit of this server is reached: RESOURCE_EXHAUSTED.
    case exhausted(String)
    /// Broker or database can't be reached, or the server ends; try again: UNAVAILABLE.
    case unavailable(String)

    /// The reason in one line.
    var description: String {
        switch self {
        case .invalid(let text), .notFound(let text), .outOfRange(let text), .exhausted(let text),
            .unavailable(let text):
            text
        }
    }
}
