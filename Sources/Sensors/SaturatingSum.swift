extension Sequence {
    /// The sum of a count over all elements, or the greatest 64-bit number where it would be above that: counts are a
    /// sensor's word, and no word of a sensor may trap.
    /// - Parameter count: of one element; not negative.
    public func saturatingSum(_ count: (Element) -> Int64) -> Int64 {
        reduce(0) { sum, element in
            let (sum, isAbove) = sum.addingReportingOverflow(count(element))
            return isAbove ? .max : sum
        }
    }
}
