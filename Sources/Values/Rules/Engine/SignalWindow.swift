internal import Signals

/// The window of one condition: sums and filters, no samples.
struct SignalWindow: Sendable, Equatable {
    /// What it holds.
    enum Memory: Equatable {
        case nothing
        case band(BandLevel)
        case moments(MomentWindow)
        case velocity(ParticleVelocity)
    }

    var memory = Memory.nothing
    /// The number of the frame that was added last.
    var frame: Int64 = 0

    func write(to writer: inout StateWriter) {
        writer.write(frame)
        switch memory {
        case .nothing: writer.bytes.append(0)
        case .band(let level):
            writer.bytes.append(1)
            writer.write(level.words)
        case .moments(let moments):
            writer.bytes.append(2)
            writer.write(moments.words)
        case .velocity(let velocity):
            writer.bytes.append(3)
            writer.write(velocity.words)
        }
    }

    init() {}

    init(from reader: inout StateReader) throws(RuleStateError) {
        frame = try reader.int64()
        switch try reader.byte() {
        case 0: memory = .nothing
        case 1:
            var words = [UInt64](repeating: 0, count: BandLevel.wordCount)
            try reader.read(into: &words)
            guard let level = BandLevel(words: words) else { throw .damaged }
            memory = .band(level)
        case 2:
            var words = [UInt64](repeating: 0, count: MomentWindow.wordCount)
            try reader.read(into: &words)
            guard let moments = MomentWindow(words: words) else { throw .damaged }
            memory = .moments(moments)
        case 3:
            var words = [UInt64](repeating: 0, count: ParticleVelocity.wordCount)
            try reader.read(into: &words)
            guard let velocity = ParticleVelocity(words: words) else { throw .damaged }
            memory = .velocity(velocity)
        default: throw .damaged
        }
    }
}
