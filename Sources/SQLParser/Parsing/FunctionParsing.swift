// Calls of functions, aggregates and window functions, and window specifications.

import Diagnostics

extension Parser {
    /// A call; the name has been consumed and its `(` is in hand.
    @inline(never)
    mutating func parseCall(_ name: ObjectName, isQuoted: Bool = false) throws(ParseFailure) -> Expression {
        if name.parts.count == 1, name.parts[0] == "try_cast", previous.kind == .word {
            return try parseTryCast(at: name.position)
        }
        try expectKind(.leftParenthesis)
        return try finishCall(name, isQuoted: isQuoted)
    }

    @inline(never)
    private mutating func parseTryCast(at position: SourcePosition) throws(ParseFailure) -> Expression {
        try expectKind(.leftParenthesis)
        let operand = try parseExpression()
        try expect(.as)
        let type = try parseTypeName()
        try expectKind(.rightParenthesis)
        return Expression(.cast(operand, type, .tryCast), at: position)
    }

    /// The rest of a call behind its `(`, or behind its first argument.
    @inline(never)
    mutating func finishCall(
        _ name: ObjectName, firstArgument: FunctionArgument? = nil, isQuoted: Bool = false
    ) throws(ParseFailure) -> Expression {
        let outer = try enter()
        if name.parts.count > 3 {
            throw ParseFailure(.syntaxError, "improper qualified name (too many dotted names)", at: name.position)
        }
        var call = FunctionCall(name: name, arguments: [])
        if let firstArgument {
            call.arguments.append(firstArgument)
            while try acceptKind(.comma) { call.arguments.append(try parseArgument()) }
        } else if atKind(.star), try peek().kind == .rightParenthesis {
            try advance()
            call.isStar = true
        } else if !atKind(.rightParenthesis) {
            if try accept(.distinct) { call.isDistinct = true } else { _ = try accept(.all) }
            repeat { call.arguments.append(try parseArgument()) } while try acceptKind(.comma)
        }
        if at(.order) { call.orderBy = try parseOrderBy() }
        try parseNullTreatment(&call)
        try expectKind(.rightParenthesis)
        try leave(outer)
        // A constant of a type with modifiers looks like a call until its string comes: float8(3) '1.5'.
        if Parser.isString(token.kind), isTypeWithModifiers(call) {
            return try parseTypedLiteral(
                TypeName(name: name, isQuoted: isQuoted, modifiers: call.arguments.map(\.value)))
        }
        try parseCallClauses(&call)
        return try parsePostfix(after: Expression(.function(call), at: name.position), fields: false)
    }

    @inline(never)
    private func isTypeWithModifiers(_ call: FunctionCall) -> Bool {
        !call.isStar && !call.isDistinct && call.orderBy.isEmpty && call.nullTreatment == nil
            && !call.arguments.isEmpty && call.arguments.allSatisfy { $0.name == nil && !$0.isVariadic }
    }

    @inline(never)
    mutating func parseArgument() throws(ParseFailure) -> FunctionArgument {
        if try accept(.variadic) { return FunctionArgument(name: nil, value: try parseExpression(), isVariadic: true) }
        if atTypeOrFunctionName || atColumnName {
            let next = try peek().kind
            if next == .colonEquals || next == .arrow {
                let name = try takeName()
                try advance()
                return FunctionArgument(name: name, value: try parseExpression(), isVariadic: false)
            }
        }
        return FunctionArgument(name: nil, value: try parseExpression(), isVariadic: false)
    }

    @inline(never)
    private mutating func parseNullTreatment(_ call: inout FunctionCall) throws(ParseFailure) {
        if try accept(.ignore, .nulls) {
            call.nullTreatment = .ignoreNulls
        } else if try accept(.respect, .nulls) {
            call.nullTreatment = .respectNulls
        }
    }

    /// WITHIN GROUP, FILTER, IGNORE NULLS and OVER.
    @inline(never)
    private mutating func parseCallClauses(_ call: inout FunctionCall) throws(ParseFailure) {
        guard token.kind == .word else { return }
        if at(.within), try peek().keyword == .group {
            let position = position()
            try advance()
            try advance()
            if !call.orderBy.isEmpty {
                throw ParseFailure(
                    .syntaxError, "cannot use multiple ORDER BY clauses with WITHIN GROUP", at: position)
            }
            if call.isDistinct {
                throw ParseFailure(.syntaxError, "cannot use DISTINCT with WITHIN GROUP", at: position)
            }
            if call.arguments.contains(where: \.isVariadic) {
                throw ParseFailure(.syntaxError, "cannot use VARIADIC with WITHIN GROUP", at: position)
            }
            try expectKind(.leftParenthesis)
            guard at(.order) else { throw syntaxError() }
            call.withinGroup = try parseOrderBy()
            try expectKind(.rightParenthesis)
        }
        if at(.filter), try peek().kind == .leftParenthesis {
            try advance()
            try advance()
            try expect(.where)
            call.filter = try parseExpression()
            try expectKind(.rightParenthesis)
        }
        if call.nullTreatment == nil, atAny(.ignore, .respect) { try parseNullTreatment(&call) }
        if at(.over) {
            try advance()
            if atKind(.leftParenthesis) {
                call.over = .specification(try parseWindowSpecification())
            } else {
                call.over = .named(try parseIdentifier())
            }
        }
    }

    // MARK: - ORDER BY

    /// `ORDER BY a, b`; the keyword ORDER is in hand.
    @inline(never)
    mutating func parseOrderBy() throws(ParseFailure) -> [SortItem] {
        try expect(.order)
        try expect(.by)
        var items = [try parseSortItem()]
        while try acceptKind(.comma) { items.append(try parseSortItem()) }
        return items
    }

    private mutating func parseSortItem() throws(ParseFailure) -> SortItem {
        let expression: Expression
        if at(.all) {
            let position = position()
            try advance()
            expression = Expression(.star(qualifier: []), at: position)
        } else {
            expression = try parseExpression()
        }
        var direction: SortItem.Direction?
        var usingOperator: OperatorName?
        if try accept(.asc) {
            direction = .ascending
        } else if try accept(.desc) {
            direction = .descending
        } else if try accept(.using) {
            guard Parser.isOperator(token.kind) || at(.operator) else { throw syntaxError() }
            usingOperator = try parseOperatorName()
        }
        var nulls: SortItem.Nulls?
        if at(.nulls) {
            let next = try peek().keyword
            if next == .first || next == .last {
                try advance()
                try advance()
                nulls = next == .first ? .first : .last
            }
        }
        return SortItem(expression: expression, direction: direction, usingOperator: usingOperator, nulls: nulls)
    }

    // MARK: - Windows

    /// `(base PARTITION BY … ORDER BY … frame)`.
    @inline(never)
    mutating func parseWindowSpecification() throws(ParseFailure) -> WindowSpecification {
        let outer = try enter()
        let position = position()
        try expectKind(.leftParenthesis)
        var base: Identifier?
        if atColumnName, !atWindowClause { base = try parseIdentifier() }
        var partitionBy: [Expression] = []
        if try accept(.partition) {
            try expect(.by)
            partitionBy = try parseExpressionList()
        }
        let orderBy = at(.order) ? try parseOrderBy() : []
        let frame = try parseFrame()
        try expectKind(.rightParenthesis)
        try leave(outer)
        return WindowSpecification(
            base: base, partitionBy: partitionBy, orderBy: orderBy, frame: frame, position: position)
    }

    /// PARTITION, RANGE, ROWS and GROUPS begin a clause of the window rather than name another.
    private var atWindowClause: Bool {
        switch token.keyword {
        case .partition, .range, .rows, .groups: return true
        default: return false
        }
    }

    @inline(never)
    private mutating func parseFrame() throws(ParseFailure) -> WindowFrame? {
        let position = position()
        let unit: WindowFrame.Unit
        switch token.keyword {
        case .rows: unit = .rows
        case .range: unit = .range
        case .groups: unit = .groups
        default: return nil
        }
        try advance()
        let start: WindowFrame.Bound
        var end: WindowFrame.Bound?
        let startToken = token
        if try accept(.between) {
            start = try parseFrameBound()
            try expect(.and)
            let endToken = token
            let bound = try parseFrameBound()
            try checkFrame(start, bound, at: endToken)
            end = bound
        } else {
            start = try parseFrameBound()
            if case .following = start {
                throw frameError("frame starting from following row cannot end with current row", startToken)
            }
        }
        if case .unboundedFollowing = start {
            throw frameError("frame start cannot be UNBOUNDED FOLLOWING", startToken)
        }
        var exclusion: WindowFrame.Exclusion?
        if try accept(.exclude) {
            if try accept(.current) {
                try expect(.row)
                exclusion = .currentRow
            } else if try accept(.group) {
                exclusion = .group
            } else if try accept(.ties) {
                exclusion = .ties
            } else {
                try expect(.no)
                try expect(.others)
                exclusion = .noOthers
            }
        }
        return WindowFrame(unit: unit, start: start, end: end, exclusion: exclusion, position: position)
    }

    private mutating func frameError(_ message: String, _ token: Token) -> ParseFailure {
        ParseFailure(.windowingError, message, at: position(of: token))
    }

    private mutating func checkFrame(_ start: WindowFrame.Bound, _ end: WindowFrame.Bound, at token: Token)
        throws(ParseFailure)
    {
        switch (start, end) {
        case (_, .unboundedPreceding): throw frameError("frame end cannot be UNBOUNDED PRECEDING", token)
        case (.currentRow, .preceding):
            throw frameError("frame starting from current row cannot have preceding rows", token)
        case (.following, .preceding):
            throw frameError("frame starting from following row cannot have preceding rows", token)
        case (.following, .currentRow):
            throw frameError("frame starting from following row cannot end with current row", token)
        default: break
        }
    }

    private mutating func parseFrameBound() throws(ParseFailure) -> WindowFrame.Bound {
        if at(.unbounded) {
            let next = try peek().keyword
            if next == .preceding || next == .following {
                try advance()
                try advance()
                return next == .preceding ? .unboundedPreceding : .unboundedFollowing
            }
        }
        if try accept(.current, .row) { return .currentRow }
        let offset = try parseExpression()
        if try accept(.preceding) { return .preceding(offset) }
        try expect(.following)
        return .following(offset)
    }
}
