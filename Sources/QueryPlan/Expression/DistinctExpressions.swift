// A list of expressions without repetitions, for connectives with thousands of operands.

/// Keeps the first of equal expressions, in order. Volatile ones are all kept: each evaluation counts.
package struct DistinctExpressions: Sendable {
    package private(set) var expressions: [Expression] = []
    private var seen: Set<Expression> = []

    package init() {}

    package mutating func append(_ expression: Expression) {
        if expression.isVolatile || seen.insert(expression).inserted { expressions.append(expression) }
    }
}
