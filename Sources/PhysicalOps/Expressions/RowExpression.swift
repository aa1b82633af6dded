// Expressions as operators use them: one instance a driver.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// An expression over the columns of batches. Confined to one driver.
package final class RowExpression {
    package let type: DataType
    private let form: Form

    private enum Form {
        case input(Int)
        case constant(Vector)
    }

    package init(_ expression: Expression, task: TaskContext) throws {
        type = expression.type
        switch expression {
        case .input(let index, _): form = .input(index)
        case .literal(let value, let type): form = .constant(Vector.constant(value, type: type, count: 1))
        default: throw QueryError.notSupported("this expression")
        }
    }

    /// The value of every live row: a dense vector in any encoding.
    package func evaluate(_ batch: Batch) throws -> Vector {
        switch form {
        case .input(let index): return batch.column(index)
        case .constant(let vector): return vector.constantCopy(count: batch.rowCount)
        }
    }
}

/// A predicate over the columns of batches. Confined to one driver.
package final class RowPredicate {
    private let expression: RowExpression

    package init(_ expression: Expression, task: TaskContext) throws {
        self.expression = try RowExpression(expression, task: task)
    }

    /// The live rows for which the predicate is true; `nil` means all of them.
    package func select(_ batch: Batch) throws -> Selection? {
        let result = try expression.evaluate(batch)
        let selection = Selection(capacity: batch.rowCount)
        let rows = selection.rows
        var count = 0
        var row = 0
        while row < batch.rowCount {
            let (vector, index) = result.position(row)
            if !result.isNull(row) && vector.values(UInt8.self)[index] != 0 {
                rows[count] = UInt16(truncatingIfNeeded: row)
                count &+= 1
            }
            row &+= 1
        }
        selection.count = count
        return count == batch.rowCount ? nil : selection
    }
}

/// Several expressions over the same batches. Confined to one driver.
package final class RowExpressions {
    package let types: [DataType]
    private let expressions: [RowExpression]

    package init(_ expressions: [Expression], task: TaskContext) throws {
        types = expressions.map(\.type)
        self.expressions = try expressions.map { try RowExpression($0, task: task) }
    }

    package var count: Int { expressions.count }

    /// One dense vector an expression.
    package func evaluate(_ batch: Batch) throws -> [Vector] { try expressions.map { try $0.evaluate(batch) } }
}
