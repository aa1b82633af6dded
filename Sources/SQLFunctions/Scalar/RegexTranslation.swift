// PostgreSQL's advanced regular expressions in PCRE2's words, and which of a text's matches they mean.

import Diagnostics

/// A pattern made ready for PCRE2.
struct RegexTranslation {
    /// Which of the matches that begin at the leftmost place counts.
    enum Preference { case longest, shortest }

    private(set) var pattern = ""
    private(set) var isLiteral = false
    private(set) var needsUnicodeClasses = false
    /// `nil`: every match from a place has the same length, or PCRE2's choice is the same.
    private(set) var preference: Preference?

    private static func invalid(_ what: String) -> QueryError {
        QueryError(.invalidRegularExpression, "invalid regular expression: \(what)")
    }

    /// Errors: 2201B for what PCRE2 knows and PostgreSQL does not.
    init(_ source: String) throws {
        if source.hasPrefix("***=") {
            pattern = String(source.dropFirst(4))
            isLiteral = true
            return
        }
        let text = Array((source.hasPrefix("***:") ? String(source.dropFirst(4)) : source).unicodeScalars)
        var scanner = Scanner(text: text)
        try scanner.run()
        pattern = String(scanner.output)
        needsUnicodeClasses = scanner.needsUnicodeClasses
        guard !scanner.hasBackReference else { return }
        let endsAtEnd = text.last == "$" && !scanner.hasAlternation
        if scanner.isLazy == true {
            preference = .shortest
        } else if scanner.hasAlternation || (scanner.quantifierCount > 1 && !endsAtEnd) || scanner.hasLazy {
            preference = .longest
        }
    }

    private struct Scanner {
        let text: [Unicode.Scalar]
        var at = 0
        var output = String.UnicodeScalarView()
        var needsUnicodeClasses = false
        var hasAlternation = false
        var hasBackReference = false
        var hasLazy = false
        var quantifierCount = 0
        /// The preference of the first quantifier that has one.
        var isLazy: Bool?
        private var depth = 0
        /// For each open group, the preference in front of it; and that of the group just closed.
        private var openGroups: [Bool?] = []
        private var closedGroup: Bool??
        /// For the whole and each open group, where greedy quantifiers within it end in the output.
        private var greedyEnds: [[Int]] = [[]]
        /// Those of the group just closed.
        private var closedEnds: [Int] = []

        init(text: [Unicode.Scalar]) { self.text = text }

        private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
            at + offset < text.count ? text[at + offset] : nil
        }

        private mutating func put(_ string: String) { output.append(contentsOf: string.unicodeScalars) }

        mutating func run() throws {
            while let scalar = peek() {
                if scalar != "*", scalar != "+", scalar != "?", scalar != "{" {
                    closedGroup = nil
                    greedyEnds[greedyEnds.count - 1] += closedEnds
                    closedEnds = []
                }
                switch scalar {
                case "\\": try escape(inBracket: false)
                case "[": try bracket()
                case "(": try group()
                case "|":
                    hasAlternation = true
                    // A choice is greedy as a whole.
                    if depth == 0 || isLazy == nil { isLazy = false }
                    output.append(scalar)
                    at += 1
                case "*", "+", "?": try quantifier()
                case "{":
                    if let next = peek(1), next.value >= 0x30, next.value <= 0x39 {
                        try quantifier()
                    } else {
                        put("\\{")
                        at += 1
                    }
                case ")":
                    depth -= 1
                    closedGroup = openGroups.popLast()
                    if greedyEnds.count > 1 { closedEnds = greedyEnds.removeLast() }
                    output.append(scalar)
                    at += 1
                default:
                    output.append(scalar)
                    at += 1
                }
            }
        }

        private mutating func quantifier() throws {
            var hasPreference = true
            if peek() == "{" {
                var isRange = false
                while let next = peek(), next != "}" {
                    if next == "," { isRange = true }
                    output.append(next)
                    at += 1
                }
                guard peek() == "}" else { throw RegexTranslation.invalid("braces {} not balanced") }
                output.append("}")
                hasPreference = isRange
            } else if let mark = peek() {
                output.append(mark)
            }
            at += 1
            quantifierCount += 1
            var lazy = false
            if peek() == "?" {
                lazy = true
                output.append("?")
                at += 1
            }
            if lazy {
                hasLazy = true
                // A group that is to match as little as it can does so with all its parts.
                for end in closedEnds.reversed() {
                    output.insert("?", at: output.index(output.startIndex, offsetBy: end))
                }
            } else {
                closedEnds.append(output.count)
            }
            greedyEnds[greedyEnds.count - 1] += lazy ? [] : closedEnds
            closedEnds = []
            // The quantifier of a group outweighs those within.
            if hasPreference {
                if isLazy == nil { isLazy = lazy } else if let before = closedGroup, before == nil { isLazy = lazy }
            }
            closedGroup = nil
            if let next = peek(), next == "+" || next == "*" || next == "?" {
                throw RegexTranslation.invalid("quantifier operand invalid")
            }
        }

        private mutating func group() throws {
            depth += 1
            openGroups.append(isLazy)
            greedyEnds.append([])
            output.append("(")
            at += 1
            if peek() == "*" { throw RegexTranslation.invalid("quantifier operand invalid") }
            guard peek() == "?" else { return }
            if at == 1 {
                // Options in front of the whole: (?i)
                var end = at + 1
                while end < text.count, text[end].value >= 0x61, text[end].value <= 0x7A { end += 1 }
                if end < text.count, end > at + 1, text[end] == ")" {
                    try options(text[(at + 1)..<end])
                    at = end + 1
                    depth -= 1
                    openGroups.removeLast()
                    greedyEnds.removeLast()
                    return
                }
            }
            let next = peek(1)
            let isLookBehind = next == "<" && (peek(2) == "=" || peek(2) == "!")
            if next == "#" {
                put("?#")
                at += 2
                while let scalar = peek(), scalar != ")" {
                    output.append(scalar)
                    at += 1
                }
            } else if next == ":" || next == "=" || next == "!" || isLookBehind {
                put("?")
                at += 1
                while let scalar = peek(), scalar == ":" || scalar == "=" || scalar == "!" || scalar == "<" {
                    output.append(scalar)
                    at += 1
                    if scalar != "<" { break }
                }
            } else {
                throw RegexTranslation.invalid("quantifier operand invalid")
            }
        }

        private mutating func options(_ letters: ArraySlice<Unicode.Scalar>) throws {
            output.removeLast()
            for letter in letters {
                switch letter {
                case "i": put("(?i)")
                case "c": put("(?-i)")
                case "n", "m": put("(?m-s)")
                case "x": put("(?x)")
                case "s", "t", "e": break
                case "p": put("(?-s)")
                case "w": put("(?m)")
                default: throw RegexTranslation.invalid("invalid embedded option")
                }
            }
        }

        private mutating func bracket() throws {
            output.append("[")
            at += 1
            if peek() == "^" {
                output.append("^")
                at += 1
            }
            if peek() == "]" {
                put("\\]")
                at += 1
            }
            while let scalar = peek() {
                if scalar == "]" {
                    output.append(scalar)
                    at += 1
                    return
                }
                if scalar == "\\" {
                    try escape(inBracket: true)
                } else if scalar == "[" {
                    if let kind = peek(1), kind == ":" || kind == "." || kind == "=" {
                        needsUnicodeClasses = needsUnicodeClasses || kind == ":"
                        put("[")
                        at += 1
                        var isClosing = false
                        while let next = peek() {
                            output.append(next)
                            at += 1
                            if isClosing, next == "]" { break }
                            isClosing = next == kind && output.count > 2
                        }
                    } else {
                        put("\\[")
                        at += 1
                    }
                } else {
                    output.append(scalar)
                    at += 1
                }
            }
            throw RegexTranslation.invalid("brackets [] not balanced")
        }

        private mutating func hexadecimal(_ digits: Int) throws {
            let end = at + digits
            guard end <= text.count else { throw RegexTranslation.invalid("invalid escape \\ sequence") }
            put("\\x{" + String(String.UnicodeScalarView(text[at..<end])) + "}")
            at = end
        }

        private mutating func escape(inBracket: Bool) throws {
            at += 1
            guard let scalar = peek() else { throw RegexTranslation.invalid("invalid escape \\ sequence") }
            at += 1
            switch scalar {
            case "d", "D", "s", "S": put("\\" + String(scalar))
            case "w", "W":
                needsUnicodeClasses = true
                put("\\" + String(scalar))
            case "a", "e", "f", "n", "r", "t", "v", "0": put("\\" + (scalar == "v" ? "x0b" : String(scalar)))
            case "b": put("\\x08")
            case "B": put("\\\\")
            case "c":
                put("\\c")
                if let next = peek() {
                    output.append(next)
                    at += 1
                }
            case "u": try hexadecimal(4)
            case "U": try hexadecimal(8)
            case "x":
                var digits = 0
                while let next = peek(digits), next.properties.isASCIIHexDigit { digits += 1 }
                try hexadecimal(digits)
            case "A" where !inBracket: put("\\A")
            case "Z" where !inBracket: put("\\z")
            case "m" where !inBracket:
                needsUnicodeClasses = true
                put("\\b(?=\\w)")
            case "M" where !inBracket:
                needsUnicodeClasses = true
                put("\\b(?<=\\w)")
            case "y" where !inBracket:
                needsUnicodeClasses = true
                put("\\b")
            case "Y" where !inBracket:
                needsUnicodeClasses = true
                put("\\B")
            case "1"..."9":
                hasBackReference = true
                put("\\" + String(scalar))
            default:
                let isWord = (scalar.value < 0x80 && scalar.properties.isAlphabetic)
                if isWord { throw RegexTranslation.invalid("invalid escape \\ sequence") }
                put("\\" + String(scalar))
            }
        }
    }
}
