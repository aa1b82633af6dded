// Reading jsonpath texts.

import Diagnostics

extension JSONPath {
    /// Errors: 42601 and 22P02 for texts that are no path, 54001 for one nested too deeply.
    package init(_ text: UnsafeBufferPointer<UInt8>) throws {
        var parser = try JSONPathParser(Array(text))
        self = try parser.parse()
    }
}

private struct JSONPathParser {
    /// What was read: predicates stand in other places than values.
    private struct Operand {
        var chain: JSONPathChain
        var isPredicate: Bool
    }
    private let text: [UInt8]
    private var lexer: JSONPathLexer
    private var token: JSONPathToken
    private var depth = 0
    /// Open filters and subscripts: `@` and `last` need one.
    private var filterDepth = 0
    private var subscriptDepth = 0

    private static let depthMax = 1_000

    init(_ text: [UInt8]) throws {
        self.text = text
        lexer = JSONPathLexer(text)
        token = try lexer.next()
    }

    mutating func parse() throws -> JSONPath {
        if token.kind == .end {
            throw QueryError(
                .invalidTextRepresentation,
                "invalid input syntax for type jsonpath: \"\(String(decoding: text, as: UTF8.self))\"")
        }
        var isStrict = false
        if isKeyword("strict") || isKeyword("lax") {
            isStrict = isKeyword("strict")
            try advance()
        }
        let root = try parseOr()
        guard token.kind == .end else { throw unexpected() }
        return JSONPath(isStrict: isStrict, root: root.chain)
    }

    // MARK: - Tokens

    private mutating func advance() throws { token = try lexer.next() }

    private func isSymbol(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }

    /// Keywords are of either case, the names of values are not.
    private func isKeyword(_ word: String) -> Bool {
        guard case .word(let bytes) = token.kind else { return false }
        return String(decoding: bytes, as: UTF8.self).lowercased() == word
    }
    private func isExactly(_ word: String) -> Bool {
        if case .word(let bytes) = token.kind { bytes.elementsEqual(word.utf8) } else { false }
    }

    private mutating func expect(_ symbol: String) throws {
        guard isSymbol(symbol) else { throw unexpected() }
        try advance()
    }
    private mutating func expectKeyword(_ word: String) throws {
        guard isKeyword(word) else { throw unexpected() }
        try advance()
    }

    private func unexpected() -> QueryError { unexpected(token) }
    private func unexpected(_ token: JSONPathToken) -> QueryError {
        if token.kind == .end { return QueryError(.syntaxError, "syntax error at end of jsonpath input") }
        let near = String(decoding: text[token.range], as: UTF8.self)
        return QueryError(.syntaxError, "syntax error at or near \"\(near)\" of jsonpath input")
    }

    // MARK: - Predicates

    private mutating func parseOr() throws -> Operand {
        depth += 1
        defer { depth -= 1 }
        if depth > JSONPathParser.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        var left = try parseAnd()
        while isSymbol("||") {
            left = try combine(.or, left) { try $0.parseAnd() }
        }
        return left
    }

    private mutating func parseAnd() throws -> Operand {
        var left = try parsePredicate()
        while isSymbol("&&") {
            left = try combine(.and, left) { try $0.parsePredicate() }
        }
        return left
    }

    private mutating func combine(
        _ name: JSONPathOperator, _ left: Operand, _ next: (inout JSONPathParser) throws -> Operand
    ) throws -> Operand {
        guard left.isPredicate else { throw unexpected() }
        try advance()
        let right = try next(&self)
        guard right.isPredicate else { throw unexpected() }
        return Operand(chain: [.binary(name, left.chain, right.chain)], isPredicate: true)
    }

    private static let comparisons: [String: JSONPathOperator] = [
        "==": .equal, "!=": .notEqual, "<": .less, ">": .greater, "<=": .lessOrEqual, ">=": .greaterOrEqual,
    ]

    private mutating func parsePredicate() throws -> Operand {
        if isSymbol("!") {
            try advance()
            let operand: Operand
            if isKeyword("exists") {
                operand = try parseExists()
            } else {
                try expect("(")
                operand = try parseOr()
                guard operand.isPredicate else { throw unexpected() }
                try expect(")")
            }
            return Operand(chain: [.not(operand.chain)], isPredicate: true)
        }
        if isKeyword("exists") { return try parseExists() }
        let left = try parseSum()
        if left.isPredicate { return left }
        if case .symbol(let symbol) = token.kind, let name = JSONPathParser.comparisons[symbol] {
            try advance()
            let right = try parseSum()
            guard !right.isPredicate else { throw unexpected() }
            return Operand(chain: [.binary(name, left.chain, right.chain)], isPredicate: true)
        }
        if isKeyword("starts") { return try parseStartsWith(left.chain) }
        if isKeyword("like_regex") { return try parseLikeRegex(left.chain) }
        return left
    }

    private mutating func parseExists() throws -> Operand {
        try advance()
        try expect("(")
        let operand = try parseOr()
        guard !operand.isPredicate else { throw unexpected() }
        try expect(")")
        return Operand(chain: [.exists(operand.chain)], isPredicate: true)
    }

    private mutating func parseStartsWith(_ left: JSONPathChain) throws -> Operand {
        try advance()
        try expectKeyword("with")
        let initial: JSONPathItem
        switch token.kind {
        case .string(let value): initial = .string(value)
        case .variable(let name): initial = .variable(name)
        default: throw unexpected()
        }
        try advance()
        return Operand(chain: [.binary(.startsWith, left, [initial])], isPredicate: true)
    }

    private mutating func parseLikeRegex(_ left: JSONPathChain) throws -> Operand {
        try advance()
        guard case .string(let pattern) = token.kind else { throw unexpected() }
        try advance()
        var flags = ""
        if isKeyword("flag") {
            try advance()
            guard case .string(let bytes) = token.kind else { throw unexpected() }
            let given = String(decoding: bytes, as: UTF8.self)
            for character in given where !"ismxq".contains(character) {
                throw QueryError(
                    .syntaxError, "invalid input syntax for type jsonpath",
                    detail: "Unrecognized flag character \"\(character)\" in LIKE_REGEX predicate.")
            }
            flags = String("ismxq".filter { given.contains($0) })
            if flags.contains("x") && !flags.contains("q") {
                throw QueryError.notSupported("XQuery \"x\" flag (expanded regular expressions)")
            }
            try advance()
        }
        return Operand(chain: [.likeRegex(left, pattern: pattern, flags: flags)], isPredicate: true)
    }

    // MARK: - Values

    private mutating func parseSum() throws -> Operand {
        var left = try parseProduct()
        while true {
            let name: JSONPathOperator
            if isSymbol("+") { name = .add } else if isSymbol("-") { name = .subtract } else { return left }
            left = try arithmetic(name, left) { try $0.parseProduct() }
        }
    }

    private mutating func parseProduct() throws -> Operand {
        var left = try parseUnary()
        while true {
            let name: JSONPathOperator
            if isSymbol("*") {
                name = .multiply
            } else if isSymbol("/") {
                name = .divide
            } else if isSymbol("%") {
                name = .modulo
            } else {
                return left
            }
            left = try arithmetic(name, left) { try $0.parseUnary() }
        }
    }

    private mutating func arithmetic(
        _ name: JSONPathOperator, _ left: Operand, _ next: (inout JSONPathParser) throws -> Operand
    ) throws -> Operand {
        guard !left.isPredicate else { throw unexpected() }
        try advance()
        let right = try next(&self)
        guard !right.isPredicate else { throw unexpected() }
        return Operand(chain: [.binary(name, left.chain, right.chain)], isPredicate: false)
    }

    private mutating func parseUnary() throws -> Operand {
        let isMinus = isSymbol("-")
        guard isMinus || isSymbol("+") else { return try parseAccessors() }
        depth += 1
        defer { depth -= 1 }
        if depth > JSONPathParser.depthMax { throw QueryError(.statementTooComplex, "stack depth limit exceeded") }
        try advance()
        let operand = try parseUnary()
        guard !operand.isPredicate else { throw unexpected() }
        if operand.chain.count == 1, case .number(var number) = operand.chain[0] {
            if isMinus, !number.isZero { number.isNegative.toggle() }
            return Operand(chain: [.number(number)], isPredicate: false)
        }
        return Operand(chain: [isMinus ? .minus(operand.chain) : .plus(operand.chain)], isPredicate: false)
    }

    private mutating func parseAccessors() throws -> Operand {
        var operand = try parsePrimary()
        if operand.isPredicate, isKeyword("is") {
            try advance()
            try expectKeyword("unknown")
            return Operand(chain: [.isUnknown(operand.chain)], isPredicate: true)
        }
        while let item = try parseAccessor() {
            operand.chain.append(item)
            operand.isPredicate = false
        }
        return operand
    }

    private mutating func parsePrimary() throws -> Operand {
        let item: JSONPathItem
        switch token.kind {
        case .symbol("("):
            try advance()
            let inner = try parseOr()
            try expect(")")
            return inner
        case .symbol("$"): item = .root
        case .symbol("@"):
            if filterDepth == 0 { throw QueryError(.syntaxError, "@ is not allowed in root expressions") }
            item = .current
        case .string(let value): item = .string(value)
        case .variable(let name): item = .variable(name)
        case .number(let value, _): item = .number(value)
        case .word:
            if isExactly("null") {
                item = .null
            } else if isExactly("true") || isExactly("false") {
                item = .boolean(isExactly("true"))
            } else if isKeyword("last") {
                if subscriptDepth == 0 {
                    throw QueryError(.syntaxError, "LAST is allowed only in array subscripts")
                }
                item = .last
            } else {
                throw unexpected()
            }
        default: throw unexpected()
        }
        try advance()
        return Operand(chain: [item], isPredicate: false)
    }

    private mutating func parseAccessor() throws -> JSONPathItem? {
        if isSymbol("?") {
            try advance()
            try expect("(")
            filterDepth += 1
            let predicate = try parseOr()
            filterDepth -= 1
            guard predicate.isPredicate else { throw unexpected() }
            try expect(")")
            return .filter(predicate.chain)
        }
        if isSymbol("[") { return try parseSubscripts() }
        guard isSymbol(".") else { return nil }
        try advance()
        if isSymbol("*") {
            try advance()
            return .anyKey
        }
        if isSymbol("**") { return try parseLevels() }
        switch token.kind {
        case .string(let name):
            try advance()
            return .key(name)
        case .word(let name):
            let before = token
            try advance()
            guard isSymbol("(") else { return .key(name) }
            return try parseMethod(String(decoding: name, as: UTF8.self).lowercased(), before)
        default: throw unexpected()
        }
    }

    private mutating func parseMethod(_ name: String, _ start: JSONPathToken) throws -> JSONPathItem {
        guard name == "datetime" || JSONPathMethod(rawValue: name) != nil else { throw unexpected() }
        try expect("(")
        if let method = JSONPathMethod(rawValue: name) {
            try expect(")")
            return .method(method)
        }
        var template: JSONPathChain?
        if case .string(let text) = token.kind {
            template = [.string(text)]
            try advance()
        }
        try expect(")")
        return .datetime(template)
    }

    private mutating func parseSubscripts() throws -> JSONPathItem {
        try advance()
        if isSymbol("*") {
            try advance()
            try expect("]")
            return .anyElement
        }
        subscriptDepth += 1
        var subscripts: [JSONPathSubscript] = []
        while true {
            let from = try parseOr()
            guard !from.isPredicate else { throw unexpected() }
            var to: Operand?
            if isKeyword("to") {
                try advance()
                to = try parseOr()
                guard to?.isPredicate == false else { throw unexpected() }
            }
            subscripts.append(JSONPathSubscript(from: from.chain, to: to?.chain))
            guard isSymbol(",") else { break }
            try advance()
        }
        try expect("]")
        subscriptDepth -= 1
        return .subscripts(subscripts)
    }

    private mutating func parseLevels() throws -> JSONPathItem {
        try advance()
        guard isSymbol("{") else { return .anyLevel(from: 0, to: nil) }
        try advance()
        let from = try parseLevel()
        var to = from
        if isKeyword("to") {
            try advance()
            to = try parseLevel()
        }
        try expect("}")
        return .anyLevel(from: from, to: to)
    }

    private mutating func parseLevel() throws -> Int? {
        if isKeyword("last") {
            try advance()
            return nil
        }
        guard case .number(let number, true) = token.kind else { throw unexpected() }
        guard let value = number.exactInteger, value <= Int64(Int32.max) else {
            throw QueryError(.invalidTextRepresentation, "invalid input syntax for type integer: \"\(number.text)\"")
        }
        try advance()
        return Int(value)
    }
}
