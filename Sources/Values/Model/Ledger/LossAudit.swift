public import Time

/// Determines which frames of a sensor are missing, and why. A pure function of the database's content.
///
/// The rules apply in this order, each to the frames that the rules before left unexplained:
/// 1. the ingester's own causes, a hole of the stream between two frames of the boot;
/// 2. a hole of the stream at the edge of the boot: before its first frame, after its last, or over all of it;
/// 3. quarantined payloads, by their position where it could be read, otherwise one missing frame for each;
/// 4. frames that the sensor reported as dropped: whole gaps first, the oldest first;
/// 5. a restart of the sensor;
/// 6. the cause stored in the database, or else `late`.
public enum LossAudit {
    /// The time that announced frames may be in transit before they count as missing.
    public static let grace: Duration = .seconds(10)

    /// The database's content about a sensor.
    public struct Facts: Sendable {
        /// All boots of the sensor.
        public var boots: [Boot] = []
        /// The sensor's payloads that arrived by a stream and could not be stored.
        public var quarantined: [Quarantined] = []
        /// The holes of streams, by the stream's name.
        public var holes: [String: [NotedHole]] = [:]

        /// Facts without any boot.
        public init() {}
    }

    /// A boot of a sensor.
    public struct Boot: Sendable {
        /// The boot's number, which grows with each start.
        public var boot: Int64
        /// The frames received; nil: none.
        public var stored: Stored?
        /// The sensor's announcements; nil: none.
        public var announced: Announced?

        /// A boot, by default one without frames and announcements.
        public init(boot: Int64, stored: Stored? = nil, announced: Announced? = nil) {
            self.boot = boot
            self.stored = stored
            self.announced = announced
        }

        fileprivate var heardAt: Timestamp? { [stored?.lastAt, announced?.at].compactMap { $0 }.max() }
    }

    /// The frames received from a boot: a row of `sensor_boot` and its gaps.
    public struct Stored: Sendable {
        /// One above the highest sequence seen.
        public var next: Int64
        /// Frames stored.
        public var frames: Int64
        /// Frames that arrived again.
        public var duplicates: Int64 = 0
        /// Frames that lie in joined gaps and were not stored.
        public var givenUp: Int64 = 0
        /// The gaps, in order of their sequences.
        public var gaps: [NotedGap] = []
        /// The stream by which the last frame arrived.
        public var stream: String?
        /// The first frame's place in that stream.
        public var first: StreamPosition?
        /// The last frame's place in that stream.
        public var last: StreamPosition?
        /// The time at which the last frame was stored.
        public var lastAt: Timestamp?

        /// That many stored frames, without gaps.
        public init(next: Int64, frames: Int64) {
            self.next = next
            self.frames = frames
        }
    }

    /// A gap and the time at which it was recorded.
    public struct NotedGap: Sendable {
        /// The gap, with the cause stored in the database.
        public var gap: SequenceGap
        /// The time at which the gap was recorded, by the database's clock.
        public var at: Timestamp

        /// A gap that was recorded at that time.
        public init(_ gap: SequenceGap, at: Timestamp) {
            self.gap = gap
            self.at = at
        }
    }

    /// A hole of a stream and the time at which it was recorded.
    public struct NotedHole: Sendable {
        /// The hole.
        public var hole: StreamGap
        /// The time at which the hole was recorded, by the database's clock.
        public var at: Timestamp

        /// A hole that was recorded at that time.
        public init(_ hole: StreamGap, at: Timestamp) {
            self.hole = hole
            self.at = at
        }
    }

    /// A sensor's announcements of a boot.
    public struct Announced: Sendable {
        /// The number of frames that the sensor had produced at its last announcement.
        public var next: Int64
        /// The age of the last announcement.
        public var age: Duration
        /// The number of frames that the sensor had produced at an earlier announcement.
        public var earlierNext: Int64 = 0
        /// The age of the earlier announcement; nil: there was none.
        public var earlierAge: Duration?
        /// The number of frames that the sensor reported as dropped.
        public var dropped: Int64 = 0
        /// Whether the sensor announced that it stopped.
        public var isStopped = false
        /// The time of the first announcement.
        public var firstAt: Timestamp
        /// The time of the last announcement.
        public var at: Timestamp

        /// A single announcement of that many frames.
        public init(next: Int64, age: Duration, at: Timestamp) {
            self.next = next
            self.age = age
            self.at = at
            firstAt = at
        }

        /// The number of frames that must have arrived by now.
        func due(_ grace: Duration, isNewest: Bool) -> Int64 {
            if age >= grace || isStopped || !isNewest { return next }
            return earlierAge.map { $0 >= grace } ?? false ? earlierNext : 0
        }
    }

    /// A payload that could not be stored.
    public struct Quarantined: Sendable {
        /// The time of its arrival, by the database's clock.
        public var at: Timestamp
        /// The position in the payload's header, if it could be read. It may be wrong.
        public var position: FramePosition?
        /// The stream by which the payload arrived.
        public var stream: String
        /// The payload's place in that stream.
        public var place: StreamPosition

        /// A payload that arrived at that place of that stream.
        public init(at: Timestamp, position: FramePosition? = nil, stream: String, place: StreamPosition) {
            self.at = at
            self.position = position
            self.stream = stream
            self.place = place
        }
    }

    /// The audit's result for a boot of a sensor.
    public struct BootAudit: Sendable, Equatable {
        /// The boot's number.
        public var boot: Int64
        /// The number of frames that the sensor must have published: as announced, or one above the highest received
        /// sequence.
        public var published: Int64
        /// Frames stored.
        public var stored: Int64
        /// Frames that arrived again and were not stored again.
        public var duplicates: Int64
        /// Frames not stored because they lie in joined gaps.
        public var givenUp: Int64
        /// The missing frames, in order of their sequences. Several entries may have the same range, each with some of
        /// its frames, where it is unknown which ones.
        public var losses: [SequenceGap]

        /// The number of missing frames.
        public var missing: Int64 { losses.saturatingSum(\.missing) }
    }

    /// A cause found for a gap that had none.
    public struct Finding: Sendable, Equatable {
        /// The boot's number.
        public var boot: Int64
        /// The gap, with its new cause.
        public var gap: SequenceGap
    }

    /// The results for the boots of a sensor, in order of their numbers.
    /// - Parameters:
    ///   - since: omits boots without a message since then, and losses that were recorded before.
    ///   - grace: the time that announced frames may be in transit.
    public static func audit(_ facts: Facts, since: Timestamp? = nil, grace: Duration = grace) -> [BootAudit] {
        explained(facts, grace).compactMap { boot, items in
            if let since, let heard = boot.heardAt, heard < since { return nil }
            let shown = items.filter { item in
                guard let since, let at = item.at else { return true }
                return at >= since
            }
            let end = items.last { $0.isTail }?.gap.range.upperBound
            return BootAudit(
                boot: boot.boot, published: max(boot.stored?.next ?? 0, end.map { $0 + 1 } ?? 0),
                stored: boot.stored?.frames ?? 0, duplicates: boot.stored?.duplicates ?? 0,
                givenUp: boot.stored?.givenUp ?? 0, losses: shown.flatMap(\.losses))
        }
    }

    /// New causes for gaps that are `late` in the database and whose frames are all explained by other causes. Of
    /// several causes of a gap the one with the most frames.
    public static func findings(_ facts: Facts) -> [Finding] {
        explained(facts, grace).flatMap { boot, items in
            items.compactMap { item in
                guard !item.isTail, item.gap.cause == .late, item.open.isEmpty else { return nil }
                let counts = Dictionary(item.closed.map { ($0.cause, $0.missing) }, uniquingKeysWith: +)
                guard let cause = counts.max(by: { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) })?.key
                else { return nil }
                return Finding(
                    boot: boot.boot, gap: SequenceGap(item.gap.range, missing: item.gap.missing, cause: cause))
            }
        }
    }

    // MARK: the rules

    private static func explained(_ facts: Facts, _ grace: Duration) -> [(boot: Boot, items: [Item])] {
        let boots = facts.boots.sorted { $0.boot < $1.boot }
        var all = boots.enumerated().map { index, boot in
            (boot: boot, items: items(of: boot, isNewest: index == boots.count - 1, grace))
        }
        for index in all.indices { explainEdges(&all, index, facts.holes) }
        explainQuarantined(&all, facts.quarantined)
        for index in all.indices {
            explainDropped(&all[index].items, count: all[index].boot.announced?.dropped ?? 0)
            for item in all[index].items.indices {
                all[index].items[item].close(
                    index < all.count - 1 ? .sensorRestarted : all[index].items[item].gap.cause)
            }
        }
        return all
    }

    /// The gaps, followed by the announced frames that have not arrived (the tail).
    private static func items(of boot: Boot, isNewest: Bool, _ grace: Duration) -> [Item] {
        var items = (boot.stored?.gaps ?? []).map { Item(gap: $0.gap, at: $0.at, isTail: false) }
        let next = boot.stored?.next ?? 0
        let due = boot.announced?.due(grace, isNewest: isNewest) ?? 0
        if due > next { items.append(Item(gap: SequenceGap(next...(due - 1)), at: nil, isTail: true)) }
        for index in items.indices where [.brokerRetention, .streamReset].contains(items[index].gap.cause) {
            items[index].close(items[index].gap.cause)
        }
        return items
    }

    /// Rule 2. Frames before a boot's first frame lie after the last frame of the boot before, and the reverse.
    private static func explainEdges(
        _ all: inout [(boot: Boot, items: [Item])], _ index: Int, _ holes: [String: [NotedHole]]
    ) {
        let boot = all[index].boot
        let before = index > 0 ? all[index - 1].boot.stored : nil
        let after = index + 1 < all.count ? all[index + 1].boot.stored : nil
        guard let stream = boot.stored?.stream ?? before?.stream ?? after?.stream, let noted = holes[stream] else {
            return
        }
        let known = StreamGaps(noted.map(\.hole))
        // Without an earlier boot, only a hole that was recorded after the boot began can be the cause.
        let sinceFirst = StreamGaps(noted.filter { $0.at >= boot.announced?.firstAt ?? $0.at }.map(\.hole))
        let start = before?.stream == stream ? before?.last : nil
        let end = after?.stream == stream ? after?.first : nil
        let floor = StreamPosition(incarnation: .min, offset: .min)
        for item in all[index].items.indices {
            let cause: LossCause?
            switch (all[index].items[item].isTail, boot.stored) {
            case (true, let stored?): cause = stored.last.flatMap { known.cause(after: $0, before: end) }
            case (true, nil):
                cause =
                    start.map { known.cause(after: $0, before: end) }
                    ?? (boot.announced == nil ? nil : sinceFirst.cause(after: floor, before: end))
            case (false, let stored):
                guard all[index].items[item].gap.range.lowerBound == 0, let first = stored?.first else { continue }
                cause =
                    start.map { known.cause(after: $0, before: first) }
                    ?? (boot.announced == nil ? nil : sinceFirst.cause(after: floor, before: first))
            }
            if let cause { all[index].items[item].close(cause) }
        }
    }

    /// Rule 3.
    private static func explainQuarantined(_ all: inout [(boot: Boot, items: [Item])], _ payloads: [Quarantined]) {
        var rest: [Quarantined] = []
        for payload in payloads.sorted(by: { $0.at < $1.at }) {
            guard let position = payload.position,
                let index = all.firstIndex(where: { $0.boot.boot == position.boot }),
                let item = all[index].items.firstIndex(where: { $0.holds(position.sequence) })
            else {
                rest.append(payload)
                continue
            }
            all[index].items[item].close(position.sequence, .quarantined)
        }
        for payload in rest {
            // In the boot that was running then; otherwise in any boot with a missing frame.
            let running = all.lastIndex { boot, _ in
                boot.stored?.stream == payload.stream && boot.stored?.first.map { $0 <= payload.place } ?? false
            }
            for index in [running].compactMap({ $0 }) + all.indices.reversed() {
                if explainOne(&all[index].items, payload.at) { break }
            }
        }
    }

    /// Attributes one missing frame to the payload: in the first gap that was recorded at its arrival or later,
    /// otherwise in the tail, otherwise in the oldest gap.
    private static func explainOne(_ items: inout [Item], _ at: Timestamp) -> Bool {
        let open = items.indices.filter { !items[$0].open.isEmpty }
        let next = open.filter { items[$0].at.map { $0 >= at } ?? false }
            .min { (items[$0].at ?? at, $0) < (items[$1].at ?? at, $1) }
        guard let index = next ?? open.last(where: { items[$0].isTail }) ?? open.first else { return false }
        items[index].close(1, of: .quarantined)
        return true
    }

    /// Rule 4.
    private static func explainDropped(_ items: inout [Item], count: Int64) {
        var left = count
        for index in items.indices where items[index].openCount <= left {
            left -= items[index].openCount
            items[index].close(.droppedAtSource)
        }
        for index in items.indices where left > 0 {
            let taken = min(left, items[index].openCount)
            items[index].close(taken, of: .droppedAtSource)
            left -= taken
        }
    }

    /// A gap or a tail, divided into explained and unexplained frames.
    private struct Item {
        let gap: SequenceGap
        let at: Timestamp?
        let isTail: Bool
        var open: [SequenceGap]
        var closed: [SequenceGap] = []

        init(gap: SequenceGap, at: Timestamp?, isTail: Bool) {
            self.gap = gap
            self.at = at
            self.isTail = isTail
            open = [gap]
        }

        var openCount: Int64 { open.saturatingSum(\.missing) }

        func holds(_ sequence: Int64) -> Bool { open.contains { $0.range.contains(sequence) } }

        /// Attributes all open frames to this cause.
        mutating func close(_ cause: LossCause) {
            // Late frames stay open for other rules, and are listed as well.
            if cause == .late { return }
            closed += open.map { SequenceGap($0.range, missing: $0.missing, cause: cause) }
            open = []
        }

        /// Attributes that many of the open frames, without knowing which, to this cause.
        mutating func close(_ count: Int64, of cause: LossCause) {
            var left = count
            while left > 0, let first = open.first {
                let taken = min(left, first.missing)
                closed.append(SequenceGap(first.range, missing: taken, cause: cause))
                left -= taken
                if taken == first.missing { open.removeFirst() } else { open[0].missing -= taken }
            }
        }

        /// Attributes the frame with that sequence to this cause.
        mutating func close(_ sequence: Int64, _ cause: LossCause) {
            guard let index = open.firstIndex(where: { $0.range.contains(sequence) }) else { return }
            let piece = open[index]
            if piece.isJoined {
                closed.append(SequenceGap(piece.range, missing: 1, cause: cause))
                if piece.missing == 1 { open.remove(at: index) } else { open[index].missing -= 1 }
                return
            }
            closed.append(SequenceGap(sequence...sequence, cause: cause))
            var rest: [SequenceGap] = []
            let (low, high) = (piece.range.lowerBound, piece.range.upperBound)
            if low < sequence { rest.append(SequenceGap(low...(sequence - 1))) }
            if sequence < high { rest.append(SequenceGap((sequence + 1)...high)) }
            open.replaceSubrange(index...index, with: rest)
        }

        /// The losses in order of their sequences; neighbours with the same cause are merged.
        var losses: [SequenceGap] {
            let rest = open.map { SequenceGap($0.range, missing: $0.missing, cause: .late) }
            let parts = (closed + rest).sorted {
                ($0.range.lowerBound, $0.range.upperBound, $0.cause.rawValue)
                    < ($1.range.lowerBound, $1.range.upperBound, $1.cause.rawValue)
            }
            var losses: [SequenceGap] = []
            for part in parts {
                if let last = losses.last, last.cause == part.cause {
                    if last.range == part.range {
                        losses[losses.count - 1].missing += part.missing
                        continue
                    }
                    if !last.isJoined, !part.isJoined, last.range.upperBound + 1 == part.range.lowerBound {
                        losses[losses.count - 1] = SequenceGap(
                            last.range.lowerBound...part.range.upperBound, cause: part.cause)
                        continue
                    }
                }
                losses.append(part)
            }
            return losses
        }
    }
}
