internal import Glibc

/// The operating system's error numbers as text.
public enum SystemError {
    /// The system's text for an `errno`, such as "connection refused".
    public static func text(_ number: Int32) -> String {
        guard let words = unsafe strerror(number) else { return "error \(number)" }
        return sentencePart(unsafe String(cString: words))
    }

    /// The resolver's text for a status of `getaddrinfo`, such as "host not found: name or service not known".
    public static func text(ofLookup status: Int32) -> String {
        guard let words = unsafe gai_strerror(status) else { return "host not found: error \(status)" }
        return "host not found: \(sentencePart(unsafe String(cString: words)))"
    }

    /// The text as a part of a sentence: "Connection refused" becomes "connection refused". A word of capitals, such as
    /// "TLS", stays as it is.
    public static func sentencePart(_ text: String) -> String {
        guard let first = text.first, text.dropFirst().first?.isLowercase == true else { return text }
        return first.lowercased() + text.dropFirst()
    }
}
