/// The state of `iotctl top` that keys change. Pure.
struct TopControls: Sendable, Equatable {
    /// The longest filter, in characters.
    static let filterMax = 64

    /// The number of sensors above the first that is shown.
    private(set) var offset = 0
    /// Only sensors and alarms with this text are shown; empty: all.
    private(set) var filter = ""
    /// Whether keys change the filter.
    private(set) var isTyping = false
    /// Whether the user has asked to end.
    private(set) var hasQuit = false

    /// Applies a key.
    /// - Parameters:
    ///   - page: the number of sensors that are shown at once.
    ///   - count: the number of sensors that match the filter.
    mutating func handle(_ key: Key, page: Int, count: Int) {
        if isTyping { return edit(key) }
        let last = max(0, count - page)
        let present = min(offset, last)
        switch key {
        case .up: offset = max(0, present - 1)
        case .down: offset = min(last, present + 1)
        case .pageUp: offset = max(0, present - max(1, page))
        case .pageDown: offset = min(last, present + max(1, page))
        case .home: offset = 0
        case .end: offset = last
        case .escape: setFilter("")
        case .character("/"): isTyping = true
        case .character("q"), .character("Q"): hasQuit = true
        case .character, .enter, .backspace: break
        }
    }

    private mutating func edit(_ key: Key) {
        switch key {
        case .character(let character) where filter.count < Self.filterMax: setFilter(filter + String(character))
        case .backspace: setFilter(String(filter.dropLast()))
        case .escape:
            setFilter("")
            isTyping = false
        case .enter: isTyping = false
        case .character, .up, .down, .pageUp, .pageDown, .home, .end: break
        }
    }

    private mutating func setFilter(_ text: String) {
        filter = text
        offset = 0
    }
}
