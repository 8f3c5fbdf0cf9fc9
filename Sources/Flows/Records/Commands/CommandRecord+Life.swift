public import Store
public import Time

extension CommandRecord {
    /// The time from the command's issue to `time`; nil if one of the two is not known.
    public func after(_ time: Timestamp?) -> Duration? {
        guard let issuedAt, let time else { return nil }
        return .nanoseconds(time.nanoseconds(since: issuedAt))
    }

    /// The time until the command expires, by the database's clock; negative after its expiry; nil if it never expires.
    public var expiresIn: Duration? {
        guard let age, let life = after(expiresAt) else { return nil }
        return life - age
    }
}
