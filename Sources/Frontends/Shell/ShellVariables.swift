// Variables of the shell and their places in statements: `:name`, `:'name'` and `:"name"`.

package struct ShellVariables: Sendable {
    package private(set) var values: [String: String] = [:]

    package init() {}

    package subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    /// Letters, digits and underscores.
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isNameByte($0) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte >= 0x80 || (0x30...0x39).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// The statement with variables in place of their names. Names without a variable stay, and so do texts, quoted
    /// names, comments, casts and slices.
    package func interpolated(_ sql: String) -> String {
        guard !values.isEmpty, sql.utf8.contains(UInt8(ascii: ":")) else { return sql }
        let characters = Array(sql)
        let tokens = SQLToken.tokens(characters)
        var covered = [Bool](repeating: false, count: characters.count)
        for token in tokens where token.kind == .string || token.kind == .quotedName || token.kind == .comment {
            // `:'name'` is a colon directly in front of a text.
            let isVariable =
                token.kind != .comment && token.range.lowerBound > 0 && characters[token.range.lowerBound - 1] == ":"
                && (token.range.lowerBound < 2 || characters[token.range.lowerBound - 2] != ":")
            if !isVariable { for at in token.range { covered[at] = true } }
        }
        var result = ""
        var at = 0
        while at < characters.count {
            if characters[at] == ":", !covered[at], at == 0 || characters[at - 1] != ":",
                let (value, end) = variable(characters, at)
            {
                result += value
                at = end
            } else {
                result.append(characters[at])
                at += 1
            }
        }
        return result
    }

    private func variable(_ characters: [Character], _ colon: Int) -> (String, Int)? {
        var at = colon + 1
        guard at < characters.count else { return nil }
        let quote = characters[at] == "'" || characters[at] == "\"" ? characters[at] : nil
        if quote != nil { at += 1 }
        let start = at
        while at < characters.count, ShellVariables.isName(String(characters[at])) { at += 1 }
        guard let value = values[String(characters[start..<at])] else { return nil }
        guard let quote else { return (value, at) }
        guard at < characters.count, characters[at] == quote else { return nil }
        let doubled = value.split(separator: quote, omittingEmptySubsequences: false).joined(
            separator: String(repeating: quote, count: 2))
        return ("\(quote)\(doubled)\(quote)", at + 1)
    }
}
