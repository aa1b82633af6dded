// Known answers as comma-separated values.

/// Results as comma-separated values, and how they are compared.
package enum AnswerFile {
    /// The fields of every line; quotes around a field are taken off.
    package static func rows(of text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var field = ""
        var isQuoted = false
        var characters = text.makeIterator()
        var next = characters.next()
        while let character = next {
            next = characters.next()
            if isQuoted {
                if character == "\"", next == "\"" {
                    field.append("\"")
                    next = characters.next()
                } else if character == "\"" {
                    isQuoted = false
                } else {
                    field.append(character)
                }
            } else if character == "\"" {
                isQuoted = true
            } else if character == "," || character.isNewline {
                row.append(field)
                field = ""
                if character.isNewline {
                    rows.append(row)
                    row = []
                }
            } else {
                field.append(character)
            }
        }
        if !field.isEmpty || !row.isEmpty { rows.append(row + [field]) }
        return rows
    }

    /// What differs first, or `nil` if the results are the same.
    package static func difference(_ expected: [[String]], _ actual: [[String]]) -> String? {
        if expected.count != actual.count { return "\(actual.count) rows instead of \(expected.count)" }
        for (index, (left, right)) in zip(expected, actual).enumerated() {
            guard left.count == right.count, zip(left, right).allSatisfy(isSame) else {
                return "row \(index + 1) is \(right) instead of \(left)"
            }
        }
        return nil
    }

    private static func isSame(_ expected: String, _ actual: String) -> Bool {
        if expected == actual { return true }
        guard let left = Double(expected), let right = Double(actual) else { return false }
        return abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }
}
