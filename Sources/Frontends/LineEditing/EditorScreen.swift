// What the editor shows: lines within the terminal's width, and the bytes that put them there.

/// Everything that is to be seen of the editor at one moment.
package struct EditorView: Sendable {
    package var prompt = ""
    /// In front of every further line of the text.
    package var continuationPrompt = ""
    package var characters: [Character] = []
    package var styles: [TextStyle] = []
    package var cursor = 0
    package var hint = ""
    /// Below the text: the completion menu.
    package var menu: [Completion] = []
    package var selected: Int?

    package init() {}
}

/// Lays a view out and paints it over what was painted before. Knows where it left the cursor, so that it needs no more
/// of the terminal than relative movement and erasing.
package struct EditorScreen {
    private struct Cell: Hashable {
        var text: String
        var width: Int
        var style: TextStyle
    }
    private static let menuRowCountMax = 8

    private let usesColour: Bool
    private var width: Int
    private var height: Int
    /// Of what is painted: the row of the cursor, and the width of every row.
    private var cursorRow = 0
    private var paintedWidths: [Int] = []

    package init(width: Int, height: Int, usesColour: Bool) {
        self.width = max(width, 2)
        self.height = max(height, 1)
        self.usesColour = usesColour
    }

    /// The terminal has another size: rows that it has wrapped take more room now.
    package mutating func resize(width: Int, height: Int) {
        let new = max(width, 2)
        if new < self.width {
            let above = paintedWidths.prefix(cursorRow).reduce(0) { $0 + max(1, ($1 + new - 1) / new) }
            cursorRow = above
        }
        self.width = new
        self.height = max(height, 1)
    }

    /// Nothing is painted any more: the cursor stands at the start of an empty line.
    package mutating func forget() {
        cursorRow = 0
        paintedWidths = []
    }

    /// Bytes that show the view instead of what was shown before.
    package mutating func paint(_ view: EditorView) -> String {
        let (rows, cursor) = layout(view)
        // Of a text that is higher than the terminal, the part around the cursor.
        let first = max(0, min(cursor.row - height / 2, rows.count - height))
        let visible = rows.count <= height ? rows[...] : rows[first..<(first + height)]
        var output = clearCode()
        for (index, row) in visible.enumerated() {
            if index > 0 { output += "\r\n" }
            output += text(of: row)
        }
        let row = cursor.row - visible.startIndex
        let up = visible.count - 1 - row
        if up > 0 { output += "\u{1B}[\(up)A" }
        output += "\r"
        if cursor.column > 0 { output += "\u{1B}[\(cursor.column)C" }
        cursorRow = row
        paintedWidths = visible.map { $0.reduce(0) { $0 + $1.width } }
        return output
    }

    /// Bytes that take away what is shown; the cursor is where it began.
    package mutating func erase() -> String {
        defer { forget() }
        return clearCode()
    }

    /// Bytes that leave the view as it is and put the cursor on the line below it.
    package mutating func leave() -> String {
        defer { forget() }
        let down = paintedWidths.count - 1 - cursorRow
        return (down > 0 ? "\u{1B}[\(down)B" : "") + "\r\n"
    }

    private func clearCode() -> String { (cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : "") + "\r\u{1B}[J" }

    // MARK: - Layout

    private func layout(_ view: EditorView) -> (rows: [[Cell]], cursor: (row: Int, column: Int)) {
        var rows: [[Cell]] = [[]]
        var column = 0
        var cursor = (row: 0, column: 0)
        func put(_ text: String, _ style: TextStyle) {
            let cellWidth = DisplayWidth.columns(text)
            if column + cellWidth > width {
                rows.append([])
                column = 0
            }
            rows[rows.count - 1].append(Cell(text: text, width: cellWidth, style: style))
            column += cellWidth
        }
        func breakLine() {
            rows.append([])
            column = 0
        }
        for character in view.prompt { put(String(character), .prompt) }
        for (index, character) in view.characters.enumerated() {
            if index == view.cursor { cursor = (rows.count - 1, column) }
            if character == "\n" {
                breakLine()
                for character in view.continuationPrompt { put(String(character), .prompt) }
                continue
            }
            let shown = character == "\t" ? " " : Self.isControl(character) ? "?" : String(character)
            put(shown, index < view.styles.count ? view.styles[index] : .plain)
        }
        if view.cursor >= view.characters.count { cursor = (rows.count - 1, column) }
        if usesColour {
            // A hint stays on the line: it is no text.
            for character in view.hint where column + DisplayWidth.columns(String(character)) < width {
                put(String(character), .hint)
            }
        }
        // A cursor behind a full row stands at the start of the next one.
        if cursor.column >= width {
            cursor = (cursor.row + 1, 0)
            if cursor.row == rows.count { rows.append([]) }
        }
        layoutMenu(view, &rows)
        return (rows, cursor)
    }

    private static func isControl(_ character: Character) -> Bool {
        guard let scalar = character.unicodeScalars.first else { return false }
        return scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    }

    /// The completions in columns; the part with the selected one when they are too many.
    private func layoutMenu(_ view: EditorView, _ rows: inout [[Cell]]) {
        guard !view.menu.isEmpty else { return }
        let widest = view.menu.reduce(1) { max($0, DisplayWidth.columns($1.label)) }
        let cellWidth = min(widest + 2, width)
        let perRow = max(1, width / cellWidth)
        let rowCount = (view.menu.count + perRow - 1) / perRow
        let shownCount = min(rowCount, Self.menuRowCountMax, max(1, height - rows.count - 1))
        let selectedRow = (view.selected ?? 0) / perRow
        let firstRow = max(0, min(selectedRow - shownCount / 2, rowCount - shownCount))
        for row in firstRow..<(firstRow + shownCount) {
            var cells: [Cell] = []
            for index in (row * perRow)..<min((row + 1) * perRow, view.menu.count) {
                let label = Self.fitted(view.menu[index].label, cellWidth - 1)
                let style: TextStyle = index == view.selected ? .selected : .plain
                cells.append(Cell(text: label, width: DisplayWidth.columns(label), style: style))
                let blank = index + 1 < min((row + 1) * perRow, view.menu.count) ? cellWidth : 0
                let padding = max(0, blank - DisplayWidth.columns(label))
                cells.append(Cell(text: String(repeating: " ", count: padding), width: padding, style: .plain))
            }
            rows.append(cells)
        }
        if shownCount < rowCount {
            let text = Self.fitted("… \(view.menu.count) in all", width - 1)
            rows.append([Cell(text: text, width: DisplayWidth.columns(text), style: .hint)])
        }
    }

    private static func fitted(_ text: String, _ width: Int) -> String {
        guard DisplayWidth.columns(text) > width else { return text }
        var result = ""
        var used = 1
        for character in text {
            used += DisplayWidth.columns(String(character))
            guard used <= width else { break }
            result.append(character)
        }
        return result + "…"
    }

    private func text(of row: [Cell]) -> String {
        var result = ""
        var style = TextStyle.plain
        for cell in row {
            if usesColour || cell.style == .selected || style == .selected, cell.style != style {
                if style != .plain { result += TextStyle.reset }
                result += cell.style.code
                style = cell.style
            }
            result += cell.text
        }
        if style != .plain { result += TextStyle.reset }
        return result
    }
}
