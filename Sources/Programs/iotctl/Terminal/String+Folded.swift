extension String {
    /// The text in lines of at most `width` characters, broken between words; a longer word has a line of its own.
    /// - Parameter width: nil: the text stays on one line.
    func folded(to width: Int?) -> String {
        guard let width else { return self }
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.width + 1 + String(word).width <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines.joined(separator: "\n")
    }
}
