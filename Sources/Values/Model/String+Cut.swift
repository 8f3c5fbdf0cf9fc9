extension String {
    /// The longest prefix that has at most `limit` bytes of UTF-8 and ends between characters.
    public func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = startIndex
        var bytes = 0
        while end < endIndex {
            bytes += self[end].utf8.count
            if bytes > limit { break }
            end = index(after: end)
        }
        return String(self[..<end])
    }
}
