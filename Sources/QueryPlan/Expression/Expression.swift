// QueryPlan holds bound expressions and plan nodes as plain data. This file: expressions.
//
//   Expression/   bound, typed expressions and the calls in them
//   Logical/      what a query means: columns by identity
//   Physical/     how it runs: columns by position; operators, exchanges and stages

import Columnar
import Diagnostics

/// The identity of a column in a logical plan: made once by the node that computes it, unique within the query.
package struct ColumnID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let number: Int
    package init(_ number: Int) { self.number = number }
    package var description: String { "#\(number)" }
    package static func < (a: ColumnID, b: ColumnID) -> Bool { a.number < b.number }
}

/// A bound, typed scalar expression. Logical plans refer to columns by identity (`column`), physical plans and scan
/// predicates by position (`input`). Aggregate and window calls never stand in an expression: their nodes hold them, and
/// expressions refer to the columns they make.
package indirect enum Expression: Hashable, Sendable {
    case column(ColumnID, DataType)
    /// The column at a position of the input batch.
    case input(Int, DataType)
    case literal(ScalarValue, DataType)
    /// A parameter `$1`… of a prepared statement, from 0; replaced by a literal before execution.
    case parameter(Int, DataType)
    /// A call of a scalar function or operator, resolved by name and argument types in the function registry.
    case call(ScalarCall)
    case cast(Expression, to: DataType, kind: CastKind)
    /// Searched CASE; `otherwise` NULL is a literal. Branches are evaluated only for the rows that reach them.
    case conditional([ConditionalBranch], otherwise: Expression, type: DataType)
    /// Three-valued; evaluation stops for a row as soon as the result is known.
    case and([Expression])
    case or([Expression])
    case not(Expression)
    case isNull(Expression)
    /// `needle IN (list of literals)` of the needle's type, which may hold NULL; three-valued.
    case inList(Expression, [ScalarValue])
    /// Returns the first argument that is not null; evaluates no further than needed.
    case coalesce([Expression], type: DataType)
    /// A sub-query; only between binding and decorrelation.
    case subquery(SubqueryExpression)

    package enum CastKind: UInt8, Hashable, Sendable {
        /// Raises an error when the value does not fit.
        case strict
        /// NULL instead of an error (TRY_CAST).
        case lenient
        /// As strict, for values that go into columns: a text that is longer than its type allows is an error unless only
        /// blanks are cut off.
        case assignment
    }
}

package struct ConditionalBranch: Hashable, Sendable {
    package var condition: Expression
    package var result: Expression
    package init(condition: Expression, result: Expression) {
        self.condition = condition
        self.result = result
    }
}

/// A call of a scalar function. `name` is the registry's name; operators have the names of their symbols ("+", "=", "~~").
package struct ScalarCall: Hashable, Sendable {
    package var name: String
    package var arguments: [Expression]
    /// The types that the chosen overload takes; the binder has cast the arguments to them.
    package var type: DataType
    /// Copied from the function, so that rules need no registry.
    package var volatility: Volatility
    /// Whether a NULL argument makes the result NULL without a call.
    package var isStrict: Bool
    /// Whether some non-null input may raise an error; such a call is not moved above a filter that guards it.
    package var canFail: Bool

    package init(
        name: String, arguments: [Expression], type: DataType, volatility: Volatility = .immutable,
        isStrict: Bool = true, canFail: Bool = true
    ) {
        self.name = name
        self.arguments = arguments
        self.type = type
        self.volatility = volatility
        self.isStrict = isStrict
        self.canFail = canFail
    }
}

/// As PostgreSQL's: immutable is folded at plan time, stable once a statement, volatile for every row.
package enum Volatility: UInt8, Hashable, Sendable { case immutable, stable, volatile }

/// A sub-query within an expression, before decorrelation. Columns of outer queries appear in `plan` as `column`
/// references that nothing inside produces.
package struct SubqueryExpression: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Value of the only column of at most one row; NULL without a row.
        case scalar
        case exists
        /// `needles op ANY (plan)`, three-valued; `comparison` is the operator's name. IN is `= ANY`.
        case any(needles: [Expression], comparison: String)
        /// `needles op ALL (plan)`.
        case all(needles: [Expression], comparison: String)
        /// ARRAY(plan).
        case array
    }
    package var kind: Kind
    package var plan: LogicalPlan
    package var type: DataType
    package init(kind: Kind, plan: LogicalPlan, type: DataType) {
        self.kind = kind
        self.plan = plan
        self.type = type
    }
}

extension Expression {
    package var type: DataType {
        switch self {
        case .column(_, let type), .input(_, let type), .literal(_, let type), .parameter(_, let type),
            .cast(_, let type, _), .conditional(_, _, let type), .coalesce(_, let type):
            type
        case .call(let call): call.type
        case .and, .or, .not, .isNull, .inList: .boolean
        case .subquery(let subquery): subquery.type
        }
    }

    package static let `true` = Expression.literal(.boolean(true), .boolean)
    package static let `false` = Expression.literal(.boolean(false), .boolean)
    package static func null(_ type: DataType) -> Expression { .literal(.null, type) }

    package var isLiteral: Bool { if case .literal = self { true } else { false } }
    package var literal: ScalarValue? { if case .literal(let value, _) = self { value } else { nil } }

    /// The operands, in order of evaluation. Sub-query plans are not entered; their needles are.
    package var children: [Expression] {
        switch self {
        case .column, .input, .literal, .parameter: []
        case .call(let call): call.arguments
        case .cast(let operand, _, _), .not(let operand), .isNull(let operand), .inList(let operand, _): [operand]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.result] } + [otherwise]
        case .and(let operands), .or(let operands), .coalesce(let operands, _): operands
        case .subquery(let subquery):
            switch subquery.kind {
            case .any(let needles, _), .all(let needles, _): needles
            case .scalar, .exists, .array: []
            }
        }
    }

    /// The same expression over other operands; `transform` is applied to each child.
    package func mapChildren(_ transform: (Expression) throws -> Expression) rethrows -> Expression {
        switch self {
        case .column, .input, .literal, .parameter: return self
        case .call(var call):
            call.arguments = try call.arguments.map(transform)
            return .call(call)
        case .cast(let operand, let type, let kind): return .cast(try transform(operand), to: type, kind: kind)
        case .not(let operand): return .not(try transform(operand))
        case .isNull(let operand): return .isNull(try transform(operand))
        case .inList(let operand, let values): return .inList(try transform(operand), values)
        case .conditional(let branches, let otherwise, let type):
            let mapped = try branches.map {
                ConditionalBranch(condition: try transform($0.condition), result: try transform($0.result))
            }
            return .conditional(mapped, otherwise: try transform(otherwise), type: type)
        case .and(let operands): return .and(try operands.map(transform))
        case .or(let operands): return .or(try operands.map(transform))
        case .coalesce(let operands, let type): return .coalesce(try operands.map(transform), type: type)
        case .subquery(var subquery):
            switch subquery.kind {
            case .any(let needles, let comparison):
                subquery.kind = .any(needles: try needles.map(transform), comparison: comparison)
            case .all(let needles, let comparison):
                subquery.kind = .all(needles: try needles.map(transform), comparison: comparison)
            case .scalar, .exists, .array: break
            }
            return .subquery(subquery)
        }
    }

    /// Bottom-up rewriting.
    package func rewritten(_ transform: (Expression) throws -> Expression) rethrows -> Expression {
        try transform(try mapChildren { try $0.rewritten(transform) })
    }

    /// Calls `visit` for this expression and everything below it, parents first. Sub-query plans are not entered.
    package func visit(_ visit: (Expression) -> Void) {
        visit(self)
        for child in children { child.visit(visit) }
    }

    /// Whether `predicate` holds for this expression or one below it.
    package func contains(_ predicate: (Expression) -> Bool) -> Bool {
        predicate(self) || children.contains { $0.contains(predicate) }
    }

    package var isVolatile: Bool {
        contains { if case .call(let call) = $0 { call.volatility == .volatile } else { false } }
    }

    /// Columns by identity, including those that sub-queries take from outside.
    package var columns: Set<ColumnID> {
        var result: Set<ColumnID> = []
        visit {
            switch $0 {
            case .column(let id, _): result.insert(id)
            case .subquery(let subquery): result.formUnion(subquery.plan.freeColumns)
            default: break
            }
        }
        return result
    }

    /// Positions of the input columns that are read.
    package var inputs: Set<Int> {
        var result: Set<Int> = []
        visit { if case .input(let index, _) = $0 { result.insert(index) } }
        return result
    }

    /// The conjuncts of nested ANDs; TRUE has none.
    package var conjuncts: [Expression] {
        switch self {
        case .and(let operands): operands.flatMap(\.conjuncts)
        case .literal(.boolean(true), _): []
        default: [self]
        }
    }

    /// The conjunction of any number of predicates.
    package static func conjunction(_ operands: [Expression]) -> Expression {
        let flat = operands.flatMap(\.conjuncts)
        return flat.isEmpty ? .true : flat.count == 1 ? flat[0] : .and(flat)
    }

    /// A comparison "=", "<>", "<", "<=", ">", ">=" of operands of one type.
    package static func comparison(_ name: String, _ left: Expression, _ right: Expression) -> Expression {
        .call(ScalarCall(name: name, arguments: [left, right], type: .boolean, canFail: false))
    }

    /// Operands of a comparison call, with the operator's name.
    package var asComparison: (name: String, left: Expression, right: Expression)? {
        guard case .call(let call) = self, call.arguments.count == 2 else { return nil }
        switch call.name {
        case "=", "<>", "<", "<=", ">", ">=": return (call.name, call.arguments[0], call.arguments[1])
        default: return nil
        }
    }
}
