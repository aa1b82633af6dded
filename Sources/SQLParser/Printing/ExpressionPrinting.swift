// Printing expressions.

extension SyntaxPrinter {
    /// Binds tighter than any operator: needs no parentheses anywhere.
    static let primary = 15

    mutating func print(_ expression: Expression) { print(expression, minimum: Precedence.or) }

    /// Prints with parentheses around it if the expression's outermost operator binds looser than `minimum`.
    mutating func print(_ expression: Expression, minimum: Int) {
        if SyntaxPrinter.level(of: expression) < minimum {
            text += "("
            printPlain(expression)
            text += ")"
        } else {
            printPlain(expression)
        }
    }

    /// Prints where only a restricted expression may stand.
    private mutating func printRestricted(_ expression: Expression) {
        print(expression, minimum: Precedence.sign)
    }

    /// How tightly the outermost operator binds.
    private static func level(of expression: Expression) -> Int {
        switch expression.kind {
        case .or: return Precedence.or
        case .and: return Precedence.and
        case .not: return Precedence.not
        case .isNull, .isTruth, .isDistinct: return Precedence.test
        case .between, .inList, .inQuery, .like: return Precedence.membership
        case .quantified: return Precedence.comparison
        case .unary(let name, _): return isSign(name) ? Precedence.sign : Precedence.generic
        case .binary(let name, _, _): return level(of: name)
        case .atTimeZone: return Precedence.atTimeZone
        case .collate: return Precedence.collate
        case .cast(_, _, .cast): return Precedence.cast
        case .literal(.integer(let value)) where value < 0: return Precedence.sign
        case .literal(.decimal(let number)) where number.utf8.first == UInt8(ascii: "-"): return Precedence.sign
        case .function(let call):
            switch call.syntax {
            case .isNormalized: return Precedence.test
            case .overlaps: return Precedence.generic
            default: return primary
            }
        default: return primary
        }
    }

    private static func isSign(_ name: OperatorName) -> Bool {
        name.schema == nil && (name.symbol == "-" || name.symbol == "+")
    }

    private static func level(of name: OperatorName) -> Int {
        if name.schema != nil { return Precedence.generic }
        switch name.symbol {
        case "<", ">", "=", "<=", ">=", "<>": return Precedence.comparison
        case "+", "-": return Precedence.additive
        case "*", "/", "%": return Precedence.multiplicative
        case "^": return Precedence.power
        default: return Precedence.generic
        }
    }

    private mutating func print(_ name: OperatorName) {
        if let schema = name.schema {
            text += "OPERATOR(" + SyntaxPrinter.identifier(schema) + "." + name.symbol + ")"
        } else {
            text += name.symbol
        }
    }

    private mutating func printPlain(_ expression: Expression) {
        switch expression.kind {
        case .literal(let literal): print(literal)
        case .typedLiteral(let type, let value): printTypedLiteral(type, value)
        case .column(let parts): text += parts.map(SyntaxPrinter.identifier).joined(separator: ".")
        case .star(let qualifier): text += (qualifier.map(SyntaxPrinter.identifier) + ["*"]).joined(separator: ".")
        case .parameter(let number): text += "$\(number)"
        case .defaultValue: text += "DEFAULT"
        case .sessionValue(let value, let precision):
            text += value.rawValue.uppercasedASCII
            if let precision { text += "(\(precision))" }
        case .unary, .binary, .and, .or, .not, .atTimeZone, .collate, .cast: printOperator(expression)
        case .isNull, .isTruth, .isDistinct, .between, .inList, .inQuery, .like, .quantified:
            printPredicate(expression)
        case .function(let call): print(call)
        default: printConstruct(expression)
        }
    }

    private mutating func print(_ literal: Literal) {
        switch literal {
        case .null: text += "NULL"
        case .boolean(let value): text += value ? "TRUE" : "FALSE"
        case .integer(let value): text += String(value)
        case .decimal(let number): text += number
        case .string(let value): text += SyntaxPrinter.stringLiteral(value)
        case .bits(let digits): text += "B'\(digits)'"
        }
    }

    // MARK: - Operators

    private mutating func printOperator(_ expression: Expression) {
        switch expression.kind {
        case .unary(let name, let operand):
            print(name)
            let isSign = SyntaxPrinter.isSign(name)
            let inner = SyntaxPrinter.operandText(
                operand, minimum: isSign ? Precedence.sign : Precedence.generic + 1)
            if !isSign || inner.utf8.first.map(ByteClass.isOperator) == true { text += " " }
            text += inner
        case .binary(let name, let left, let right):
            let level = SyntaxPrinter.level(of: name)
            print(left, minimum: level == Precedence.comparison ? level + 1 : level)
            text += " "
            print(name)
            text += " "
            print(right, minimum: level + 1)
        case .and(let operands): printChain(operands, " AND ", minimum: Precedence.and + 1)
        case .or(let operands): printChain(operands, " OR ", minimum: Precedence.or + 1)
        case .not(let operand):
            text += "NOT "
            print(operand, minimum: Precedence.not)
        case .atTimeZone(let value, let zone):
            print(value, minimum: Precedence.atTimeZone)
            text += " AT TIME ZONE "
            print(zone, minimum: Precedence.atTimeZone + 1)
        case .collate(let value, let collation):
            print(value, minimum: Precedence.collate)
            text += " COLLATE "
            print(collation)
        case .cast(let operand, let type, .cast):
            print(operand, minimum: Precedence.cast)
            text += "::"
            print(type)
        case .cast(let operand, let type, .tryCast): printCast("TRY_CAST", operand, type)
        default: break
        }
    }

    private static func operandText(_ operand: Expression, minimum: Int) -> String {
        var printer = SyntaxPrinter()
        printer.print(operand, minimum: minimum)
        return printer.text
    }

    private mutating func printChain(_ operands: [Expression], _ separator: String, minimum: Int) {
        var isFirst = true
        for operand in operands {
            if !isFirst { text += separator }
            isFirst = false
            print(operand, minimum: minimum)
        }
    }

    private mutating func printCast(_ word: String, _ operand: Expression, _ type: TypeName) {
        text += word + "("
        print(operand)
        text += " AS "
        print(type)
        text += ")"
    }

    /// A function of FROM, where only forms with parentheses may stand.
    mutating func printTableFunction(_ expression: Expression) {
        if case .cast(let operand, let type, .cast) = expression.kind {
            printCast("CAST", operand, type)
        } else {
            printPlain(expression)
        }
    }

    // MARK: - Predicates

    private mutating func printPredicate(_ expression: Expression) {
        switch expression.kind {
        case .isNull(let value, let negated):
            print(value, minimum: Precedence.test)
            text += negated ? " IS NOT NULL" : " IS NULL"
        case .isTruth(let value, let truth, let negated):
            print(value, minimum: Precedence.test)
            text += (negated ? " IS NOT " : " IS ") + truth.rawValue.uppercasedASCII
        case .isDistinct(let left, let right, let negated):
            print(left, minimum: Precedence.test)
            text += negated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM "
            print(right, minimum: Precedence.test + 1)
        case .between(let between):
            print(between.value, minimum: Precedence.membership + 1)
            text += between.negated ? " NOT BETWEEN " : " BETWEEN "
            if between.symmetric { text += "SYMMETRIC " }
            printRestricted(between.low)
            text += " AND "
            print(between.high, minimum: Precedence.membership + 1)
        case .inList(let value, let elements, let negated):
            print(value, minimum: Precedence.membership + 1)
            text += negated ? " NOT IN (" : " IN ("
            print(elements)
            text += ")"
        case .inQuery(let value, let query, let negated):
            print(value, minimum: Precedence.membership + 1)
            text += negated ? " NOT IN " : " IN "
            printInParentheses(query)
        case .like(let like):
            print(like.value, minimum: Precedence.membership + 1)
            text += (like.negated ? " NOT " : " ") + like.kind.rawValue.uppercasedASCII + " "
            print(like.pattern, minimum: Precedence.membership + 1)
            if let escape = like.escape {
                text += " ESCAPE "
                print(escape, minimum: Precedence.membership + 1)
            }
        case .quantified(let quantified):
            print(quantified.left, minimum: Precedence.membership + 1)
            text += " "
            print(quantified.comparison)
            text += quantified.quantifier == .any ? " ANY " : " ALL "
            switch quantified.right {
            case .query(let query): printInParentheses(query)
            case .array(let array):
                text += "("
                print(array)
                text += ")"
            }
        default: break
        }
    }

    // MARK: - Constructs with brackets of their own

    private mutating func printConstruct(_ expression: Expression) {
        switch expression.kind {
        case .exists(let query):
            text += "EXISTS "
            printInParentheses(query)
        case .scalarQuery(let query): printInParentheses(query)
        case .arrayQuery(let query):
            text += "ARRAY"
            printInParentheses(query)
        case .array(let elements):
            text += "ARRAY["
            print(elements)
            text += "]"
        case .subscripts(let base, let subscripts): printSubscripts(base, subscripts)
        case .row(let elements, let explicit): printCall(explicit ? "ROW" : "", elements)
        case .field(let base, let field):
            printFieldBase(base)
            text += "." + SyntaxPrinter.identifier(field)
        case .caseWhen(let caseWhen): print(caseWhen)
        case .coalesce(let elements): printCall("COALESCE", elements)
        case .nullIf(let first, let second): printCall("NULLIF", [first, second])
        case .greatest(let elements): printCall("GREATEST", elements)
        case .least(let elements): printCall("LEAST", elements)
        case .grouping(let elements): printCall("GROUPING", elements)
        default: break
        }
    }

    private mutating func printCall(_ name: String, _ arguments: [Expression]) {
        text += name + "("
        print(arguments)
        text += ")"
    }

    /// What stands before `.field`: in parentheses, unless it ends in a field or subscript of something that was.
    private mutating func printFieldBase(_ base: Expression) {
        switch base.kind {
        case .field: return printPlain(base)
        case .subscripts(let inner, _):
            if case .array = inner.kind { break }
            return printPlain(base)
        default: break
        }
        text += "("
        print(base)
        text += ")"
    }

    private mutating func printSubscripts(_ base: Expression, _ subscripts: [Subscript]) {
        switch base.kind {
        case .column, .parameter, .array, .field: printPlain(base)
        default:
            text += "("
            print(base)
            text += ")"
        }
        print(subscripts)
    }

    mutating func print(_ subscripts: [Subscript]) {
        for element in subscripts {
            text += "["
            switch element {
            case .index(let index): print(index)
            case .slice(let lower, let upper):
                if let lower { print(lower) }
                // Spaces keep the colon from the `::` and `:=` it could become.
                text += " : "
                if let upper { print(upper) }
            }
            text += "]"
        }
    }

    private mutating func print(_ caseWhen: CaseExpression) {
        text += "CASE"
        if let operand = caseWhen.operand {
            text += " "
            print(operand)
        }
        for branch in caseWhen.branches {
            text += " WHEN "
            print(branch.when)
            text += " THEN "
            print(branch.then)
        }
        if let otherwise = caseWhen.otherwise {
            text += " ELSE "
            print(otherwise)
        }
        text += " END"
    }

    // MARK: - Functions

    private mutating func print(_ call: FunctionCall) {
        if call.syntax != .plain { return printSpecial(call) }
        printFunctionName(call.name)
        text += "("
        if call.isStar { text += "*" }
        if call.isDistinct { text += "DISTINCT " }
        list(call.arguments) { printer, argument in
            if argument.isVariadic { printer.text += "VARIADIC " }
            if let name = argument.name { printer.text += SyntaxPrinter.identifier(name) + " => " }
            printer.print(argument.value)
        }
        if !call.orderBy.isEmpty {
            if !call.arguments.isEmpty { text += " " }
            printOrderBy(call.orderBy)
        }
        text += ")"
        if !call.withinGroup.isEmpty {
            text += " WITHIN GROUP ("
            printOrderBy(call.withinGroup)
            text += ")"
        }
        if let filter = call.filter {
            text += " FILTER (WHERE "
            print(filter)
            text += ")"
        }
        switch call.nullTreatment {
        case .ignoreNulls: text += " IGNORE NULLS"
        case .respectNulls: text += " RESPECT NULLS"
        case nil: break
        }
        switch call.over {
        case .named(let name):
            text += " OVER "
            print(name)
        case .specification(let window):
            text += " OVER "
            print(window)
        case nil: break
        }
    }

    /// Functions with a syntax of their own.
    private mutating func printSpecial(_ call: FunctionCall) {
        let arguments = call.arguments.map(\.value)
        switch call.syntax {
        case .plain: break
        case .extract:
            text += "EXTRACT("
            if case .literal(.string(let field)) = arguments[0].kind {
                text += field.isEmpty ? "''" : SyntaxPrinter.identifier(field)
            }
            text += " FROM "
            print(arguments[1])
            text += ")"
        case .substring: printWords("SUBSTRING(", arguments, [" FROM ", " FOR "])
        case .substringSimilar:
            text += "SUBSTRING("
            print(arguments[0], minimum: Precedence.sign)
            text += " SIMILAR "
            print(arguments[1], minimum: Precedence.sign)
            text += " ESCAPE "
            print(arguments[2], minimum: Precedence.sign)
            text += ")"
        case .overlay: printWords("OVERLAY(", arguments, [" PLACING ", " FROM ", " FOR "])
        case .position:
            text += "POSITION("
            printRestricted(arguments[1])
            text += " IN "
            printRestricted(arguments[0])
            text += ")"
        case .trim:
            text += call.name.last == "ltrim" ? "TRIM(LEADING " : call.name.last == "rtrim" ? "TRIM(TRAILING " : "TRIM("
            if arguments.count > 1 {
                print(arguments[arguments.count - 1])
                text += " "
            }
            text += "FROM "
            print(arguments.count > 1 ? Array(arguments.dropLast()) : arguments)
            text += ")"
        case .normalize:
            text += "NORMALIZE("
            print(arguments[0])
            printNormalForm(arguments, ", ")
            text += ")"
        case .isNormalized:
            print(arguments[0], minimum: Precedence.test)
            text += " IS"
            printNormalForm(arguments, " ")
            text += " NORMALIZED"
        case .collationFor: printWords("COLLATION FOR (", arguments, [])
        case .overlaps:
            printCall("", Array(arguments.prefix(2)))
            text += " OVERLAPS "
            printCall("", Array(arguments.suffix(2)))
        }
    }

    private mutating func printNormalForm(_ arguments: [Expression], _ separator: String) {
        guard arguments.count > 1, case .literal(.string(let form)) = arguments[1].kind else { return }
        text += separator + form
    }

    private mutating func printWords(_ start: String, _ arguments: [Expression], _ words: [String]) {
        text += start
        for (index, argument) in arguments.enumerated() {
            if index > 0 { text += words[index - 1] }
            print(argument)
        }
        text += ")"
    }

    // MARK: - Windows, ORDER BY

    mutating func print(_ window: WindowSpecification) {
        var parts: [String] = []
        if let base = window.base { parts.append(SyntaxPrinter.identifier(base.text)) }
        if !window.partitionBy.isEmpty {
            var printer = SyntaxPrinter()
            printer.text = "PARTITION BY "
            printer.print(window.partitionBy)
            parts.append(printer.text)
        }
        if !window.orderBy.isEmpty {
            var printer = SyntaxPrinter()
            printer.printOrderBy(window.orderBy)
            parts.append(printer.text)
        }
        if let frame = window.frame {
            var printer = SyntaxPrinter()
            printer.print(frame)
            parts.append(printer.text)
        }
        text += "(" + parts.joined(separator: " ") + ")"
    }

    private mutating func print(_ frame: WindowFrame) {
        text += frame.unit.rawValue.uppercasedASCII + " "
        if let end = frame.end {
            text += "BETWEEN "
            print(frame.start)
            text += " AND "
            print(end)
        } else {
            print(frame.start)
        }
        if let exclusion = frame.exclusion { text += " EXCLUDE " + exclusion.rawValue.uppercasedASCII }
    }

    private mutating func print(_ bound: WindowFrame.Bound) {
        switch bound {
        case .unboundedPreceding: text += "UNBOUNDED PRECEDING"
        case .preceding(let offset):
            print(offset)
            text += " PRECEDING"
        case .currentRow: text += "CURRENT ROW"
        case .following(let offset):
            print(offset)
            text += " FOLLOWING"
        case .unboundedFollowing: text += "UNBOUNDED FOLLOWING"
        }
    }

    mutating func printOrderBy(_ items: [SortItem]) {
        text += "ORDER BY "
        list(items) { printer, item in
            if case .star(qualifier: []) = item.expression.kind {
                printer.text += "ALL"
            } else {
                printer.print(item.expression)
            }
            switch item.direction {
            case .ascending: printer.text += " ASC"
            case .descending: printer.text += " DESC"
            case nil: break
            }
            if let name = item.usingOperator {
                printer.text += " USING "
                printer.print(name)
            }
            switch item.nulls {
            case .first: printer.text += " NULLS FIRST"
            case .last: printer.text += " NULLS LAST"
            case nil: break
            }
        }
    }
}
