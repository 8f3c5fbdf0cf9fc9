internal import Control
internal import Foundation

/// A progress line on stderr that is redrawn in place; not shown unless stderr is a terminal.
struct ProgressBar {
    /// Maximum length of the line in characters, so that it fits a terminal of 80 columns.
    static let columns = 79
    private static let cells = 20
    private static let interval: Duration = .milliseconds(100)

    private let isWanted: Bool
    private let title: String
    private let start = ContinuousClock.now
    private var drawnAt: ContinuousClock.Instant
    private var isDrawn = false

    /// A progress bar with this title.
    init(_ title: String) {
        self.title = title
        isWanted = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
        drawnAt = start
    }

    /// Draws the progress of a command to many sensors.
    mutating func show(_ rollout: Rollout) {
        let counts = CommandOutcome.allCases.compactMap { outcome in
            rollout.counts[outcome].map { (outcome.rawValue, $0) }
        }
        show(of: rollout.count, ended: rollout.ended, open: rollout.open, counts: counts)
    }

    /// Draws the line, unless it was drawn within the last 100 ms.
    mutating func show(of count: Int, ended: Int, open: Int, counts: [(word: String, count: Int)]) {
        guard isWanted, drawnAt.duration(to: .now) >= Self.interval else { return }
        drawnAt = .now
        isDrawn = true
        let line = Self.line(title, of: count, ended: ended, open: open, counts: counts, start.duration(to: .now))
        write("\r\(line)\u{1B}[K")
    }

    /// Erases the line.
    mutating func clear() {
        if isDrawn { write("\r\u{1B}[K") }
        isDrawn = false
    }

    /// The line's text: "sleep [#####...............] 25/100  succeeded 24  rejected 1  open 10  3s".
    static func line(
        _ title: String, of count: Int, ended: Int, open: Int, counts: [(word: String, count: Int)],
        _ elapsed: Duration
    ) -> String {
        let full = count == 0 ? 0 : cells * ended / count
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: cells - full)
        var parts = ["\(title) [\(bar)] \(ended)/\(count)"]
        parts += counts.map { "\($0.word) \($0.count)" }
        if open > 0 { parts.append("open \(open)") }
        parts.append(elapsed.short)
        return String(parts.joined(separator: "  ").prefix(columns))
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
