// Values of entries that have several parts: lines of fields with tabs between them, as COPY writes text.

/// Lines of fields; the first field of a line is its key.
package struct StateRecord: Hashable, Sendable {
    package var lines: [[String]] = []

    package init() {}

    /// `nil` for a text with an unknown escape.
    package init?(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            var fields: [String] = []
            for field in line.split(separator: "\t", omittingEmptySubsequences: false) {
                guard let text = Self.unescaped(field) else { return nil }
                fields.append(text)
            }
            lines.append(fields)
        }
    }

    package var text: String {
        lines.map { $0.map(Self.escaped).joined(separator: "\t") }.joined(separator: "\n")
    }

    package mutating func add(_ key: String, _ fields: String...) { lines.append([key] + fields) }

    /// The fields behind the key, of each line with it.
    package func all(_ key: String) -> [[String]] { lines.filter { $0.first == key }.map { Array($0.dropFirst()) } }

    /// The first field behind the key.
    package func first(_ key: String) -> String? { all(key).first?.first }

    private static func escaped(_ field: String) -> String {
        var result = ""
        for scalar in field.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func unescaped(_ field: Substring) -> String? {
        var result = ""
        var isEscaped = false
        for scalar in field.unicodeScalars {
            if isEscaped {
                switch scalar {
                case "\\": result += "\\"
                case "n": result += "\n"
                case "r": result += "\r"
                case "t": result += "\t"
                default: return nil
                }
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return isEscaped ? nil : result
    }
}
