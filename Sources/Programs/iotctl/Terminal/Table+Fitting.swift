extension Table {
    /// A column as it is shown.
    struct Shown {
        /// Its place among all columns of the table.
        let column: Int
        /// Its width in characters.
        var width: Int
        /// Whether the brief texts are shown.
        var isBrief = false
    }

    /// Minimum width that a text is cut to, in characters.
    private static let cutMin = 8
    /// Width below which a text that loses its end is not cut while there is a column to leave out.
    private static let endComfortable = 16
    /// The same for a text that loses its middle.
    private static let middleComfortable = 24

    /// The columns that are shown, from left to right.
    ///
    /// If they do not fit, ids and times are shortened, from the right. Then expendable columns are left out, until
    /// what remains fits with texts of a comfortable width. At last texts are cut, names after others.
    /// - Parameter room: characters a line; nil: no limit.
    func shown(_ lines: [[Cell]], wide: Bool, in room: Int?) -> [Shown] {
        var shown = columns.indices.filter { wide || !columns[$0].isWide }.map { index in
            Shown(column: index, width: lines.reduce(0) { max($0, $1[index].text.width) })
        }
        guard let room else { return shown }
        for place in shown.indices.reversed() where Self.width(shown) > room {
            let width = lines.reduce(0) { max($0, $1[shown[place].column].brief.width) }
            guard width < shown[place].width else { continue }
            (shown[place].width, shown[place].isBrief) = (width, true)
        }
        for title in expendable where comfortableWidth(shown) > room {
            shown.removeAll { columns[$0.column].title == title }
        }
        cut(&shown, .end, to: room)
        cut(&shown, .middle, to: room)
        return shown
    }

    /// Narrows the columns that give way in that manner, the widest first, until the lines fit.
    private func cut(_ shown: inout [Shown], _ give: Column.Give, to room: Int) {
        var excess = Self.width(shown) - room
        while excess > 0 {
            let places = shown.indices.filter { place in
                let column = columns[shown[place].column]
                return column.give == give && shown[place].width > max(Self.cutMin, column.title.width)
            }
            guard let widest = places.max(by: { shown[$0].width < shown[$1].width }) else { return }
            shown[widest].width -= 1
            excess -= 1
        }
    }

    private func comfortableWidth(_ shown: [Shown]) -> Int {
        Self.width(
            shown.map { place in
                let column = columns[place.column]
                var place = place
                switch column.give {
                case .none: break
                case .end: place.width = min(place.width, max(Self.endComfortable, column.title.width))
                case .middle: place.width = min(place.width, max(Self.middleComfortable, column.title.width))
                }
                return place
            })
    }

    /// Characters of a line.
    private static func width(_ shown: [Shown]) -> Int {
        shown.reduce(0) { $0 + $1.width } + 2 * max(0, shown.count - 1)
    }
}
