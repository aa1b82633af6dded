// Errors as text: severity, message, the place in the statement, detail and hint.

import Diagnostics

/// Errors as text for people.
package enum ErrorText {
    private static let lineWidthMax = 100

    package static func format(_ error: QueryError, severity: String = "ERROR", sql: String? = nil) -> String {
        var text = "\(severity):  \(error.message)\n"
        if let sql, let position = error.position, let place = mark(sql, position.offset) { text += place }
        if let detail = error.detail { text += "DETAIL:  \(detail)\n" }
        if let hint = error.hint { text += "HINT:  \(hint)\n" }
        return text
    }

    /// `LINE 2: …` and a caret below the place; long lines are cut on both sides.
    private static func mark(_ sql: String, _ offset: Int) -> String? {
        let scalars = Array(sql.unicodeScalars)
        guard offset >= 0, offset <= scalars.count else { return nil }
        var line = 1
        var start = 0
        for index in 0..<offset where scalars[index] == "\n" {
            line += 1
            start = index + 1
        }
        var end = offset
        while end < scalars.count, scalars[end] != "\n", scalars[end] != "\r" { end += 1 }
        var prefix = "LINE \(line): "
        var column = offset - start
        if end - start > lineWidthMax {
            let from = max(start, min(offset - lineWidthMax / 2, end - lineWidthMax))
            if from > start { prefix += "..." }
            column = offset - from
            let to = min(end, from + lineWidthMax)
            let suffix = to < end ? "..." : ""
            start = from
            end = to
            return prefix + string(scalars[start..<end]) + suffix + "\n"
                + caret(prefix, scalars[start..<(start + column)])
        }
        return prefix + string(scalars[start..<end]) + "\n" + caret(prefix, scalars[start..<(start + column)])
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars.lazy.map { $0 == "\t" ? " " : $0 })
        return String(view)
    }

    private static func caret(_ prefix: String, _ before: ArraySlice<Unicode.Scalar>) -> String {
        String(repeating: " ", count: prefix.count + DisplayWidth.columns(string(before))) + "^\n"
    }
}
