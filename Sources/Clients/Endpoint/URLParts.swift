/// A URL cut at its separators; the parts are still percent-encoded.
struct URLParts {
    /// The scheme in lower case.
    let scheme: String
    /// The text before the @; nil: there is no @.
    let userInfo: Substring?
    /// The hosts with their ports.
    let hosts: Substring
    /// The path without its first slash.
    let path: Substring
    private let query: Substring

    /// Cuts a URL.
    ///
    /// A reserved character in the password that is not percent-encoded moves the separators. No part of such a URL may
    /// be used or shown, because any of them may be a piece of the password.
    init(_ url: String) throws(EndpointError.Fault) {
        guard let mark = url.firstRange(of: "://") else { throw .notURL }
        guard url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else { throw .space }
        scheme = url[..<mark.lowerBound].lowercased()
        var rest = url[mark.upperBound...]
        guard !rest.contains("#") else { throw .reserved }
        query = Self.cut(&rest, at: "?") ?? ""
        path = Self.cut(&rest, at: "/") ?? ""
        let parts = rest.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2, !path.contains("@"), !query.contains("@") else { throw .reserved }
        userInfo = parts.count == 2 ? parts[0] : nil
        hosts = parts.last ?? ""
    }

    /// The options of the query, decoded, in the order of the URL.
    func options() throws(EndpointError.Fault) -> [Endpoint.Option] {
        var options: [Endpoint.Option] = []
        for item in query.split(separator: "&") {
            let equals = item.firstIndex(of: "=") ?? item.endIndex
            let name = try PercentEncoding.decoded(item[..<equals])
            options.append(Endpoint.Option(name, try PercentEncoding.decoded(item[equals...].dropFirst())))
        }
        return options
    }

    /// Removes the text from the first `separator` on.
    /// - Returns: the text behind the separator; nil if there is none.
    private static func cut(_ text: inout Substring, at separator: Character) -> Substring? {
        guard let index = text.firstIndex(of: separator) else { return nil }
        defer { text = text[..<index] }
        return text[text.index(after: index)...]
    }
}
