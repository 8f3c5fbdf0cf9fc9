extension Array {
    /// `count` elements from `position` on; the first element follows the last one.
    public func loop(from position: Int, count length: Int) -> [Element] {
        let first = position % count
        if first + length <= count { return Array(self[first..<first + length]) }
        var result: [Element] = []
        result.reserveCapacity(length)
        var next = first
        while result.count < length {
            let end = Swift.min(count, next + length - result.count)
            result.append(contentsOf: self[next..<end])
            next = 0
        }
        return result
    }
}
