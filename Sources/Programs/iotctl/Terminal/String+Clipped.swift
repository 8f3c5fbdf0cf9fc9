extension String {
    /// The first `width` characters. Sequences for colours (ESC [ … m) are not counted, and all of them are kept.
    func clipped(to width: Int) -> String {
        var clipped = ""
        var shown = 0
        var isSequence = false
        for character in self {
            if character == "\u{1B}" { isSequence = true }
            if isSequence {
                clipped.append(character)
                if character == "m" { isSequence = false }
            } else if shown < width {
                clipped.append(character)
                shown += 1
            }
        }
        return clipped
    }
}
