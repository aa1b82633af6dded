// Writes the expressions of a view: with parentheses around every operation, or only where they are needed.

/// What is around an expression, as far as parentheses depend on it.
private enum Surroundings {
    case operation(String?, isFirst: Bool)
    case and, or, not
    case conversion
    /// Commas or words enclose it.
    case enclosed
    case other
}

extension ViewWriter {
    /// `showsImplicit`: whether a conversion that nobody wrote is shown where it is outermost.
    mutating func write(_ expression: ShownExpression, showsImplicit: Bool) {
        switch expression {
        case .word(let word): text += word
        case .constant(let constant): write(constant, showsType: constant.needsType)
        case .conversion(let operand, let type, _, let isImplicit):
            if isImplicit, !showsImplicit {
                write(operand, in: .conversion, showsImplicit: false)
            } else {
                writeConversion(operand, to: type)
            }
        case .prefix(let symbol, let operand):
            operation {
                $0.text += symbol + " "
                $0.write(operand, in: .operation(nil, isFirst: true), showsImplicit: true)
            }
        case .infix(let symbol, let left, let right):
            operation {
                $0.write(left, in: .operation(symbol, isFirst: true), showsImplicit: true)
                $0.text += " \(symbol) "
                $0.write(right, in: .operation(symbol, isFirst: false), showsImplicit: true)
            }
        case .and(let operands): write(operands, " AND ", .and)
        case .or(let operands): write(operands, " OR ", .or)
        case .not(let operand):
            operation {
                $0.text += "NOT "
                $0.write(operand, in: .not, showsImplicit: false)
            }
        case .test(let operand, let words, let hidesConversions):
            operation {
                $0.write(operand, in: .other, showsImplicit: !hidesConversions)
                $0.text += words
            }
        case .distinct(let left, let right):
            operation {
                $0.write(left, in: .other, showsImplicit: true)
                $0.text += " IS DISTINCT FROM "
                $0.write(right, in: .other, showsImplicit: true)
            }
        case .quantified(let words, let left, let right, let cast):
            operation {
                $0.write(left, in: .other, showsImplicit: true)
                $0.text += " \(words) ("
                $0.write(right, in: .other, showsImplicit: true)
                if let cast { $0.text += "::" + cast }
                $0.text += ")"
            }
        case .call(let call): write(call)
        case .list(let open, let elements, let close):
            text += open
            separated(elements) { $0.write($1, showsImplicit: true) }
            text += close
        case .spelled(let parts):
            for part in parts {
                switch part {
                case .word(let word): text += word
                case .operand(let operand): write(operand, showsImplicit: false)
                case .operatorOperand(let operand): write(operand, in: .conversion, showsImplicit: false)
                }
            }
        case .choice(let operand, let branches, let otherwise): write(operand, branches, otherwise)
        case .collation(let operand, let name):
            operation {
                $0.write(operand, in: .other, showsImplicit: showsImplicit)
                $0.text += " COLLATE " + name
            }
        case .elements(let operand, let subscripts): write(operand, subscripts)
        case .field(let record, let name):
            var isField = false
            if case .field = record { isField = true }
            if !isField { text += "(" }
            write(record, showsImplicit: true)
            text += (isField ? "." : ").") + quoted(name)
        case .query(let subquery): write(subquery)
        }
    }

    private mutating func operation(_ body: (inout ViewWriter) -> Void) {
        if !style.isPretty { text += "(" }
        body(&self)
        if !style.isPretty { text += ")" }
    }

    private mutating func write(_ operands: [ShownExpression], _ word: String, _ surroundings: Surroundings) {
        operation { writer in
            for (index, operand) in operands.enumerated() {
                if index > 0 { writer.text += word }
                writer.write(operand, in: surroundings, showsImplicit: false)
            }
        }
    }

    private mutating func write(
        _ expression: ShownExpression, in surroundings: Surroundings, showsImplicit: Bool
    ) {
        let needsParentheses = style.isPretty && !Self.isSimple(expression, in: surroundings)
        if needsParentheses { text += "(" }
        write(expression, showsImplicit: showsImplicit)
        if needsParentheses { text += ")" }
    }

    /// Whether an expression needs no parentheses within another.
    private static func isSimple(_ expression: ShownExpression, in surroundings: Surroundings) -> Bool {
        switch expression {
        case .word, .constant, .call, .list, .choice, .spelled, .elements, .field: return true
        case .conversion(let operand, _, let kind, _):
            return kind == .function || isSimple(operand, in: .other)
        case .infix(let symbol, _, _):
            if case .operation(let outer, let isFirst) = surroundings {
                return binds(symbol, tighterThan: outer, isFirst: isFirst)
            }
            return isEnclosed(surroundings)
        case .prefix, .test, .distinct, .query: return isEnclosed(surroundings)
        case .and, .not:
            switch surroundings {
            case .and, .or, .enclosed: return true
            default: return false
            }
        case .or:
            switch surroundings {
            case .or, .enclosed: return true
            default: return false
            }
        case .quantified, .collation: return false
        }
    }

    private static func isEnclosed(_ surroundings: Surroundings) -> Bool {
        switch surroundings {
        case .and, .or, .not, .enclosed: true
        case .operation, .conversion, .other: false
        }
    }

    private static func binds(_ symbol: String, tighterThan outer: String?, isFirst: Bool) -> Bool {
        let (sums, products): (Set<String>, Set<String>) = (["+", "-"], ["*", "/", "%"])
        guard let outer, sums.contains(symbol) || products.contains(symbol),
            sums.contains(outer) || products.contains(outer)
        else { return false }
        if products.contains(symbol), sums.contains(outer) { return true }
        if sums.contains(symbol), products.contains(outer) { return false }
        return isFirst
    }

    private mutating func write(_ constant: ShownConstant, showsType: Bool) {
        text += constant.text
        if showsType { text += "::" + constant.type }
    }

    private mutating func writeConversion(_ operand: ShownExpression, to type: String) {
        // A constant of the type that only its modifiers were given to.
        let plain = type.prefix { $0 != "(" }
        if case .constant(let constant) = operand, constant.type == plain, !constant.isNull {
            write(constant, showsType: false)
        } else {
            if !style.isPretty { text += "(" }
            write(operand, in: .conversion, showsImplicit: false)
            if !style.isPretty { text += ")" }
        }
        text += "::" + type
    }

    /// A key of ORDER BY, GROUP BY or PARTITION BY: what could be read as something else gets parentheses.
    mutating func writeKey(_ key: ShownExpression) {
        switch key {
        case .word: write(key, showsImplicit: true)
        case .constant(let constant): write(constant, showsType: true)
        default:
            let isFunction: Bool
            switch key {
            case .call: isFunction = true
            case .conversion(_, _, let kind, _): isFunction = kind == .function
            case .spelled: isFunction = true
            default: isFunction = false
            }
            let isEnclosed = style.isPretty || isFunction
            if isEnclosed { text += "(" }
            write(key, showsImplicit: true)
            if isEnclosed { text += ")" }
        }
    }

    mutating func write(_ keys: [ShownSortKey]) {
        separated(keys) { writer, item in
            switch item.key {
            case .expression(let expression): writer.writeKey(expression)
            case .number(let number): writer.text += String(number)
            }
            writer.text += item.suffix
        }
    }

    // MARK: - Calls, CASE, sub-queries

    private mutating func write(_ call: ShownCall) {
        text += call.name + (call.isDistinct ? "(DISTINCT " : "(")
        if call.isStar { text += "*" }
        separated(call.arguments) { $0.write($1, showsImplicit: true) }
        if !call.orderBy.isEmpty {
            text += " ORDER BY "
            write(call.orderBy)
        }
        if !call.withinGroup.isEmpty {
            text += ") WITHIN GROUP (ORDER BY "
            write(call.withinGroup)
        }
        if let filter = call.filter {
            text += ") FILTER (WHERE "
            write(filter, showsImplicit: false)
        }
        text += ")"
        switch call.window {
        case nil: break
        case .named(let name)?: text += " OVER " + quoted(name)
        case .specification(let window)?:
            text += " OVER "
            write(window)
        }
    }

    mutating func write(_ window: ShownWindow) {
        text += "("
        var isFirst = true
        func space(_ writer: inout ViewWriter) {
            if !isFirst { writer.text += " " }
            isFirst = false
        }
        if let base = window.base {
            space(&self)
            text += quoted(base)
        }
        if !window.partitionBy.isEmpty {
            space(&self)
            text += "PARTITION BY "
            separated(window.partitionBy) { $0.writeKey($1) }
        }
        if !window.orderBy.isEmpty {
            space(&self)
            text += "ORDER BY "
            write(window.orderBy)
        }
        if let frame = window.frame {
            space(&self)
            text += frame.unit + (frame.end == nil ? " " : " BETWEEN ")
            write(frame.start)
            if let end = frame.end {
                text += " AND "
                write(end)
            }
            if let exclusion = frame.exclusion { text += " EXCLUDE " + exclusion }
        }
        text += ")"
    }

    private mutating func write(_ bound: ShownFrame.Bound) {
        switch bound {
        case .words(let words): text += words
        case .offset(let distance, let word):
            write(distance, showsImplicit: false)
            text += " " + word
        }
    }

    private mutating func write(
        _ operand: ShownExpression?, _ branches: [ShownBranch], _ otherwise: ShownExpression
    ) {
        line("CASE", after: 4)
        if let operand {
            text += " "
            write(operand, showsImplicit: true)
        }
        for branch in branches {
            line("WHEN ")
            write(branch.when, showsImplicit: false)
            text += " THEN "
            write(branch.then, showsImplicit: true)
        }
        line("ELSE ")
        write(otherwise, showsImplicit: true)
        line("END", before: -4)
    }

    private mutating func write(_ operand: ShownExpression, _ subscripts: [ShownSubscript]) {
        var isBare = false
        switch operand {
        case .word, .field: isBare = true
        default: break
        }
        if !isBare { text += "(" }
        write(operand, showsImplicit: true)
        if !isBare { text += ")" }
        for item in subscripts {
            text += "["
            switch item {
            case .index(let index): write(index, showsImplicit: false)
            case .slice(let lower, let upper):
                if let lower { write(lower, showsImplicit: false) }
                text += ":"
                if let upper { write(upper, showsImplicit: false) }
            }
            text += "]"
        }
    }

    private mutating func write(_ subquery: ShownSubquery) {
        var isWrapped = true
        switch subquery.kind {
        case .scalar:
            text += "("
            isWrapped = false
        case .array:
            text += "ARRAY("
            isWrapped = false
        case .exists: text += "(EXISTS "
        case .compared(let operands, let isRow, let words):
            text += "("
            if isRow {
                text += "("
                separated(operands) { $0.write($1, showsImplicit: true) }
                text += ")"
            } else {
                operands.forEach { write($0, showsImplicit: true) }
            }
            text += " \(words) "
        }
        if isWrapped { text += "(" }
        write(subquery.query, names: nil, showsNames: false)
        text += isWrapped ? "))" : ")"
    }
}
