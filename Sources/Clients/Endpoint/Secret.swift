/// A text that no output may contain: printing, interpolating and dumping a secret show `***`.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the client that logs in with it.
    public let text: String

    /// A secret.
    public init(_ text: String) { self.text = text }

    /// Whether there is no text.
    public var isEmpty: Bool { text.isEmpty }

    /// `***`, or nothing for an empty secret.
    public var description: String { isEmpty ? "" : "***" }

    /// As `description`.
    public var debugDescription: String { description }

    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
