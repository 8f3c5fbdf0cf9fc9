internal import Sensors
internal import Store

extension CommandRecord {
    /// As JSON (docs/iotctl-json.md, "command").
    var record: Value { .object(fields) }

    /// The fields of that.
    var fields: [Value.Field] {
        let record = Value.record([
            "id": .text(id), "sensor": .text(serial), "command": .text(name),
            "arguments": Value(json: argumentsJSON) ?? .null, "issuer": .text(issuer), "state": .text(state),
            "reason": .text(reason), "issued_at": .time(issuedAt), "expires_at": .time(expiresAt),
            "delivered_at": .time(deliveredAt), "finished_at": .time(finishedAt), "sent_at": .time(sentAt),
            "send_at": .time(sendAt), "sends": .integer(sends),
        ])
        guard case .object(let fields) = record else { return [] }
        return fields
    }

    /// "hertz=2000", for people.
    var argumentsText: String {
        Twin.leaves(of: Value(json: argumentsJSON) ?? .null).filter { !$0.path.isEmpty }
            .map { "\($0.path)=\($0.value.plain)" }.joined(separator: " ")
    }

    /// From when it was given to `time`.
    func after(_ time: Timestamp?) -> Duration? {
        guard let issuedAt, let time else { return nil }
        return .nanoseconds(time.nanoseconds(since: issuedAt))
    }

    /// How long until it expires, by the database's clock; below zero: since it did; nil: it never does.
    var expiresIn: Duration? {
        guard let age, let life = after(expiresAt) else { return nil }
        return life - age
    }
}

extension [String] {
    /// Fewest characters of an id that are shown.
    private static var idMin: Int { 8 }

    /// The beginnings of ids, as long as they must be to tell these apart.
    var shortened: [String: String] {
        var length = Self.idMin
        while length < 64, Set(map { $0.prefix(length) }).count < Set(self).count { length += 4 }
        return reduce(into: [:]) { $0[$1] = String($1.prefix(length)) }
    }
}
