// Expressions in a form that other rules and scans understand: constants folded, negations inward, IN lists, comparisons
// of bare columns with literals.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

struct SimplifyExpressions: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        let simplifier = ExpressionSimplifier(registry: environment.registry, context: environment.context)
        return plan.rewritten { simplifier.simplify($0) }
    }
}

struct ExpressionSimplifier {
    let registry: FunctionRegistry
    let context: EvaluationContext

    /// The node with simpler expressions. Filters that are never true give the empty relation.
    func simplify(_ plan: LogicalPlan) -> LogicalPlan {
        switch plan {
        case .filter(let node):
            let predicate = simplifyPredicate(node.predicate)
            if predicate == .true { return node.input }
            if let value = predicate.literal, value != .boolean(true) {
                return .values(LogicalValues(columns: node.input.columns, rows: []))
            }
            return .filter(LogicalFilter(predicate: predicate, input: node.input))
        case .join(var node):
            // To a null-aware join an unknown condition is not the same as a false one.
            node.condition = node.isNullAware ? simplify(node.condition) : simplifyPredicate(node.condition)
            return .join(node)
        case .scan(var node):
            node.predicates = node.predicates.map(simplifyPredicate)
            return .scan(node)
        default: return plan.mapExpressions(simplify)
        }
    }

    /// For a place where NULL is as good as FALSE.
    private func simplifyPredicate(_ predicate: Expression) -> Expression {
        let simple = simplify(predicate)
        return simple.literal == .null ? .false : simple
    }

    func simplify(_ expression: Expression) -> Expression {
        switch expression {
        case .column, .literal, .parameter, .input: return expression
        default: break
        }
        // Calls whose evaluation fails stay as they are: they must fail when the query runs, if at all.
        let folded = (try? ConstantFolder.fold(expression, registry: registry, context: context)) ?? expression
        return folded.rewritten(step)
    }

    private func step(_ expression: Expression) -> Expression {
        switch expression {
        case .and(let operands): return Self.simplifiedConjunction(operands)
        case .or(let operands): return Self.simplifiedDisjunction(operands)
        case .not(let operand): return negated(operand)
        case .inList(let needle, let values):
            if values.count == 1 { return .comparison("=", needle, .literal(values[0], needle.type)) }
            if let (column, converted) = unwrapped(needle, values) { return .inList(column, converted) }
            return expression
        case .call: return unwrappedComparison(expression) ?? expression
        case .cast(let operand, let type, _) where operand.type == type: return operand
        default: return expression
        }
    }

    private func negated(_ operand: Expression) -> Expression {
        switch operand {
        case .not(let inner): return inner
        case .literal(.boolean(let value), _): return value ? .false : .true
        case .literal(.null, let type): return .null(type)
        case .and(let operands): return Self.simplifiedDisjunction(operands.map(negated))
        case .or(let operands): return Self.simplifiedConjunction(operands.map(negated))
        case .call(var call) where operand.asComparison != nil && call.isStrict:
            guard let name = Expression.negatedComparison(call.name) else { return .not(operand) }
            call.name = name
            return .call(call)
        default: return .not(operand)
        }
    }

    static func simplifiedConjunction(_ operands: [Expression]) -> Expression {
        var result = DistinctExpressions()
        for operand in operands.flatMap(\.conjuncts) {
            if operand.literal == .boolean(false) { return .false }
            result.append(operand)
        }
        return .conjunction(result.expressions)
    }

    /// Conjuncts that all branches share stand in front; equalities of one operand with constants are an IN list.
    static func simplifiedDisjunction(_ operands: [Expression]) -> Expression {
        var distinct = DistinctExpressions()
        for operand in operands.flatMap(\.disjuncts) {
            if operand.literal == .boolean(true) { return .true }
            if operand.literal != .boolean(false) { distinct.append(operand) }
        }
        let branches = distinct.expressions
        if branches.isEmpty { return .false }
        if branches.count == 1 { return branches[0] }
        // The shared conjuncts must not be asked before what guards them within the branches.
        let common = branches[0].conjuncts.filter { conjunct in
            !conjunct.canFail && !conjunct.isVolatile && branches.allSatisfy { $0.conjuncts.contains(conjunct) }
        }
        if !common.isEmpty {
            let rest = branches.map { branch in
                Expression.conjunction(branch.conjuncts.filter { !common.contains($0) })
            }
            return simplifiedConjunction(common + [simplifiedDisjunction(rest)])
        }
        var lists: [(needle: Expression, values: [ScalarValue], known: Set<ScalarValue>)] = []
        var listIndexes: [Expression: Int] = [:]
        var others: [Expression] = []
        for branch in branches {
            var found: (Expression, [ScalarValue])?
            if case .inList(let needle, let values) = branch { found = (needle, values) }
            if let (name, left, right) = branch.asComparison, name == "=" {
                if let value = right.literal, !left.isLiteral { found = (left, [value]) }
                if let value = left.literal, !right.isLiteral { found = (right, [value]) }
            }
            guard let (needle, values) = found, !needle.isVolatile else {
                others.append(branch)
                continue
            }
            if let index = listIndexes[needle] {
                for value in values where lists[index].known.insert(value).inserted {
                    lists[index].values.append(value)
                }
            } else {
                listIndexes[needle] = lists.count
                lists.append((needle, values, Set(values)))
            }
        }
        let merged = lists.map { list -> Expression in
            list.values.count == 1
                ? .comparison("=", list.needle, .literal(list.values[0], list.needle.type))
                : .inList(list.needle, list.values)
        }
        let all = merged + others
        return all.count == 1 ? all[0] : .or(all)
    }

    // MARK: Casts of columns

    /// `cast(column) op literal` as `column op literal'`, where the cast loses nothing and the literal has an equal value.
    private func unwrappedComparison(_ expression: Expression) -> Expression? {
        guard case .call(var call) = expression, let (_, left, right) = expression.asComparison else { return nil }
        if let value = right.literal, let (column, values) = unwrapped(left, [value]) {
            call.arguments = [column, .literal(values[0], column.type)]
            return .call(call)
        }
        if let value = left.literal, let (column, values) = unwrapped(right, [value]) {
            call.arguments = [.literal(values[0], column.type), column]
            return .call(call)
        }
        return nil
    }

    private func unwrapped(_ expression: Expression, _ values: [ScalarValue]) -> (Expression, [ScalarValue])? {
        guard case .cast(let operand, let type, _) = expression, operand.type.converts(losslesslyTo: type) else {
            return nil
        }
        if case .char = operand.type { return nil }
        var converted: [ScalarValue] = []
        for value in values {
            guard let result = Self.convert(value, type, to: operand.type) else { return nil }
            converted.append(result)
        }
        return (operand, converted)
    }

    /// The value of another type that is equal to the given one, if there is one.
    private static func convert(_ value: ScalarValue, _ from: DataType, to type: DataType) -> ScalarValue? {
        if value.isNull { return .null }
        switch (from, type) {
        case (.int16, _) where type.isInteger, (.int32, _) where type.isInteger, (.int64, _) where type.isInteger:
            guard case .integer(let number) = value else { return nil }
            let unusedBits = 64 - type.physical.width * 8
            return (number << unusedBits) >> unusedBits == number ? value : nil
        case (.decimal(_, let fromScale), .decimal(let precision, let scale)):
            guard case .decimal(var number) = value else { return nil }
            for _ in scale..<max(scale, fromScale) {
                if number % 10 != 0 { return nil }
                number /= 10
            }
            for _ in fromScale..<max(scale, fromScale) { number *= 10 }
            return fits(number, precision) ? .decimal(number) : nil
        case (.numeric, .decimal(let precision, let scale)):
            guard case .bytes(let bytes) = value else { return nil }
            let number = NumericBlob.value(bytes)
            guard number.isFinite, number.scaleMin <= scale else { return nil }
            return number.unscaled(precision: precision, scale: scale).map { .decimal($0) }
        case (.numeric, _) where type.isInteger:
            guard case .bytes(let bytes) = value else { return nil }
            let number = NumericBlob.value(bytes)
            guard number.isFinite, number.scaleMin == 0, let small = number.int64 else { return nil }
            return convert(.integer(small), .int64, to: type)
        case (.decimal(_, let scale), _) where type.isInteger:
            guard case .decimal(var number) = value else { return nil }
            for _ in 0..<scale {
                if number % 10 != 0 { return nil }
                number /= 10
            }
            guard let small = Int64(exactly: number) else { return nil }
            return convert(.integer(small), .int64, to: type)
        case (.text, .varchar), (.varchar, .varchar), (.varchar, .text): return value
        case (.timestamp, .date):
            guard case .integer(let microseconds) = value, microseconds % 86_400_000_000 == 0 else { return nil }
            return .integer(microseconds / 86_400_000_000)
        default: return nil
        }
    }

    private static func fits(_ number: Int128, _ precision: Int) -> Bool {
        var limit: Int128 = 1
        for _ in 0..<precision { limit *= 10 }
        return number > -limit && number < limit
    }
}

extension Expression {
    /// The operands of nested ORs.
    var disjuncts: [Expression] {
        if case .or(let operands) = self { operands.flatMap(\.disjuncts) } else { [self] }
    }
}
