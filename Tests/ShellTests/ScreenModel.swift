// A terminal's screen as far as the shell uses one: what a person would see of the bytes that a program wrote.

/// Rows of characters with a cursor. Colours are ignored; unknown sequences too.
struct ScreenModel {
    private enum State: Equatable { case ground, escape, sequence(String), ignored }

    private(set) var columns: Int
    private(set) var rows: Int
    private(set) var row = 0
    private(set) var column = 0
    private var cells: [[Character]]
    /// Rows that have left at the top.
    private(set) var scrolledOut: [String] = []
    private var state = State.ground
    private var pending: [UInt8] = []
    /// Behind the last column: the next character goes to the next row.
    private var wraps = false
    private(set) var bellCount = 0

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    /// Everything that was ever shown, without blanks at the ends of rows and without empty rows at the end.
    var text: String {
        var lines = scrolledOut + cells.map(Self.trimmed)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n")
    }
    var visibleLines: [String] { cells.map(Self.trimmed) }
    var cursorLine: String { Self.trimmed(cells[row]) }

    private static func trimmed(_ cells: [Character]) -> String {
        // The second half of a wide character has no text of its own.
        var line = String(cells.filter { $0 != "\0" })
        while line.last == " " { line.removeLast() }
        return line
    }

    mutating func resize(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        cells = cells.map { line in
            Array(line.prefix(columns)) + Array(repeating: " ", count: max(0, columns - line.count))
        }
        while cells.count > rows {
            scrolledOut.append(Self.trimmed(cells.removeFirst()))
            row = max(0, row - 1)
        }
        while cells.count < rows { cells.append(Array(repeating: " ", count: columns)) }
        column = min(column, columns - 1)
        wraps = false
    }

    mutating func feed(_ bytes: [UInt8]) {
        pending += bytes
        // Bytes of a character that is not complete wait.
        var end = pending.count
        var back = 0
        while back < 3, end > 0, pending[end - 1] & 0xC0 == 0x80 {
            end -= 1
            back += 1
        }
        if end > 0, pending[end - 1] >= 0xC0 {
            let lead = pending[end - 1]
            let needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
            end = back + 1 >= needed ? pending.count : end - 1
        } else {
            end = pending.count
        }
        let text = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end)
        for scalar in text.unicodeScalars { take(scalar) }
    }

    private mutating func take(_ scalar: Unicode.Scalar) {
        switch state {
        case .ground: ground(scalar)
        case .escape:
            state = scalar == "[" ? .sequence("") : scalar == "]" ? .ignored : .ground
        case .sequence(let parameters):
            if scalar.value >= 0x40 {
                state = .ground
                perform(parameters, Character(scalar))
            } else {
                state = .sequence(parameters + String(scalar))
            }
        case .ignored: if scalar == "\u{07}" { state = .ground }
        }
    }

    private mutating func ground(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\u{1B}": state = .escape
        case "\r":
            column = 0
            wraps = false
        case "\n": lineFeed()
        case "\u{08}": column = max(0, column - 1)
        case "\u{07}": bellCount += 1
        case "\t": column = min(columns - 1, (column / 8 + 1) * 8)
        case _ where scalar.value < 0x20: break
        default: put(scalar)
        }
    }

    private mutating func put(_ scalar: Unicode.Scalar) {
        let isWide =
            (0x1100...0x115F).contains(scalar.value) || (0x2E80...0xFFDC).contains(scalar.value)
            || (0x1F300...0x1FAFF).contains(scalar.value)
        let isMark = scalar.properties.generalCategory == .nonspacingMark
        if isMark, column > 0 {
            let at = wraps ? column : column - 1
            let joined = String(cells[row][at]) + String(scalar)
            cells[row][at] = joined.first ?? " "
            return
        }
        if wraps || (isWide && column == columns - 1) {
            column = 0
            lineFeed()
            wraps = false
        }
        cells[row][column] = Character(scalar)
        if isWide { cells[row][column + 1] = "\0" }
        let next = column + (isWide ? 2 : 1)
        wraps = next >= columns
        column = min(next, columns - 1)
    }

    private mutating func lineFeed() {
        wraps = false
        guard row == rows - 1 else {
            row += 1
            return
        }
        scrolledOut.append(Self.trimmed(cells.removeFirst()))
        cells.append(Array(repeating: " ", count: columns))
    }

    private mutating func perform(_ parameters: String, _ final: Character) {
        let numbers = parameters.split(separator: ";").compactMap { Int($0) }
        let count = max(1, numbers.first ?? 1)
        wraps = false
        switch final {
        case "A": row = max(0, row - count)
        case "B": row = min(rows - 1, row + count)
        case "C": column = min(columns - 1, column + count)
        case "D": column = max(0, column - count)
        case "H":
            row = min(rows - 1, max(0, (numbers.first ?? 1) - 1))
            column = min(columns - 1, max(0, (numbers.count > 1 ? numbers[1] : 1) - 1))
        case "J":
            let all = numbers.first == 2
            for line in (all ? 0 : row)..<rows {
                let start = all || line > row ? 0 : column
                for at in start..<columns { cells[line][at] = " " }
            }
        case "K": for at in column..<columns { cells[row][at] = " " }
        default: break
        }
    }
}
