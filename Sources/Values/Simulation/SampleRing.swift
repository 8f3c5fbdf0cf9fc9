internal import Model
internal import Time

/// A piece of a ring: samples of all channels that were taken one after the other.
struct RecordedPiece: Sendable, Equatable {
    /// The number of its first sample among all that were recorded.
    var first: Int64
    /// When that was taken.
    var start: Timestamp
    var rate: SampleRate
    /// One element for each channel.
    var samples: [Samples]

    /// The number of samples of each channel.
    var count: Int { samples.first?.count ?? 0 }
    /// The numbers of its samples.
    var numbers: Range<Int64> { first..<first + Int64(count) }

    func time(of number: Int64) -> Timestamp {
        start.advanced(byNanoseconds: rate.nanoseconds(toSample: number - first))
    }

    /// The part with these numbers, which it has.
    func slice(_ numbers: Range<Int64>) -> RecordedPiece {
        let range = Int(numbers.lowerBound - first)..<Int(numbers.upperBound - first)
        return RecordedPiece(
            first: numbers.lowerBound, start: time(of: numbers.lowerBound), rate: rate,
            samples: samples.map { $0.slice(range) })
    }
}

/// The newest samples of a sensor, as many as fit into a span of time and a number of bytes: the oldest pieces go first.
struct SampleRing: Sendable {
    /// Bytes counted for a piece and for each channel of it, besides the samples.
    static let overhead = (piece: 160, channel: 48)

    /// The samples of all channels from the oldest to the newest. Pieces that are older than this end at the newest sample
    /// leave the ring.
    let nanosecondsMax: Int64
    let bytesMax: Int
    private(set) var bytes = 0
    private var pieces: [Held] = []
    private var head = 0

    private struct Held: Sendable {
        var piece: RecordedPiece
        /// The numbers of its samples that no capture has taken.
        var left: [Range<Int64>]
        var bytes: Int
    }

    init(nanosecondsMax: Int64, bytesMax: Int) {
        self.nanosecondsMax = nanosecondsMax
        self.bytesMax = bytesMax
    }

    /// The number of pieces.
    var count: Int { pieces.count - head }

    /// Adds the newest samples, which are kept whatever their size, and drops the oldest.
    mutating func append(_ piece: RecordedPiece) {
        let size = Self.bytes(of: piece)
        pieces.append(Held(piece: piece, left: [piece.numbers], bytes: size))
        bytes += size
        let newest = piece.time(of: piece.numbers.upperBound - 1)
        while count > 1 {
            let oldest = pieces[head]
            let end = oldest.piece.time(of: oldest.piece.numbers.upperBound - 1)
            guard bytes > bytesMax || newest.nanoseconds(since: end) >= nanosecondsMax else { break }
            bytes -= oldest.bytes
            pieces[head].piece.samples = []
            head += 1
        }
        if head > 64, head * 2 > pieces.count {
            pieces.removeFirst(head)
            head = 0
        }
    }

    /// Drops everything.
    mutating func removeAll() { self = SampleRing(nanosecondsMax: nanosecondsMax, bytesMax: bytesMax) }

    /// The number and time of the oldest sample that was taken at `time` or later; nil if there is none.
    func first(from time: Timestamp) -> (number: Int64, time: Timestamp)? {
        for held in pieces[head...] {
            let piece = held.piece
            guard piece.time(of: piece.numbers.upperBound - 1) >= time else { continue }
            let skipped = piece.start >= time ? 0 : piece.rate.samples(within: time.nanoseconds(since: piece.start) - 1)
            let number = min(piece.first + skipped, piece.numbers.upperBound - 1)
            return (number, piece.time(of: number))
        }
        return nil
    }

    /// Takes the samples with these numbers that were not taken before, oldest first. They stay in the ring.
    mutating func take(_ wanted: Range<Int64>) -> [RecordedPiece] {
        var taken: [RecordedPiece] = []
        for index in head..<pieces.count where pieces[index].piece.numbers.overlaps(wanted) {
            var left: [Range<Int64>] = []
            for range in pieces[index].left {
                let part = range.clamped(to: wanted)
                if part.isEmpty {
                    left.append(range)
                    continue
                }
                taken.append(pieces[index].piece.slice(part))
                if range.lowerBound < part.lowerBound { left.append(range.lowerBound..<part.lowerBound) }
                if part.upperBound < range.upperBound { left.append(part.upperBound..<range.upperBound) }
            }
            pieces[index].left = left
        }
        return taken
    }

    private static func bytes(of piece: RecordedPiece) -> Int {
        piece.samples.reduce(overhead.piece) { sum, samples in
            let width =
                switch samples {
                case .floats: 4
                case .counts: 2
                case .value: 8
                }
            return sum + overhead.channel + width * samples.count
        }
    }
}
