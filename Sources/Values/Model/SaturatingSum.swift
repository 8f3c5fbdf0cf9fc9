extension Sequence {
    /// The sum of a count over all elements, limited to the largest 64-bit number: a sensor reports the counts, and no
    /// report of a sensor may trap.
    /// - Parameter count: the count of one element; not negative.
    public func saturatingSum(_ count: (Element) -> Int64) -> Int64 {
        reduce(0) { sum, element in
            let (sum, isAbove) = sum.addingReportingOverflow(count(element))
            return isAbove ? .max : sum
        }
    }
}
