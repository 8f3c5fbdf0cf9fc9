/// Why encoded state cannot be used.
public enum RuleStateError: Error, Sendable, Equatable {
    /// It was written by another release, whose version is given.
    case otherVersion(Int)
    /// It belongs to this revision.
    case otherRevision(Int64)
    /// It is damaged.
    case damaged
}
