/// Which frames of a sensor are missing, and why: a pure function of what the database knows.
///
/// In this order, each with what the ones before have left open:
/// 1. the ingester's own causes, a hole of the stream between two frames of the boot;
/// 2. a hole of the stream at the edge of the boot: before its first frame, behind its last, over all of it;
/// 3. quarantined payloads, by their numbers where those could be read, otherwise one missing frame for each;
/// 4. frames that the sensor says it has dropped: whole gaps first, the oldest first;
/// 5. the sensor has begun anew;
/// 6. what the database was told before, or else `late`.
public enum LossAudit {
    /// How long what is announced may be on its way before it counts as missing.
    public static let grace: Duration = .seconds(10)

    /// What the database knows of a sensor.
    public struct Facts: Sendable {
        /// All starts of it.
        public var boots: [Boot] = []
        /// Its payloads that came by a stream and could not be stored.
        public var quarantined: [Quarantined] = []
        /// The holes of streams, by stream.
        public var holes: [String: [NotedHole]] = [:]

        /// Nothing.
        public init() {}
    }

    /// A start of a sensor.
    public struct Boot: Sendable {
        /// Its number; it grows.
        public var boot: Int64
        /// What has come of it; nil: nothing.
        public var stored: Stored?
        /// What the sensor said of it; nil: nothing.
        public var announced: Announced?

        /// A start of which nothing has come and nothing was said.
        public init(boot: Int64, stored: Stored? = nil, announced: Announced? = nil) {
            self.boot = boot
            self.stored = stored
            self.announced = announced
        }

        fileprivate var heardAt: Timestamp? { [stored?.lastAt, announced?.at].compactMap { $0 }.max() }
    }

    /// What has come of a start: a row of `sensor_boot` and its gaps.
    public struct Stored: Sendable {
        /// One above the highest sequence seen.
        public var next: Int64
        /// Frames stored.
        public var frames: Int64
        /// Frames that came again.
        public var duplicates: Int64 = 0
        /// Frames that lie in joined gaps and were not stored.
        public var givenUp: Int64 = 0
        /// By sequence.
        public var gaps: [NotedGap] = []
        /// The stream that its last frame came by.
        public var stream: String?
        /// The place of its first frame there.
        public var first: StreamPlace?
        /// The place of its last frame there.
        public var last: StreamPlace?
        /// When its last frame was stored.
        public var lastAt: Timestamp?

        /// So many frames, without gaps.
        public init(next: Int64, frames: Int64) {
            self.next = next
            self.frames = frames
        }
    }

    /// A gap, and when it was noted.
    public struct NotedGap: Sendable {
        /// The gap, with the cause that the database has.
        public var gap: SequenceGap
        /// By the database's clock.
        public var at: Timestamp

        /// That gap, noted then.
        public init(_ gap: SequenceGap, at: Timestamp) {
            self.gap = gap
            self.at = at
        }
    }

    /// A hole of a stream, and when it was noted.
    public struct NotedHole: Sendable {
        /// The hole.
        public var hole: StreamHole
        /// By the database's clock.
        public var at: Timestamp

        /// That hole, noted then.
        public init(_ hole: StreamHole, at: Timestamp) {
            self.hole = hole
            self.at = at
        }
    }

    /// What a sensor said of a start of it.
    public struct Announced: Sendable {
        /// Frames that it had made.
        public var next: Int64
        /// How long ago it said so.
        public var age: Duration
        /// Frames that it had made at an announcement before.
        public var earlierNext: Int64 = 0
        /// How long ago that was.
        public var earlierAge: Duration?
        /// Frames that it has dropped.
        public var dropped: Int64 = 0
        /// Whether it said good-bye.
        public var isStopped = false
        /// When it first said anything.
        public var firstAt: Timestamp
        /// When it last said anything.
        public var at: Timestamp

        /// So many frames, said once.
        public init(next: Int64, age: Duration, at: Timestamp) {
            self.next = next
            self.age = age
            self.at = at
            firstAt = at
        }

        /// Frames that ought to have arrived.
        func due(_ grace: Duration, isNewest: Bool) -> Int64 {
            if age >= grace || isStopped || !isNewest { return next }
            return earlierAge.map { $0 >= grace } ?? false ? earlierNext : 0
        }
    }

    /// A payload that could not be stored.
    public struct Quarantined: Sendable {
        /// When that was, by the database's clock.
        public var at: Timestamp
        /// What its header says, if that could be read. It may be wrong.
        public var position: FramePosition?
        /// The stream that it came by.
        public var stream: String
        /// Its place there.
        public var place: StreamPlace

        /// That payload.
        public init(at: Timestamp, position: FramePosition? = nil, stream: String, place: StreamPlace) {
            self.at = at
            self.position = position
            self.stream = stream
            self.place = place
        }
    }

    /// What became of a start of a sensor.
    public struct Result: Sendable, Equatable {
        /// The start.
        public var boot: Int64
        /// Frames that there must be: as announced, or one above the highest that came.
        public var published: Int64
        /// Frames stored.
        public var stored: Int64
        /// Frames that came again and were not stored again.
        public var duplicates: Int64
        /// Frames not stored because they lie in joined gaps.
        public var givenUp: Int64
        /// What is missing, by sequence. Several may have the same range, each with some of its frames, where nobody
        /// knows which.
        public var losses: [SequenceGap]

        /// Frames missing.
        public var missing: Int64 { losses.saturatingSum(\.missing) }
    }

    /// A cause for a gap that had none.
    public struct Finding: Sendable, Equatable {
        /// The start.
        public var boot: Int64
        /// The gap, with its new cause.
        public var gap: SequenceGap
    }

    /// What became of the starts of a sensor, by their numbers.
    /// - Parameters:
    ///   - since: leaves out starts that were not heard of since then, and losses that were noted before.
    ///   - grace: how long what is announced may be on its way.
    public static func audit(_ facts: Facts, since: Timestamp? = nil, grace: Duration = grace) -> [Result] {
        explained(facts, grace).compactMap { boot, items in
            if let since, let heard = boot.heardAt, heard < since { return nil }
            let shown = items.filter { item in
                guard let since, let at = item.at else { return true }
                return at >= since
            }
            let end = items.last { $0.isTail }?.gap.range.upperBound
            return Result(
                boot: boot.boot, published: max(boot.stored?.next ?? 0, end.map { $0 + 1 } ?? 0),
                stored: boot.stored?.frames ?? 0, duplicates: boot.stored?.duplicates ?? 0,
                givenUp: boot.stored?.givenUp ?? 0, losses: shown.flatMap(\.losses))
        }
    }

    /// Causes of gaps that are `late` in the database, and are known to be something else for all of their frames. Of
    /// several causes the one with the most frames.
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

    /// Gaps, and behind them what was announced and has not come.
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

    /// Rule 2. What lies before the first frame of a boot lies behind the last one of the boot before, and the reverse.
    private static func explainEdges(
        _ all: inout [(boot: Boot, items: [Item])], _ index: Int, _ holes: [String: [NotedHole]]
    ) {
        let boot = all[index].boot
        let before = index > 0 ? all[index - 1].boot.stored : nil
        let after = index + 1 < all.count ? all[index + 1].boot.stored : nil
        guard let stream = boot.stored?.stream ?? before?.stream ?? after?.stream, let noted = holes[stream] else {
            return
        }
        let known = StreamHoles(noted.map(\.hole))
        // Without a boot before, only what was noted after the boot began can be it.
        let sinceFirst = StreamHoles(noted.filter { $0.at >= boot.announced?.firstAt ?? $0.at }.map(\.hole))
        let start = before?.stream == stream ? before?.last : nil
        let end = after?.stream == stream ? after?.first : nil
        let floor = StreamPlace(incarnation: .min, offset: .min)
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
            // In the boot that was running then; or else wherever one is missing.
            let running = all.lastIndex { boot, _ in
                boot.stored?.stream == payload.stream && boot.stored?.first.map { $0 <= payload.place } ?? false
            }
            for index in [running].compactMap({ $0 }) + all.indices.reversed() {
                if explainOne(&all[index].items, payload.at) { break }
            }
        }
    }

    /// One missing frame is that payload: of the first gap that was noted when it came or later, or of the tail, or of
    /// the oldest gap.
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

    /// A gap or a tail, and how much of it is explained.
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

        /// All that is open has this cause.
        mutating func close(_ cause: LossCause) {
            // What is late stays open for whoever asks, and is listed all the same.
            if cause == .late { return }
            closed += open.map { SequenceGap($0.range, missing: $0.missing, cause: cause) }
            open = []
        }

        /// So many of what is open, nobody knows which, have this cause.
        mutating func close(_ count: Int64, of cause: LossCause) {
            var left = count
            while left > 0, let first = open.first {
                let taken = min(left, first.missing)
                closed.append(SequenceGap(first.range, missing: taken, cause: cause))
                left -= taken
                if taken == first.missing { open.removeFirst() } else { open[0].missing -= taken }
            }
        }

        /// This frame has this cause.
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

        /// By sequence, neighbours of the same cause as one.
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
