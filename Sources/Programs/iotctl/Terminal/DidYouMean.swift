/// Proposes names for a mistyped one.
enum DidYouMean {
    /// Most names that are proposed.
    static let proposalsMax = 3

    /// The names nearest to `word`, nearest first; empty if no name is near.
    ///
    /// A name is near if it differs by at most one edit in three characters (one to three in all), regardless of case.
    /// A serial with the prefix "sensor_" of its routing keys is near too.
    static func proposals(for word: String, among names: [String]) -> [String] {
        if word.hasPrefix("sensor_"), names.contains(String(word.dropFirst("sensor_".count))) {
            return [String(word.dropFirst("sensor_".count))]
        }
        let editsMax = min(3, max(1, word.count / 3))
        let typed = Array(word.lowercased().utf8)
        let near = names.compactMap { name -> (edits: Int, name: String)? in
            let other = Array(name.lowercased().utf8)
            guard abs(other.count - typed.count) <= editsMax else { return nil }
            let edits = distance(typed, other)
            return edits <= editsMax ? (edits, name) : nil
        }
        return near.sorted { ($0.edits, $0.name) < ($1.edits, $1.name) }.prefix(proposalsMax).map(\.name)
    }

    /// The edit distance: fewest insertions, deletions, replacements and swaps of neighbours from one to the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var edits = min(last[column + 1] + 1, current[column] + 1, last[column] + (character == other ? 0 : 1))
                if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
                    edits = min(edits, beforeLast[column - 1] + 1)
                }
                current.append(edits)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
