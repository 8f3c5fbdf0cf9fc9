extension Condition {
    /// Which channel a leaf is about.
    enum ChannelNeed {
        case none
        case each
        case named
    }

    /// All conditions without parts.
    var leaves: [Condition] { parts.isEmpty ? [self] : parts.flatMap(\.leaves) }

    /// The number of conditions in the tree.
    var nodeCount: Int { 1 + parts.reduce(0) { $0 + $1.nodeCount } }

    /// The channel that a leaf names.
    public var channelName: String? {
        switch self {
        case .threshold(let fields): fields.channel
        case .rateOfChange(let fields): fields.channel
        case .noData(let fields): fields.channel
        case .band(let fields): fields.channel
        case .machine(let fields): fields.channel
        case .crestFactor(let fields), .kurtosis(let fields): fields.channel
        case .particleVelocity(let fields): fields.channel
        case .baseline(let fields): fields.channel
        case .flatline(let fields): fields.channel
        case .clipping(let fields): fields.channel
        case .shift(let fields): fields.channel
        case .dead(let fields): fields.channel
        case .counter(let fields): fields.channel
        case .place, .all, .any, .not, .sustained, .several, .word: nil
        }
    }

    /// The names of channels that its leaves name: the resolver gives them to the sensor in the revision.
    public var channelNames: Set<String> { Set(leaves.compactMap(\.channelName)) }

    /// The time zones that it names.
    public var zones: Set<String> {
        Set(
            leaves.compactMap {
                if case .baseline(let fields) = $0, fields.byHour == true { fields.zone } else { nil }
            })
    }

    var needsChannel: ChannelNeed {
        switch self {
        case .noData(let fields): fields.channel == nil ? .none : .named
        case .place: .none
        default: channelName == nil ? .each : .named
        }
    }

    /// Whether a part waits for silence.
    var awaitsSilence: Bool {
        if case .noData = self { return true }
        return parts.contains(where: \.awaitsSilence)
    }
}
