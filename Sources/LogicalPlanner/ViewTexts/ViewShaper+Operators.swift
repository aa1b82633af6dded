// Operators and functions: which conversions their operands get.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

extension ViewShaper {
    private static let comparisons: Set<String> = ["=", "<>", "<", "<=", ">", ">="]
    private static let arithmetic: Set<String> = ["+", "-", "*", "/", "%"]
    private static let patterns: Set<String> = ["~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*"]

    private static func isText(_ type: DataType) -> Bool {
        switch type {
        case .text, .varchar: true
        default: false
        }
    }

    /// What an operator's operands are converted to; `nil` where that is not known.
    static func operandTypes(_ symbol: String, _ left: DataType, _ right: DataType) -> (DataType, DataType)? {
        if left == .unknown, right == .unknown {
            return comparisons.contains(symbol) || symbol == "||" || patterns.contains(symbol) ? (.text, .text) : nil
        }
        if left == .unknown || right == .unknown {
            let known = left == .unknown ? right : left
            guard comparisons.contains(symbol) || isText(known) || (known.isNumeric && arithmetic.contains(symbol))
            else { return jsonTypes(symbol, left, right) }
            if isText(known) {
                guard comparisons.contains(symbol) || symbol == "||" || patterns.contains(symbol) else { return nil }
                return (.text, .text)
            }
            switch known {
            case .record, .enumeration, .json, .jsonpath: return nil
            default: return (known, known)
            }
        }
        if isText(left), isText(right) {
            guard comparisons.contains(symbol) || symbol == "||" || patterns.contains(symbol) else { return nil }
            return (.text, .text)
        }
        if left.isNumeric, right.isNumeric {
            guard comparisons.contains(symbol) || arithmetic.contains(symbol) else { return nil }
            return numericTypes(symbol, left, right)
        }
        let moments: Set<DataType> = [.date, .timestamp, .timestampTZ]
        if comparisons.contains(symbol) {
            if moments.contains(left), moments.contains(right) { return (left, right) }
            switch left {
            case .record, .json, .jsonpath: return nil
            default: return isSame(left, right) ? (left, right) : nil
            }
        }
        switch (symbol, left, right) {
        case ("+", .date, .int32), ("-", .date, .int32), ("+", .int32, .date), ("-", .date, .date),
            ("-", .timestamp, .timestamp), ("-", .timestampTZ, .timestampTZ), ("+", .interval, .interval),
            ("-", .interval, .interval), ("*", .interval, .float64), ("*", .float64, .interval),
            ("/", .interval, .float64):
            return (left, right)
        case ("+", .date, .interval), ("-", .date, .interval), ("+", .timestamp, .interval),
            ("-", .timestamp, .interval), ("+", .timestampTZ, .interval), ("-", .timestampTZ, .interval),
            ("+", .time, .interval), ("-", .time, .interval), ("-", .time, .time):
            return (left, right)
        case ("*", .interval, let number), ("/", .interval, let number):
            return number.isNumeric ? (.interval, .float64) : nil
        case ("*", let number, .interval): return number.isNumeric ? (.float64, .interval) : nil
        case ("||", .array, .array), ("@>", .array, .array), ("<@", .array, .array), ("&&", .array, .array):
            return isSame(left, right) ? (left, right) : nil
        case ("||", .array(let element), let other) where isSame(element, other): return (left, right)
        case ("||", let other, .array(let element)) where isSame(element, other): return (left, right)
        case ("||", .text, let other) where !other.isUserDefined: return isConcatenated(other) ? (left, right) : nil
        case ("||", let other, .text) where !other.isUserDefined: return isConcatenated(other) ? (left, right) : nil
        default: return jsonTypes(symbol, left, right)
        }
    }

    private static func isConcatenated(_ type: DataType) -> Bool {
        type.isNumeric || [.boolean, .date, .time, .timestamp, .timestampTZ, .interval, .uuid].contains(type)
    }

    private static func numericTypes(_ symbol: String, _ left: DataType, _ right: DataType) -> (DataType, DataType)? {
        if left.isWholeNumber, right.isWholeNumber {
            guard symbol == "%", left != right else { return (left, right) }
            let wide: DataType = left == .int64 || right == .int64 ? .int64 : .int32
            return (wide, wide)
        }
        let isFloat = { (type: DataType) in type == .float32 || type == .float64 }
        if isFloat(left), isFloat(right) { return symbol == "%" ? nil : (left, right) }
        if isFloat(left) || isFloat(right) {
            if symbol == "%" || left == .float32 || right == .float32 { return nil }
            return (.float64, .float64)
        }
        return (left.isExactNumber ? left : .anyNumeric, right.isExactNumber ? right : .anyNumeric)
    }

    private static func jsonTypes(_ symbol: String, _ left: DataType, _ right: DataType) -> (DataType, DataType)? {
        guard left == .json || left == .jsonb else { return nil }
        switch symbol {
        case "->", "->>":
            if right == .unknown || right == .text { return (left, .text) }
            return right == .int32 ? (left, right) : nil
        case "#>", "#>>": return right == .unknown || right == .array(.text) ? (left, .array(.text)) : nil
        case "?" where left == .jsonb: return right == .unknown || right == .text ? (left, .text) : nil
        case "@>", "<@":
            guard left == .jsonb else { return nil }
            return right == .unknown || right == .jsonb ? (left, .jsonb) : nil
        default: return nil
        }
    }

    /// Both operands with their conversions.
    func operands(_ symbol: String, _ left: SyntaxExpression, _ right: SyntaxExpression, _ level: Level) throws
        -> (ShownExpression, ShownExpression)
    {
        guard let types = Self.operandTypes(symbol, try type(left, level), try type(right, level)) else {
            throw Unknown()
        }
        return (try shape(left, as: types.0, level), try shape(right, as: types.1, level))
    }

    func infix(_ symbol: String, _ left: SyntaxExpression, _ right: SyntaxExpression, _ level: Level) throws
        -> ShownExpression
    {
        if case .row(let fields, _) = left.kind, case .row(let others, _) = right.kind {
            // Rows are compared field by field.
            guard fields.count == others.count, fields.count > 1, symbol == "=" || symbol == "<>" else {
                throw Unknown()
            }
            let tests = try zip(fields, others).map { try infix(symbol, $0, $1, level) }
            return symbol == "=" ? .and(tests) : .or(tests)
        }
        let (a, b) = try operands(symbol, left, right, level)
        return .infix(symbol, a, b)
    }

    // MARK: - Predicates

    func between(_ predicate: BetweenPredicate, _ level: Level) throws -> ShownExpression {
        guard !predicate.symmetric else { throw Unknown() }
        let low = try infix(predicate.negated ? "<" : ">=", predicate.value, predicate.low, level)
        let high = try infix(predicate.negated ? ">" : "<=", predicate.value, predicate.high, level)
        return predicate.negated ? .or([low, high]) : .and([low, high])
    }

    func inList(_ value: SyntaxExpression, _ list: [SyntaxExpression], _ negated: Bool, _ level: Level) throws
        -> ShownExpression
    {
        let symbol = negated ? "<>" : "="
        if list.count == 1 { return try infix(symbol, value, list[0], level) }
        let bound = try ([value] + list).map { try binder.operand($0, level.scope) }
        guard bound.dropFirst().allSatisfy({ $0.expression.columns.isEmpty }) else { throw Unknown() }
        guard var element = TypeConversion.commonType(bound.map(\.type)) else { throw Unknown() }
        if element == .unknown { element = .text }
        element = element.withoutModifiers
        if case .char = element { throw Unknown() }
        let elements = try list.map { try shape($0, as: element, level) }
        guard let (left, right) = Self.operandTypes(symbol, bound[0].type, element) else { throw Unknown() }
        var array = ShownExpression.list("ARRAY[", elements, close: "]")
        if !Self.isSame(right, element) {
            array = .conversion(array, type: Self.name(right) + "[]", kind: .relabelling, isImplicit: true)
        }
        return .quantified(
            symbol + (negated ? " ALL" : " ANY"), try shape(value, as: left, level), array, castOfQuery: nil)
    }

    func like(_ predicate: LikePredicate, _ level: Level) throws -> ShownExpression {
        guard predicate.escape == nil, predicate.kind != .similarTo else { throw Unknown() }
        let symbol = (predicate.negated ? "!" : "") + (predicate.kind == .ilike ? "~~*" : "~~")
        return try infix(symbol, predicate.value, predicate.pattern, level)
    }

    func quantified(_ comparison: QuantifiedComparison, _ level: Level) throws -> ShownExpression {
        let symbol = comparison.comparison.symbol
        let isAny = comparison.quantifier == .any
        switch comparison.right {
        case .query(let query):
            let words = isAny && symbol == "=" ? "IN" : symbol + (isAny ? " ANY" : " ALL")
            return try compared(comparison.left, query, words, symbol, level)
        case .array(let array):
            let own = try type(array, level)
            let leftType = try type(comparison.left, level)
            let element: DataType
            switch own {
            case .array(let type): element = type
            case .unknown: element = leftType == .unknown ? .text : leftType
            default: throw Unknown()
            }
            guard let (left, right) = Self.operandTypes(symbol, leftType, element), Self.isSame(right, element) else {
                throw Unknown()
            }
            var cast: String?
            if case .scalarQuery = array.kind { cast = Self.name(own) }
            let shown = try shape(array, as: .array(element), level)
            if case .cast(let inner, _, _) = array.kind, case .scalarQuery = inner.kind,
                case .query = shown
            {
                cast = Self.name(own)
            }
            return .quantified(
                symbol + (isAny ? " ANY" : " ALL"), try shape(comparison.left, as: left, level), shown,
                castOfQuery: cast)
        }
    }

    // MARK: - Functions

    /// Functions of floating-point and exact numbers only: whole numbers become floating-point numbers.
    private static let functionsOfFloats: Set<String> = [
        "round", "ceil", "ceiling", "floor", "trunc", "sqrt", "exp", "ln", "log", "power", "pow", "cbrt", "sin", "cos",
        "tan", "asin", "acos", "atan", "sign", "degrees", "radians",
    ]
    /// Functions that take dates as they are.
    private static let functionsOfDates: Set<String> = ["extract", "date_part", "isfinite"]

    func function(_ call: FunctionCall, _ type: DataType, _ level: Level) throws -> ShownExpression {
        guard call.name.schema == nil || call.name.schema == "pg_catalog", call.nullTreatment == nil,
            !call.arguments.contains(where: { $0.isVariadic || $0.name != nil })
        else { throw Unknown() }
        let name = call.name.last
        let arguments = try self.arguments(call, level)
        if call.syntax != .plain { return try spelled(call, arguments) }
        var result = ShownCall(name: QuotedNames.quoted(name), arguments: arguments)
        result.isStar = call.isStar
        result.isDistinct = call.isDistinct
        result.orderBy = try call.orderBy.map { try sortKey($0, level) }
        result.withinGroup = try call.withinGroup.map { try sortKey($0, level) }
        result.filter = try call.filter.map { try condition($0, level) }
        switch call.over {
        case nil: break
        case .named(let name)?: result.window = .named(name.text)
        case .specification(let specification)?: result.window = .specification(try shape(specification, level))
        }
        return .call(result)
    }

    /// The arguments as the function that is meant takes them.
    private func arguments(_ call: FunctionCall, _ level: Level) throws -> [ShownExpression] {
        let name = call.name.last
        let own = try call.arguments.map { try type($0.value, level) }
        let registry = binder.registry
        let isAggregate = !registry.aggregateOverloads(name).isEmpty
        let types: [DataType]
        let parameters: [ParameterType]
        if isAggregate {
            let count = own.count + (call.withinGroup.isEmpty ? 0 : 1)
            guard call.withinGroup.isEmpty || own.count <= 1 else { throw Unknown() }
            if !call.withinGroup.isEmpty {
                guard count <= 2, own.allSatisfy({ $0 == .float64 || $0.isExactNumber }) else { throw Unknown() }
                return try call.arguments.map { try shape($0.value, as: .float64, level) }
            }
            let resolved = try registry.resolveAggregate(name, own)
            (types, parameters) = (resolved.parameterTypes, resolved.function.parameters)
        } else if call.over != nil {
            let resolved = try registry.resolveWindow(name, own)
            (types, parameters) = (resolved.parameterTypes, resolved.function.parameters)
        } else if registry.scalarOverloads(name).isEmpty {
            let resolved = try registry.resolveTable(name, own)
            (types, parameters) = (resolved.parameterTypes, resolved.function.parameters)
        } else {
            let resolved = try registry.resolveScalar(name, own)
            (types, parameters) = (resolved.parameterTypes, resolved.function.parameters)
        }
        return try own.indices.map { index in
            let syntax = call.arguments[index].value
            let parameter = index < parameters.count ? parameters[index] : parameters.last ?? .any
            let isOpen: Bool
            switch parameter {
            case .any, .anyElement, .anyArray, .anyEnumeration: isOpen = true
            case .exact, .anyDecimal: isOpen = false
            }
            let isExtreme = name == "min" || name == "max"
            switch own[index] {
            case .unknown:
                guard types[index] != .unknown, parameter != .any else { throw Unknown() }
                return try shape(syntax, as: types[index], level)
            case .varchar where !isOpen || isExtreme: return try shape(syntax, as: .text, level)
            case .char where !isOpen, .name where !isOpen: throw Unknown()
            case .float32 where !isOpen && !isAggregate: throw Unknown()
            case .date where !isOpen && !isAggregate && !Self.functionsOfDates.contains(name): throw Unknown()
            case .int16 where Self.functionsOfFloats.contains(name), .int32 where Self.functionsOfFloats.contains(name),
                .int64 where Self.functionsOfFloats.contains(name):
                if own.count == 2, name == "power" || name == "pow" {
                    let other = own[1 - index]
                    return try shape(syntax, as: other.isExactNumber ? .anyNumeric : .float64, level)
                }
                if own.count == 1 { return try shape(syntax, as: .float64, level) }
                // The number of digits stays one.
                guard index == 1, own[0].isExactNumber, own[1] == .int32 else { throw Unknown() }
                return try shape(syntax, level).expression
            default:
                guard Self.isSame(own[index], types[index]) else { throw Unknown() }
                return try shape(syntax, level).expression
            }
        }
    }

    private func sortKey(_ item: SortItem, _ level: Level) throws -> ShownSortKey {
        ShownSortKey(
            key: .expression(
                try shape(
                    item.expression, as: binder.settled(binder.bind(item.expression, level.scope), at: nil).type, level)
            ),
            suffix: try suffix(item))
    }

    /// Functions with words between their arguments.
    private func spelled(_ call: FunctionCall, _ arguments: [ShownExpression]) throws -> ShownExpression {
        func parts(_ pieces: [(String, ShownExpression)], _ close: String) -> ShownExpression {
            .spelled(pieces.flatMap { [.word($0.0), .operand($0.1)] } + [.word(close)])
        }
        switch call.syntax {
        case .extract:
            guard case .literal(.string(let field))? = call.arguments.first?.value.kind, arguments.count == 2 else {
                throw Unknown()
            }
            return parts([("EXTRACT(\(field) FROM ", arguments[1])], ")")
        case .substring:
            guard arguments.count >= 2 else { throw Unknown() }
            var pieces = [("SUBSTRING(", arguments[0]), (" FROM ", arguments[1])]
            if arguments.count > 2 { pieces.append((" FOR ", arguments[2])) }
            return parts(pieces, ")")
        case .position:
            guard arguments.count == 2 else { throw Unknown() }
            return parts([("POSITION((", arguments[1]), (") IN (", arguments[0])], "))")
        case .overlay:
            guard arguments.count >= 3 else { throw Unknown() }
            var pieces = [("OVERLAY(", arguments[0]), (" PLACING ", arguments[1]), (" FROM ", arguments[2])]
            if arguments.count > 3 { pieces.append((" FOR ", arguments[3])) }
            return parts(pieces, ")")
        case .trim:
            let side: String
            switch call.name.last {
            case "ltrim": side = "LEADING"
            case "rtrim": side = "TRAILING"
            default: side = "BOTH"
            }
            if arguments.count == 1 { return parts([("TRIM(\(side) FROM ", arguments[0])], ")") }
            guard arguments.count == 2 else { throw Unknown() }
            return parts([("TRIM(\(side) ", arguments[1]), (" FROM ", arguments[0])], ")")
        case .plain, .substringSimilar, .normalize, .collationFor, .overlaps, .isNormalized: throw Unknown()
        }
    }

    // MARK: - Windows

    func shape(_ window: WindowSpecification, _ level: Level) throws -> ShownWindow {
        var result = ShownWindow(base: window.base?.text)
        result.partitionBy = try window.partitionBy.map { try sortKeyExpression($0, level) }
        result.orderBy = try window.orderBy.map { item in
            ShownSortKey(key: .expression(try sortKeyExpression(item.expression, level)), suffix: try suffix(item))
        }
        result.frame = try window.frame.map { frame in
            ShownFrame(
                unit: frame.unit.rawValue.uppercased(), start: try shape(frame.start, frame.unit, level),
                end: try frame.end.map { try shape($0, frame.unit, level) },
                exclusion: frame.exclusion == .noOthers ? nil : frame.exclusion?.rawValue.uppercased())
        }
        return result
    }

    private func sortKeyExpression(_ syntax: SyntaxExpression, _ level: Level) throws -> ShownExpression {
        if case .literal = syntax.kind { throw Unknown() }
        return try shape(syntax, level).expression
    }

    private func shape(_ bound: SyntaxWindowFrame.Bound, _ unit: SyntaxWindowFrame.Unit, _ level: Level) throws
        -> ShownFrame.Bound
    {
        func offset(_ syntax: SyntaxExpression, _ word: String) throws -> ShownFrame.Bound {
            let shaped = try shape(syntax, level)
            guard shaped.type == .int32 || shaped.type == .interval else { throw Unknown() }
            return .offset(shaped.expression, word)
        }
        switch bound {
        case .unboundedPreceding: return .words("UNBOUNDED PRECEDING")
        case .currentRow: return .words("CURRENT ROW")
        case .unboundedFollowing: return .words("UNBOUNDED FOLLOWING")
        case .preceding(let distance): return try offset(distance, "PRECEDING")
        case .following(let distance): return try offset(distance, "FOLLOWING")
        }
    }
}
