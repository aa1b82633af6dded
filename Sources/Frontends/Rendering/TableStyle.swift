// How rows in columns look, and how much of them there is room for.

package struct TableStyle: Sendable {
    package enum Border: String, Sendable, CaseIterable { case ascii, unicode }

    /// Narrower than this no column is made.
    private static let columnWidthMin = 8

    package var border = Border.ascii
    package var nullText = ""
    package var title: String?
    /// In place of the number of rows.
    package var footer: String?
    /// Columns of characters that a line may have; `nil` is as many as it takes.
    package var columnsMax: Int?
    /// Rows that are shown; the rest are counted.
    package var rowsMax: Int?
    /// Whether rows that are too wide are shown one value a line.
    package var expandsWideRows = false

    package init() {}

    /// Takes the terminal's width unless there is a limit already, and its characters.
    package mutating func fit(toTerminal width: Int) {
        if columnsMax == nil { columnsMax = width }
    }

    /// Widths that fit, and how many of the columns from the left have a place at all.
    func fitted(_ widths: [Int], isCuttable: [Bool]) -> (widths: [Int], shown: Int, isCut: Bool) {
        guard let columnsMax else { return (widths, widths.count, false) }
        var widths = widths
        // A blank on both sides of each, and a line between.
        func total(_ count: Int) -> Int { widths[..<count].reduce(0) { $0 + $1 + 3 } - 1 }
        var isCut = false
        // The widest text gives way first, down to the next one.
        while total(widths.count) > columnsMax {
            let candidates = widths.indices.filter { isCuttable[$0] && widths[$0] > Self.columnWidthMin }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            let others = candidates.filter { $0 != widest }.map { widths[$0] }.max() ?? Self.columnWidthMin
            let excess = total(widths.count) - columnsMax
            let step = max(1, min(excess, widths[widest] - others))
            widths[widest] = max(Self.columnWidthMin, widths[widest] - step)
            isCut = true
        }
        var shown = widths.count
        // A column of dots says that there are more.
        while shown > 1, total(shown) + (shown < widths.count ? 4 : 0) > columnsMax { shown -= 1 }
        return (widths, shown, isCut)
    }
}
