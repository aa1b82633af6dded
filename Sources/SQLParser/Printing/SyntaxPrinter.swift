// The printer: syntax trees back to SQL text. What it prints parses to an equal tree.

/// Writes SQL text. Parentheses appear only where precedence asks for them; keywords are in capitals, names are quoted
/// where they must be.
package struct SyntaxPrinter {
    var text = ""
    /// The columns by which NATURAL joins are printed with USING, by the joins' offsets.
    var naturalColumns: [Int: [String]] = [:]

    init() {}

    package static func text(of statement: Statement) -> String {
        var printer = SyntaxPrinter()
        printer.print(statement)
        return printer.text
    }

    /// NATURAL joins whose columns are given are printed with USING.
    package static func text(of query: Query, naturalColumns: [Int: [String]] = [:]) -> String {
        var printer = SyntaxPrinter()
        printer.naturalColumns = naturalColumns
        printer.print(query)
        return printer.text
    }

    package static func text(of expression: Expression) -> String {
        var printer = SyntaxPrinter()
        printer.print(expression)
        return printer.text
    }

    package static func text(of type: TypeName) -> String {
        var printer = SyntaxPrinter()
        printer.print(type)
        return printer.text
    }

    package static func text(of name: ObjectName) -> String {
        var printer = SyntaxPrinter()
        printer.print(name)
        return printer.text
    }

    /// A name as an identifier: in double quotes if it would otherwise be folded or taken for a keyword.
    package static func identifier(_ name: String) -> String {
        isPlain(name) && !isTaken(KeywordTable.shared.keyword(spelt: name)) ? name : quoted(name)
    }

    /// A string constant with its quotes.
    package static func stringLiteral(_ value: String) -> String {
        enclosed(value, UInt8(ascii: "'"))
    }

    // MARK: - Names

    static func quoted(_ name: String) -> String { enclosed(name, UInt8(ascii: "\"")) }

    private static func enclosed(_ value: String, _ quote: UInt8) -> String {
        var bytes: [UInt8] = [quote]
        bytes.reserveCapacity(value.utf8.count + 2)
        for byte in value.utf8 {
            bytes.append(byte)
            if byte == quote { bytes.append(quote) }
        }
        bytes.append(quote)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the lexer would read the name back unchanged without quotes.
    static func isPlain(_ name: String) -> Bool {
        var isFirst = true
        for byte in name.utf8 {
            let isLower = byte &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
            guard isLower || (!isFirst && (ByteClass.isDigit(byte) || byte == UInt8(ascii: "$"))) else { return false }
            isFirst = false
        }
        return !isFirst
    }

    /// Whether a keyword could be misread where a name of a column or table is meant.
    private static func isTaken(_ keyword: Keyword) -> Bool {
        switch keyword {
        case .noKeyword: return false
        case .partition, .range, .rows, .groups, .qualify, .semi, .anti, .current, .unbounded, .operator: return true
        default: return keyword.category != .unreserved
        }
    }

    mutating func print(_ name: ObjectName) {
        text += name.parts.map(SyntaxPrinter.identifier).joined(separator: ".")
    }

    mutating func print(_ identifier: Identifier) { text += SyntaxPrinter.identifier(identifier.text) }

    /// The name of a function: keywords that name functions need no quotes.
    mutating func printFunctionName(_ name: ObjectName) {
        if name.parts.count == 1, SyntaxPrinter.isPlain(name.last), name.last != "try_cast" {
            switch KeywordTable.shared.keyword(spelt: name.last) {
            case .substring, .overlay:
                text += name.last
                return
            case let keyword where keyword.category == .typeOrFunction:
                text += name.last
                return
            default: break
            }
        }
        text += name.last == "try_cast" && name.parts.count == 1 ? "\"try_cast\"" : SyntaxPrinter.text(of: name)
    }

    // MARK: - Lists

    mutating func list<Element>(_ elements: [Element], _ body: (inout SyntaxPrinter, Element) -> Void) {
        var isFirst = true
        for element in elements {
            if !isFirst { text += ", " }
            isFirst = false
            body(&self, element)
        }
    }

    mutating func print(_ expressions: [Expression]) {
        list(expressions) { printer, expression in printer.print(expression) }
    }

    mutating func print(_ names: [Identifier]) {
        list(names) { printer, name in printer.print(name) }
    }

    /// ` (a, b)` unless the list is empty.
    mutating func printColumns(_ names: [Identifier]) {
        if names.isEmpty { return }
        text += " ("
        print(names)
        text += ")"
    }

    // MARK: - Types

    mutating func print(_ type: TypeName) {
        if type.isSetOf { text += "SETOF " }
        printTypeWithoutDimensions(type)
        for size in type.arrayDimensions { text += size.map { "[\($0)]" } ?? "[]" }
    }

    private mutating func printTypeWithoutDimensions(_ type: TypeName) {
        for part in type.name.parts.dropLast() { text += SyntaxPrinter.identifier(part) + "." }
        let last = type.name.last
        text += type.isQuoted || !SyntaxPrinter.isTypeWord(last) ? SyntaxPrinter.quoted(last) : last
        if let fields = type.intervalFields { text += " " + fields.rawValue }
        printModifiers(type)
    }

    private mutating func printModifiers(_ type: TypeName) {
        if type.modifiers.isEmpty { return }
        text += "("
        print(type.modifiers)
        text += ")"
    }

    /// Whether the name may have been written without quotes as a type.
    private static func isTypeWord(_ name: String) -> Bool {
        if name == "double precision" || name == "character varying" || name == "bit varying" { return true }
        guard let first = name.utf8.first, ByteClass.startsWord(first) else { return false }
        return name.utf8.allSatisfy { ByteClass.continuesWord($0) && ByteClass.lowered($0) == $0 }
    }

    mutating func printTypedLiteral(_ type: TypeName, _ value: String) {
        guard let fields = type.intervalFields else {
            print(type)
            text += " " + SyntaxPrinter.stringLiteral(value)
            return
        }
        text += "interval " + SyntaxPrinter.stringLiteral(value) + " " + fields.rawValue
        printModifiers(type)
    }
}
