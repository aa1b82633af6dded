// The tree of a jsonpath, and its canonical text.

import Diagnostics

/// A path of the SQL/JSON path language: `lax $.a[*] ? (@ > 1)`.
package struct JSONPath: Hashable, Sendable {
    package var isStrict: Bool
    package var root: JSONPathChain
}

/// A primary and the accessors applied to its items, one after the other. Never empty.
package typealias JSONPathChain = [JSONPathItem]

package enum JSONPathOperator: String, Hashable, Sendable {
    case or = "||"
    case and = "&&"
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case greater = ">"
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case startsWith = "starts with"
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"

    var priority: Int {
        switch self {
        case .or: 0
        case .and: 1
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual, .startsWith: 2
        case .add, .subtract: 3
        case .multiply, .divide, .modulo: 4
        }
    }
    package var isPredicate: Bool { priority <= 2 }
}

package enum JSONPathMethod: String, Hashable, Sendable {
    case abs, size, type, floor, double, ceiling, keyvalue
}

package struct JSONPathSubscript: Hashable, Sendable {
    package var from: JSONPathChain
    package var to: JSONPathChain?
}

package enum JSONPathItem: Hashable, Sendable {
    // Primaries.
    case null
    case boolean(Bool)
    case number(JSONNumber)
    case string([UInt8])
    case variable([UInt8])
    case root, current, last
    case binary(JSONPathOperator, JSONPathChain, JSONPathChain)
    case plus(JSONPathChain)
    case minus(JSONPathChain)
    case not(JSONPathChain)
    case isUnknown(JSONPathChain)
    case exists(JSONPathChain)
    case likeRegex(JSONPathChain, pattern: [UInt8], flags: String)
    // Accessors.
    case key([UInt8])
    case anyKey, anyElement
    case subscripts([JSONPathSubscript])
    /// `.**{from to to}`; `nil` is `last`.
    case anyLevel(from: Int?, to: Int?)
    case method(JSONPathMethod)
    case datetime(JSONPathChain?)
    case filter(JSONPathChain)

    package var isPredicate: Bool {
        switch self {
        case .binary(let name, _, _): name.isPredicate
        case .not, .isUnknown, .exists, .likeRegex: true
        default: false
        }
    }

    /// Whether accessors behind the item's text would count as accessors of its last operand.
    fileprivate var isOperator: Bool {
        switch self {
        case .binary, .plus, .minus, .not, .isUnknown, .exists, .likeRegex: true
        default: false
        }
    }

    fileprivate var priority: Int {
        switch self {
        case .binary(let name, _, _): name.priority
        case .plus, .minus: 5
        default: 6
        }
    }
}

// MARK: - Text

extension JSONPath {
    /// The text that PostgreSQL shows for the path. It lacks some brackets, so another path may have the same one.
    package func append(to text: inout [UInt8]) { append(to: &text, isExact: false) }

    /// The text that values of the type are kept as: read again, it gives the same path.
    package func appendExactly(to text: inout [UInt8]) { append(to: &text, isExact: true) }

    private func append(to text: inout [UInt8], isExact: Bool) {
        if isStrict { text.append(contentsOf: "strict ".utf8) }
        JSONPathPrinter(isExact: isExact).append(root[...], isBracketed: true, into: &text)
    }
}

private struct JSONPathPrinter {
    /// Whether operators with accessors behind them get brackets wherever they stand.
    let isExact: Bool

    func append(_ chain: ArraySlice<JSONPathItem>, isBracketed: Bool, into text: inout [UInt8]) {
        guard let first = chain.first else { return }
        let hasNext = chain.count > 1
        let needsBrackets = isExact && hasNext && first.isOperator
        if needsBrackets { text.append(0x28) }
        append(first, hasNext: hasNext, isBracketed: isBracketed && !needsBrackets, into: &text)
        if needsBrackets { text.append(0x29) }
        for item in chain.dropFirst() { append(item, hasNext: false, isBracketed: true, into: &text) }
    }

    private func operand(_ chain: JSONPathChain, under priority: Int, into text: inout [UInt8]) {
        append(chain[...], isBracketed: (chain.first?.priority ?? 6) <= priority, into: &text)
    }

    private func plain(_ chain: JSONPathChain, into text: inout [UInt8]) {
        append(chain[...], isBracketed: false, into: &text)
    }

    private func append(
        _ item: JSONPathItem, hasNext: Bool, isBracketed: Bool, into text: inout [UInt8]
    ) {
        func put(_ string: String) { text.append(contentsOf: string.utf8) }
        func bracketed(_ body: () -> Void) {
            if isBracketed { put("(") }
            body()
            if isBracketed { put(")") }
        }
        switch item {
        case .null: put("null")
        case .boolean(let value): put(value ? "true" : "false")
        case .number(let value):
            if hasNext { put("(") }
            value.append(to: &text)
            if hasNext { put(")") }
        case .string(let value): JSONText.appendQuoted(value, into: &text)
        case .variable(let name):
            put("$")
            JSONText.appendQuoted(name, into: &text)
        case .root: put("$")
        case .current: put("@")
        case .last: put("last")
        case .binary(let name, let left, let right):
            bracketed {
                operand(left, under: name.priority, into: &text)
                put(" \(name.rawValue) ")
                operand(right, under: name.priority, into: &text)
            }
        case .plus(let chain), .minus(let chain):
            bracketed {
                if case .plus = item { put("+") } else { put("-") }
                operand(chain, under: 5, into: &text)
            }
        case .not(let chain):
            put("!(")
            plain(chain, into: &text)
            put(")")
        case .isUnknown(let chain):
            put("(")
            plain(chain, into: &text)
            put(") is unknown")
        case .exists(let chain):
            put("exists (")
            plain(chain, into: &text)
            put(")")
        case .likeRegex(let chain, let pattern, let flags):
            bracketed {
                operand(chain, under: 6, into: &text)
                put(" like_regex ")
                JSONText.appendQuoted(pattern, into: &text)
                if !flags.isEmpty { put(" flag \"\(flags)\"") }
            }
        case .key(let name):
            put(".")
            JSONText.appendQuoted(name, into: &text)
        case .anyKey: put(".*")
        case .anyElement: put("[*]")
        case .subscripts(let subscripts):
            put("[")
            for (index, subscript_) in subscripts.enumerated() {
                if index > 0 { put(",") }
                plain(subscript_.from, into: &text)
                if let to = subscript_.to {
                    put(" to ")
                    plain(to, into: &text)
                }
            }
            put("]")
        case .anyLevel(let from, let to):
            put(".**")
            if from == 0 && to == nil { return }
            func level(_ value: Int?) -> String { value.map(String.init) ?? "last" }
            put(from == to ? "{\(level(from))}" : "{\(level(from)) to \(level(to))}")
        case .method(let method): put(".\(method.rawValue)()")
        case .datetime(let template):
            put(".datetime(")
            if let template { plain(template, into: &text) }
            put(")")
        case .filter(let predicate):
            put("?(")
            plain(predicate, into: &text)
            put(")")
        }
    }
}
