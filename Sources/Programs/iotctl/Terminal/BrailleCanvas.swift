/// A canvas of dots that is printed in braille characters: 2 × 4 dots in each.
struct BrailleCanvas {
    /// Dots per character.
    static let dotsAcross = 2
    /// Dots per character.
    static let dotsDown = 4
    /// The bits of the dots in a character, by row and column.
    private static let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

    /// Width in dots.
    let width: Int
    /// Height in dots.
    let height: Int
    private let columns: Int
    private var cells: [UInt32]

    /// An empty canvas of that many characters.
    init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        let rows = max(0, rows)
        width = self.columns * Self.dotsAcross
        height = rows * Self.dotsDown
        cells = Array(repeating: 0, count: self.columns * rows)
    }

    /// Sets the dot at column `x` from the left and row `y` from the top; nothing outside of the canvas.
    mutating func set(_ x: Int, _ y: Int) {
        guard (0..<width).contains(x), (0..<height).contains(y) else { return }
        cells[y / Self.dotsDown * columns + x / Self.dotsAcross] |=
            Self.bits[y % Self.dotsDown][x % Self.dotsAcross]
    }

    /// Sets the dots of column `x` from `first` to `last`, in any order.
    mutating func fill(_ x: Int, _ first: Int, _ last: Int) {
        let range = max(0, min(first, last))...max(0, min(height, max(first, last)))
        for y in range { set(x, y) }
    }

    /// Sets the dots of a straight line without holes.
    mutating func line(from start: (x: Int, y: Int), to end: (x: Int, y: Int)) {
        let steps = max(abs(end.x - start.x), abs(end.y - start.y))
        guard steps > 0 else { return set(start.x, start.y) }
        for step in 0...steps {
            let share = Double(step) / Double(steps)
            set(
                start.x + Int((Double(end.x - start.x) * share).rounded()),
                start.y + Int((Double(end.y - start.y) * share).rounded()))
        }
    }

    /// The rows of characters from the top; a character without dots is a blank.
    var rows: [String] {
        stride(from: 0, to: cells.count, by: max(1, columns)).map { start in
            String(
                cells[start..<start + columns].map { bits -> Character in
                    bits == 0 ? " " : Unicode.Scalar(0x2800 + bits).map { Character($0) } ?? " "
                })
        }
    }
}
