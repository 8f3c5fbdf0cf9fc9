internal import Records
internal import Store

extension CommandRecord {
    /// The arguments as text for people, such as "hertz=2000".
    var argumentsText: String { (JSONValue(json: argumentsJSON) ?? .null).flat(separator: " ") }
}

extension [String] {
    /// Minimum length of a shortened id, in characters.
    private static var idMin: Int { 8 }

    /// The shortest prefixes that tell these ids apart, by id.
    var shortened: [String: String] {
        var length = Self.idMin
        while length < 64, Set(map { $0.prefix(length) }).count < Set(self).count { length += 4 }
        return reduce(into: [:]) { $0[$1] = String($1.prefix(length)) }
    }
}
