// substring(text similar pattern escape mark): the part of a text that the middle of a SQL pattern matches.

import Columnar
import Diagnostics

enum SimilarSubstring {
    static func register(in registry: FunctionRegistry) {
        registry.scalar(
            "substring", [.text, .text, .text], .text, canFail: true,
            FunctionDocumentation(
                "Pattern matching", "The part that a SQL pattern marks with its escape and a quotation mark.",
                example: "substring('Thomas' similar '%#\"o_a#\"_' escape '#')", result: "oma")
        ) { arguments, type, count, _ in
            let (texts, patterns, escapes) = (
                ViewColumn(arguments[0]), ViewColumn(arguments[1]), ViewColumn(arguments[2])
            )
            return try Kernel.text(arguments, type, count) { row, output in
                let regex = try RegexCache.regex(
                    expression(patterns.string(row), escape: escapes.string(row)), flags: "")
                guard let match = try regex.matches(Array(texts.bytes(row)), limit: 1).first,
                    let found = match.groupsOrWhole.first ?? nil
                else { return false }
                output.append(contentsOf: found)
                return true
            }
        }
    }

    /// The pattern as a regular expression whose first group is the wanted part. The part in front takes as little, the
    /// middle as much as it can.
    static func expression(_ pattern: String, escape: String) throws -> String {
        guard escape.unicodeScalars.count <= 1 else {
            throw QueryError(
                SQLState("22025"), "invalid escape string", hint: "Escape string must be empty or one character.")
        }
        let mark = escape.unicodeScalars.first
        var parts = [""]
        var isEscaped = false
        var inBracket = false
        for scalar in pattern.unicodeScalars {
            var piece = ""
            if isEscaped {
                isEscaped = false
                if scalar == "\"" {
                    if parts.count == 3 {
                        throw QueryError(
                            SQLState("2200C"),
                            "SQL regular expression may not contain more than two escape-double-quote separators")
                    }
                    parts.append("")
                    continue
                }
                piece = "\\" + String(scalar)
            } else if scalar == mark {
                isEscaped = true
                continue
            } else if inBracket {
                if scalar == "]" { inBracket = false }
                piece = scalar == "\\" ? "\\\\" : String(scalar)
            } else {
                switch scalar {
                case "%": piece = ".*"
                case "_": piece = "."
                case "(": piece = "(?:"
                case "[":
                    inBracket = true
                    piece = "["
                case ".", "^", "$", "\\": piece = "\\" + String(scalar)
                default: piece = String(scalar)
                }
            }
            parts[parts.count - 1] += piece
        }
        switch parts.count {
        case 1: return "^(" + parts[0] + ")$"
        case 2: return "^(?:" + parts[0] + "){1,1}?(" + parts[1] + "){1,1}$"
        default: return "^(?:" + parts[0] + "){1,1}?(" + parts[1] + "){1,1}(?:" + parts[2] + ")$"
        }
    }
}
