internal import Foundation

/// The terminal that stdout goes to.
enum Screen {
    /// The terminal's size in characters.
    struct Size: Sendable, Equatable {
        /// Characters per line.
        var columns: Int
        var rows: Int

        /// The size of a terminal that does not report one.
        static let standard = Size(columns: 80, rows: 24)
    }

    /// The terminal's size; nil if stdout is not a terminal.
    static var size: Size? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var window = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return .standard
        }
        return Size(columns: Int(window.ws_col), rows: Int(window.ws_row))
    }

    /// Runs `body` with the full screen, and restores the terminal afterwards, also after an error.
    ///
    /// Keys are not echoed and can be read at once; Ctrl-C still interrupts.
    static func withFullScreen(_ body: () async throws -> Void) async throws {
        var before = termios()
        let isTyped = unsafe tcgetattr(STDIN_FILENO, &before) == 0
        if isTyped {
            var raw = before
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
            // VMIN and VTIME: a read returns the available bytes without waiting.
            raw.c_cc.6 = 0
            raw.c_cc.5 = 0
            _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        defer {
            try? Out.write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
            if isTyped { _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &before) }
        }
        // Alternate screen, no cursor, no wrapping of long lines.
        try Out.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
        try await body()
    }

    /// Replaces the contents of the full screen.
    static func show(_ lines: [String]) throws {
        try Out.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// The keys typed since the last call, within `withFullScreen`; none if stdin is not a terminal.
    static func typedKeys() -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe read(STDIN_FILENO, &bytes, bytes.count)
        return count > 0 ? Array(bytes.prefix(count)) : []
    }
}
