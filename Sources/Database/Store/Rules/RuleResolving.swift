internal import Foundation
internal import Rules
internal import Time

/// Joins rules, limits, sensors and channels to a revision, without I/O.
struct RuleResolving {
    /// The years before and after now for which the offsets of time zones are given.
    static let zoneYears = 3

    private(set) var rules: [Rule] = []
    /// The indexes of the rules that select a sensor, by its serial number.
    private var selected: [String: [Int]] = [:]
    /// The limits of a sensor's channels, by name.
    var limits: [String: [(channel: String, limits: ChannelLimits)]] = [:]
    /// The channels of a sensor, by number.
    var channels: [String: [RuleRevision.Channel]] = [:]
    /// The machine that a sensor is mounted on.
    var targets: [String: String] = [:]
    /// What is left out, because this release cannot read it.
    var unreadable: [String] = []

    /// Adds a rule with the sensors that it selects.
    mutating func add(_ rule: Rule, serials: [String]) {
        for serial in serials { selected[serial, default: []].append(rules.count) }
        rules.append(rule)
    }

    /// The sensors with a rule or limit, in order.
    var serials: [String] { Set(selected.keys).union(limits.keys).sorted() }

    /// The revision of that number.
    func revision(number: Int64, now: Date = Date()) -> RuleRevision {
        let zones = rules.reduce(into: Set<String>()) { names, rule in
            names.formUnion(rule.condition.zones)
            if let zone = rule.schedule?.zone { names.insert(zone) }
        }
        return RuleRevision(
            number: number, rules: rules, sensors: serials.map(sensor),
            zones: zones.reduce(into: [:]) { $0[$1] = Self.offsets(of: $1, around: now) })
    }

    private func sensor(_ serial: String) -> RuleRevision.Sensor {
        let known = channels[serial] ?? []
        let chosen = selected[serial] ?? []
        let limited = limits[serial] ?? []
        var wanted = Set(limited.map(\.channel))
        for index in chosen {
            wanted.formUnion(rules[index].condition.channelNames)
            wanted.formUnion(known.map(\.name).filter { rules[index].selector.selects(channel: $0) })
        }
        // Channels that a rule names and that are not known yet have no number: frames may name them.
        let present = known.filter { wanted.contains($0.name) }
        let absent = wanted.subtracting(known.map(\.name)).sorted().map { RuleRevision.Channel(name: $0) }
        let all = present + absent
        let indexes = Dictionary(zip(all.map(\.name), all.indices)) { first, _ in first }
        return RuleRevision.Sensor(
            serial: serial, target: targets[serial], channels: all,
            rules: chosen.map { rule in
                RuleRevision.Selection(
                    rule: rule, channels: all.indices.filter { rules[rule].selector.selects(channel: all[$0].name) })
            },
            limits: limited.compactMap { name, limits in indexes[name].map { RuleRevision.Limits(channel: $0, limits) }
            })
    }

    /// The offsets of a time zone, from the system's data; nil: there is no such zone.
    static func offsets(of name: String, around now: Date) -> ZoneOffsets? {
        guard let zone = TimeZone(identifier: name) else { return nil }
        let year = 366.0 * 86_400
        var moment = now.addingTimeInterval(-Double(zoneYears) * year)
        // At a fixed moment, so that two revisions of one year have the same offsets.
        moment = Date(timeIntervalSince1970: (moment.timeIntervalSince1970 / year).rounded(.down) * year)
        let end = now.addingTimeInterval(Double(zoneYears) * year)
        var changes = [change(of: zone, at: moment)]
        while let next = zone.nextDaylightSavingTimeTransition(after: moment), next > moment, next < end {
            changes.append(change(of: zone, at: next))
            moment = next
        }
        return ZoneOffsets(changes: changes)
    }

    private static func change(of zone: TimeZone, at moment: Date) -> ZoneOffsets.Change {
        ZoneOffsets.Change(
            from: Timestamp(unixNanoseconds: Int64(moment.timeIntervalSince1970) * 1_000_000_000),
            seconds: zone.secondsFromGMT(for: moment))
    }
}
