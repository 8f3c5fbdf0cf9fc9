internal import Foundation
internal import Pipelines

/// A line on stderr that shows how far something is, drawn over and over; nothing at all unless that is a terminal.
struct ProgressBar {
    /// Most characters of the line, so that it fits a terminal of 80 columns.
    static let columns = 79
    private static let cells = 20
    private static let interval: Duration = .milliseconds(100)

    private let isWanted: Bool
    private let title: String
    private let start = ContinuousClock.now
    private var drawnAt: ContinuousClock.Instant
    private var isDrawn = false

    /// One that shows this title.
    init(_ title: String) {
        self.title = title
        isWanted = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
        drawnAt = start
    }

    /// Draws how far a command has come.
    mutating func show(_ rollout: Rollout) {
        let counts = CommandOutcome.allCases.compactMap { outcome in
            rollout.counts[outcome].map { (outcome.rawValue, $0) }
        }
        show(of: rollout.count, ended: rollout.ended, open: rollout.open, counts: counts)
    }

    /// Draws it, if it was not drawn just now.
    mutating func show(of count: Int, ended: Int, open: Int, counts: [(word: String, count: Int)]) {
        guard isWanted, drawnAt.duration(to: .now) >= Self.interval else { return }
        drawnAt = .now
        isDrawn = true
        let line = Self.line(title, of: count, ended: ended, open: open, counts: counts, start.duration(to: .now))
        write("\r\(line)\u{1B}[K")
    }

    /// Takes it away.
    mutating func clear() {
        if isDrawn { write("\r\u{1B}[K") }
        isDrawn = false
    }

    /// "sleep [#####...............] 25/100  succeeded 24  rejected 1  open 10  3s"
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
