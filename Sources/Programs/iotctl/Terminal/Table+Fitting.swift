extension Table {
    /// Width in characters below which a long text is not cut while there is another column to drop.
    private static let longComfortable = 16

    /// This table without as many columns as do not fit, dropped in the given order. A long text keeps 16 characters.
    /// - Parameters:
    ///   - width: the width to fit, in characters.
    ///   - titles: the titles of the columns that may be dropped, the least important first.
    func fitted(to width: Int, dropping titles: [String]) -> Table {
        var table = self
        for title in titles where table.comfortableWidth > width {
            guard let index = table.columns.firstIndex(where: { $0.title == title }) else { continue }
            table.columns.remove(at: index)
            for row in table.rows.indices { table.rows[row].remove(at: index) }
        }
        return table
    }

    private var comfortableWidth: Int {
        let widths = columns.indices.filter { !columns[$0].isWide }.map { index in
            let needed = rows.reduce(columns[index].title.count) { max($0, $1[index].text.count) }
            return columns[index].isLong ? min(needed, max(Self.longComfortable, columns[index].title.count)) : needed
        }
        return widths.reduce(0, +) + 2 * max(0, widths.count - 1)
    }
}
