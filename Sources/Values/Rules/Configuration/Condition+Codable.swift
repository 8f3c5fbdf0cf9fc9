extension Condition: Codable {
    /// The names of all kinds.
    public static let kinds = [
        "threshold", "rate_of_change", "no_data", "band", "machine", "crest_factor", "kurtosis", "particle_velocity",
        "baseline", "flatline", "clipping", "shift", "dead", "place", "counter", "all", "any", "not", "several", "word",
    ]

    /// Reads an object with the key of one kind, and perhaps `for`.
    /// - Throws: `DecodingError`, whose path names the field.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, Self.kinds + ["for"])
        let names = object.names.filter { $0 != "for" }
        guard names.count == 1, let kind = names.first else {
            throw object.fault(
                names.last ?? "for",
                names.isEmpty
                    ? "no condition; one of \(Self.kinds.joined(separator: ", "))"
                    : "a second condition (\(names.joined(separator: ", "))); join them with all or any")
        }
        let condition = try Self(object, kind)
        let duration: RuleDuration? = try object.optional("for")
        self = duration.map { .sustained(condition, for: $0) } ?? condition
    }

    private init(_ object: StrictContainer, _ kind: String) throws {
        func fields<Fields: ConditionFields>() throws -> Fields {
            try object.required(kind, as: Strict<Fields>.self).fields
        }
        switch kind {
        case "threshold": self = .threshold(try fields())
        case "rate_of_change": self = .rateOfChange(try fields())
        case "no_data": self = .noData(try fields())
        case "band": self = .band(try fields())
        case "machine": self = .machine(try fields())
        case "crest_factor": self = .crestFactor(try fields())
        case "kurtosis": self = .kurtosis(try fields())
        case "particle_velocity": self = .particleVelocity(try fields())
        case "baseline": self = .baseline(try fields())
        case "flatline": self = .flatline(try fields())
        case "clipping": self = .clipping(try fields())
        case "shift": self = .shift(try fields())
        case "dead": self = .dead(try fields())
        case "place": self = .place(try fields())
        case "counter": self = .counter(try fields())
        case "all": self = .all(try object.required(kind))
        case "any": self = .any(try object.required(kind))
        case "not": self = .not(try object.required(kind))
        case "several": self = .several(try fields())
        default: self = .word(try fields())
        }
    }

    /// Writes the same object. A duration of a condition that has one already is written as an `all` around it.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try encode(into: &object)
    }

    private func encode(into object: inout KeyedEncodingContainer<AnyKey>) throws {
        let key = AnyKey(kind)
        switch self {
        case .threshold(let fields): try object.encode(fields, forKey: key)
        case .rateOfChange(let fields): try object.encode(fields, forKey: key)
        case .noData(let fields): try object.encode(fields, forKey: key)
        case .band(let fields): try object.encode(fields, forKey: key)
        case .machine(let fields): try object.encode(fields, forKey: key)
        case .crestFactor(let fields), .kurtosis(let fields): try object.encode(fields, forKey: key)
        case .particleVelocity(let fields): try object.encode(fields, forKey: key)
        case .baseline(let fields): try object.encode(fields, forKey: key)
        case .flatline(let fields): try object.encode(fields, forKey: key)
        case .clipping(let fields): try object.encode(fields, forKey: key)
        case .shift(let fields): try object.encode(fields, forKey: key)
        case .dead(let fields): try object.encode(fields, forKey: key)
        case .place(let fields): try object.encode(fields, forKey: key)
        case .counter(let fields): try object.encode(fields, forKey: key)
        case .all(let parts), .any(let parts): try object.encode(parts, forKey: key)
        case .not(let part): try object.encode(part, forKey: key)
        case .several(let fields): try object.encode(fields, forKey: key)
        case .word(let fields): try object.encode(fields, forKey: key)
        case .sustained(.sustained(let inner, for: let first), for: let second):
            // `for` can be written once: the two are the same as one over both.
            try Condition.sustained(.all([.sustained(inner, for: first)]), for: second).encode(into: &object)
        case .sustained(let inner, for: let duration):
            try inner.encode(into: &object)
            try object.encode(duration, forKey: AnyKey("for"))
        }
    }
}

/// Decodes fields after their object was checked for unknown keys.
private struct Strict<Fields: ConditionFields>: Decodable {
    let fields: Fields

    init(from decoder: any Decoder) throws {
        _ = try StrictContainer(decoder, Fields.names)
        fields = try Fields(from: decoder)
    }
}
