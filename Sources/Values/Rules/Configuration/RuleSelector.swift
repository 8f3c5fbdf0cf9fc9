internal import Model

/// Which sensors and channels a rule applies to. The resolver turns it into `RuleRevision.sensors`.
public struct RuleSelector: Sendable, Equatable, Codable {
    /// Serial numbers or globs (`*`, `?`), one of which must match; empty: any sensor.
    public var sensors: [String]
    /// The sensor's kind; nil: any.
    public var kind: String?
    /// The machine that the sensor is mounted on; nil: any.
    public var target: String?
    /// Tags that the sensor must have, by path (dots separate nested objects), with their values.
    public var tags: [String: String]
    /// Names or globs of channels, one of which must match; empty: all channels.
    public var channels: [String]

    /// A selector of these parts; by default all channels of all sensors.
    public init(
        sensors: [String] = [], kind: String? = nil, target: String? = nil, tags: [String: String] = [:],
        channels: [String] = []
    ) {
        self.sensors = sensors
        self.kind = kind
        self.target = target
        self.tags = tags
        self.channels = channels
    }

    /// The same as the text of `-l`, without the serial numbers and channels: `kind=vibration,target=press-1,hall=3`;
    /// empty if there is no such part.
    public var selectorText: String {
        var parts: [String] = []
        if let kind { parts.append("kind=\(kind)") }
        if let target { parts.append("target=\(target)") }
        for (name, value) in tags.sorted(by: { $0.key < $1.key }) { parts.append("\(name)=\(value)") }
        return parts.joined(separator: ",")
    }

    /// Whether a channel of that name is selected.
    public func selects(channel: String) -> Bool {
        channels.isEmpty || channels.contains { SerialPattern($0).matches(channel) }
    }

    /// Reads a selector; absent parts select everything.
    /// - Throws: `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let object = try StrictContainer(decoder, ["sensors", "kind", "target", "tags", "channels"])
        self.init(
            sensors: try object.optional("sensors") ?? [], kind: try object.optional("kind"),
            target: try object.optional("target"), tags: try object.optional("tags") ?? [:],
            channels: try object.optional("channels") ?? [])
    }

    /// Writes the parts that select.
    /// - Throws: `EncodingError`.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        if !sensors.isEmpty { try object.encode(sensors, forKey: AnyKey("sensors")) }
        try object.encodeIfPresent(kind, forKey: AnyKey("kind"))
        try object.encodeIfPresent(target, forKey: AnyKey("target"))
        if !tags.isEmpty { try object.encode(tags, forKey: AnyKey("tags")) }
        if !channels.isEmpty { try object.encode(channels, forKey: AnyKey("channels")) }
    }
}
