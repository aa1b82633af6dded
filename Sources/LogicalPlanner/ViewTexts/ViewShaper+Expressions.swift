// Expressions: what predicates stand for, which conversions nobody wrote, and constants as their types show them.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension ViewShaper {
    typealias Shaped = (expression: ShownExpression, type: DataType)

    func type(_ syntax: SyntaxExpression, _ level: Level) throws -> DataType {
        try binder.operand(syntax, level.scope).type
    }

    static func name(_ type: DataType) -> String { TypeConversion.displayName(type) }
    static func isSame(_ a: DataType, _ b: DataType) -> Bool { name(a) == name(b) }

    /// An expression as a value of a type.
    func shape(_ syntax: SyntaxExpression, as wanted: DataType, _ level: Level) throws -> ShownExpression {
        switch syntax.kind {
        case .literal(.string(let text)): return .constant(try constant(text, wanted))
        case .literal(.null): return .constant(try null(wanted))
        default: return try converted(shape(syntax, level), to: wanted)
        }
    }

    func converted(_ shaped: Shaped, to wanted: DataType) throws -> ShownExpression {
        if Self.isSame(shaped.type, wanted) { return shaped.expression }
        guard shaped.type != .unknown, !wanted.isUserDefined, !shaped.type.isUserDefined else { throw Unknown() }
        return .conversion(
            shaped.expression, type: Self.name(wanted), kind: Self.conversion(shaped.type, wanted), isImplicit: true)
    }

    /// Whether a conversion calls a function or only gives the value, or its text, another type.
    private static func conversion(_ from: DataType, _ to: DataType) -> ShownExpression.Conversion {
        func isText(_ type: DataType) -> Bool { name(type) == "text" || name(type) == "character varying" }
        if case .array = to { return .relabelling }
        if isText(from), isText(to) { return .relabelling }
        if from == .boolean, isText(to) { return .function }
        if case .char = from, isText(to) { return .function }
        if isText(from) || isText(to) { return to == .name || from == .name ? .function : .relabelling }
        return .function
    }

    // MARK: - Constants

    func null(_ type: DataType) throws -> ShownConstant {
        let type = type == .unknown ? DataType.text : type
        guard !type.isUserDefined else { throw Unknown() }
        return ShownConstant(text: "NULL", type: Self.name(type), needsType: true, isNull: true)
    }

    /// A literal read as a value of a type.
    func constant(_ text: String, _ type: DataType) throws -> ShownConstant {
        let type = type == .unknown ? DataType.text : type
        guard !type.isUserDefined else { throw Unknown() }
        if case .char = type {
            return ShownConstant(text: Self.literal(text), type: "bpchar", needsType: true)
        }
        let plain = type.withoutModifiers
        guard case .literal(let value, _) = try? binder.registry.convert(.literal(.string(text), .text), to: plain)
        else { throw Unknown() }
        return try constant(value, plain)
    }

    private func constant(_ value: ScalarValue, _ type: DataType) throws -> ShownConstant {
        let text = TextFormat.text(of: value, type: type)
        switch type {
        case .boolean:
            return ShownConstant(text: text.hasPrefix("t") ? "true" : "false", type: "boolean", needsType: false)
        case .int32 where !text.hasPrefix("-"): return ShownConstant(text: text, type: "integer", needsType: false)
        case .decimal, .numeric:
            let isNumber = text.first?.isNumber == true && text.contains { "eE.".contains($0) }
            return ShownConstant(
                text: isNumber ? text : Self.literal(text), type: "numeric", needsType: !isNumber)
        default: return ShownConstant(text: Self.literal(text), type: Self.name(type), needsType: true)
        }
    }

    private static func literal(_ text: String) -> String { SyntaxPrinter.stringLiteral(text) }

    private func number(_ text: String) throws -> ShownConstant {
        let isNegative = text.hasPrefix("-")
        let digits = text.drop { $0 == "-" }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isNumber) }), parts.count <= 2,
            parts[0].count == 1 || !parts[0].hasPrefix("0")
        else { throw Unknown() }
        let isBare = !isNegative && parts.count == 2
        return ShownConstant(text: isBare ? text : "'\(text)'", type: "numeric", needsType: !isBare)
    }

    // MARK: - Expressions

    func shape(_ syntax: SyntaxExpression, _ level: Level) throws -> Shaped {
        let type = try self.type(syntax, level)
        return (try expression(syntax, type, level), type)
    }

    private func expression(_ syntax: SyntaxExpression, _ type: DataType, _ level: Level) throws -> ShownExpression {
        switch syntax.kind {
        case .column(let parts): return .word(try word(parts, level))
        case .literal(.integer(let value)):
            if Int32(exactly: value) != nil { return .constant(try constant(.integer(value), .int32)) }
            return .constant(ShownConstant(text: "'\(value)'", type: "bigint", needsType: true))
        case .literal(.decimal(let text)): return .constant(try number(text))
        case .literal(.boolean(let value)):
            return .constant(ShownConstant(text: value ? "true" : "false", type: "boolean", needsType: false))
        case .literal(.string(let text)): return .constant(try constant(text, .text))
        case .literal(.null): return .constant(try null(.text))
        case .typedLiteral(let written, let text): return try typedLiteral(text, written)
        case .cast(let operand, let written, let kind): return try cast(operand, written, kind, level)
        case .unary(let symbol, let operand):
            let shaped = try shape(operand, level)
            guard ["-", "+"].contains(symbol.symbol), symbol.schema == nil, shaped.type.isNumeric else {
                throw Unknown()
            }
            return .prefix(symbol.symbol, shaped.expression)
        case .binary(let symbol, let left, let right):
            guard symbol.schema == nil else { throw Unknown() }
            return try infix(symbol.symbol, left, right, level)
        case .and, .or:
            let operands = try Self.chain(syntax).map { try condition($0, level) }
            if case .and = syntax.kind { return .and(operands) }
            return .or(operands)
        case .not(let operand): return .not(try condition(operand, level))
        case .isNull(let operand, let negated):
            let shaped = try shape(operand, level)
            if case .record = shaped.type { throw Unknown() }
            return .test(shaped.expression, negated ? " IS NOT NULL" : " IS NULL", hidesConversions: false)
        case .isTruth(let operand, let value, let negated):
            return .test(
                try condition(operand, level), " IS \(negated ? "NOT " : "")\(value.rawValue.uppercased())",
                hidesConversions: true)
        case .isDistinct(let left, let right, let negated):
            let (a, b) = try operands("=", left, right, level)
            return negated ? .not(.distinct(a, b)) : .distinct(a, b)
        case .between(let predicate): return try between(predicate, level)
        case .inList(let value, let list, let negated): return try inList(value, list, negated, level)
        case .like(let predicate): return try like(predicate, level)
        case .quantified(let comparison): return try quantified(comparison, level)
        case .inQuery(let value, let query, let negated):
            let shown = try compared(value, query, "IN", "=", level)
            return negated ? .not(shown) : shown
        case .exists(let query): return .query(.init(kind: .exists, query: try subquery(query, level)))
        case .scalarQuery(let query): return .query(.init(kind: .scalar, query: try subquery(query, level)))
        case .arrayQuery(let query): return .query(.init(kind: .array, query: try subquery(query, level)))
        case .array(let elements):
            guard case .array(let element) = type, !elements.isEmpty else { throw Unknown() }
            return try array(elements, of: element, level)
        case .row(let fields, _):
            guard case .record(let types) = type, types.count == fields.count else { throw Unknown() }
            return .list("ROW(", try zip(fields, types).map { try shape($0, as: $1.type, level) }, close: ")")
        case .field(let record, let name): return .field(try shape(record, level).expression, name)
        case .subscripts(let operand, let subscripts): return try elements(operand, subscripts, level)
        case .caseWhen(let expression): return try choice(expression, type, level)
        case .coalesce(let operands): return try list("COALESCE(", operands, type, level)
        case .greatest(let operands): return try list("GREATEST(", operands, type, level)
        case .least(let operands): return try list("LEAST(", operands, type, level)
        case .nullIf(let left, let right):
            let (a, b) = try operands("=", left, right, level)
            return .list("NULLIF(", [a, b], close: ")")
        case .grouping(let operands):
            return .list("GROUPING(", try operands.map { try shape($0, level).expression }, close: ")")
        case .collate(let operand, let collation):
            return .collation(try shape(operand, as: .text, level), QuotedNames.quoted(collation.last))
        case .atTimeZone(let value, let zone):
            guard [.timestamp, .timestampTZ, .timeTZ].contains(try self.type(value, level)) else { throw Unknown() }
            let isOffset = try self.type(zone, level) == .interval
            return .spelled([
                .word("("), .operatorOperand(try shape(value, level).expression), .word(" AT TIME ZONE "),
                .operatorOperand(isOffset ? try shape(zone, level).expression : try shape(zone, as: .text, level)),
                .word(")"),
            ])
        case .function(let call): return try function(call, type, level)
        case .sessionValue(let value, let precision):
            return .list(value.rawValue.uppercased() + (precision.map { "(\($0))" } ?? ""), [], close: "")
        case .literal(.bits), .star, .parameter, .defaultValue: throw Unknown()
        }
    }

    /// The operands of AND or OR; those of a first operand of the same kind are among them.
    private static func chain(_ syntax: SyntaxExpression) -> [SyntaxExpression] {
        switch syntax.kind {
        case .and(let operands):
            guard let first = operands.first, case .and = first.kind else { return operands }
            return chain(first) + operands.dropFirst()
        case .or(let operands):
            guard let first = operands.first, case .or = first.kind else { return operands }
            return chain(first) + operands.dropFirst()
        default: return [syntax]
        }
    }

    private func list(_ open: String, _ operands: [SyntaxExpression], _ type: DataType, _ level: Level) throws
        -> ShownExpression
    {
        .list(open, try operands.map { try shape($0, as: type, level) }, close: ")")
    }

    private func array(_ elements: [SyntaxExpression], of element: DataType, _ level: Level) throws -> ShownExpression {
        .list(
            "ARRAY[",
            try elements.map { item in
                if case .array(let inner) = item.kind { return try array(inner, of: element, level) }
                return try shape(item, as: element, level)
            }, close: "]")
    }

    private func elements(_ operand: SyntaxExpression, _ subscripts: [Subscript], _ level: Level) throws
        -> ShownExpression
    {
        let shaped = try shape(operand, level)
        guard case .array = shaped.type else { throw Unknown() }
        return .elements(
            shaped.expression,
            try subscripts.map { item in
                switch item {
                case .index(let index): return .index(try shape(index, as: .int32, level))
                case .slice(let lower, let upper):
                    return .slice(
                        try lower.map { try shape($0, as: .int32, level) },
                        try upper.map { try shape($0, as: .int32, level) })
                }
            })
    }

    private func choice(_ syntax: CaseExpression, _ type: DataType, _ level: Level) throws -> ShownExpression {
        let settled = type == .unknown ? DataType.text : type
        let branches = try syntax.branches.map { branch -> ShownBranch in
            let then = try shape(branch.then, as: settled, level)
            guard let operand = syntax.operand else {
                return ShownBranch(when: try condition(branch.when, level), then: then)
            }
            return ShownBranch(when: try operands("=", operand, branch.when, level).1, then: then)
        }
        let otherwise = try syntax.otherwise.map { try shape($0, as: settled, level) } ?? .constant(null(settled))
        return .choice(
            operand: try syntax.operand.map { operand in
                if case .literal = operand.kind { throw Unknown() }
                return try shape(operand, level).expression
            }, branches, otherwise: otherwise)
    }

    // MARK: - Casts

    private func typedLiteral(_ text: String, _ written: TypeName) throws -> ShownExpression {
        let named = try binder.resolveType(written)
        guard named.modifier == nil, named.userType == nil else { throw Unknown() }
        let constant = try constant(text, named.type)
        if case .char = named.type {
            // CHAR without a length is one of 1.
            return .conversion(
                .constant(ShownConstant(text: constant.text, type: "character", needsType: true)),
                type: named.type.sqlName, kind: .function, isImplicit: false)
        }
        if hasModifiers(named) {
            return .conversion(
                .constant(constant), type: named.type.sqlName, kind: .function, isImplicit: false)
        }
        return .constant(constant)
    }

    private func hasModifiers(_ named: NamedType) -> Bool {
        switch named.type {
        case .decimal: !named.isUnconstrainedNumeric
        case .numeric(let modifier): modifier != nil
        case .varchar(let length): length != nil
        case .char, .bit: true
        case .varbit(let length): length != nil
        default: false
        }
    }

    private func cast(_ operand: SyntaxExpression, _ written: TypeName, _ kind: CastSyntax, _ level: Level) throws
        -> ShownExpression
    {
        guard kind == .cast else { throw Unknown() }
        let named = try binder.resolveType(written)
        guard named.modifier == nil, named.userType == nil, !named.type.isUserDefined else { throw Unknown() }
        switch operand.kind {
        case .literal(.string(let text)): return try typedLiteral(text, written)
        case .literal(.null):
            guard !hasModifiers(named) else { throw Unknown() }
            return .constant(try null(named.type))
        case .array(let elements):
            guard case .array(let element) = named.type else { throw Unknown() }
            if elements.isEmpty {
                return .conversion(
                    .list("ARRAY[", [], close: "]"), type: named.type.sqlName, kind: .relabelling, isImplicit: false)
            }
            return try array(elements, of: element, level)
        default: break
        }
        let shaped = try shape(operand, level)
        if shaped.type == named.type { return shaped.expression }
        if Self.isSame(shaped.type, named.type) {
            // Taking modifiers away is shown in ways of its own.
            guard hasModifiers(named) else { throw Unknown() }
            return .conversion(
                shaped.expression, type: named.type.sqlName, kind: .function, isImplicit: false)
        }
        return .conversion(
            shaped.expression, type: hasModifiers(named) ? named.type.sqlName : Self.name(named.type),
            kind: hasModifiers(named) ? .function : Self.conversion(shaped.type, named.type), isImplicit: false)
    }

    // MARK: - Sub-queries

    func subquery(_ query: Query, _ level: Level) throws -> ShownQuery {
        try shape(query, parent: level, commonTables: level.scope.commonTables, names: level.names, types: nil)
    }

    /// `value op (query)`: both sides must have the operator's types already.
    func compared(_ value: SyntaxExpression, _ query: Query, _ words: String, _ symbol: String, _ level: Level) throws
        -> ShownExpression
    {
        let columns = try binder.bindSettledQuery(
            query, parent: level.scope, commonTables: level.scope.commonTables
        ).columns
        var values = [value]
        var isRow = false
        if case .row(let fields, _) = value.kind { (values, isRow) = (fields, true) }
        guard values.count == columns.count else { throw Unknown() }
        var shown: [ShownExpression] = []
        for (value, column) in zip(values, columns) {
            let shaped = try shape(value, level)
            guard let (left, right) = Self.operandTypes(symbol, shaped.type, column.type),
                Self.isSame(right, column.type)
            else { throw Unknown() }
            shown.append(try converted(shaped, to: left))
        }
        return .query(
            .init(kind: .compared(shown, isRow: isRow, words), query: try subquery(query, level)))
    }
}

extension DataType {
    /// Types whose names depend on the search path.
    var isUserDefined: Bool {
        switch self {
        case .enumeration, .record: true
        case .array(let element): element.isUserDefined
        default: false
        }
    }

    var isNumeric: Bool { isWholeNumber || self == .float32 || self == .float64 || isExactNumber }

    var isExactNumber: Bool {
        switch self {
        case .decimal, .numeric: true
        default: false
        }
    }
}
