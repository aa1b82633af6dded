// Logical plans: what a query means. Columns have identities; nothing says how or where anything runs.

import Columnar
import Diagnostics

/// A fully qualified table.
package struct TableName: Hashable, Sendable, CustomStringConvertible {
    package var catalog: String
    package var schema: String
    package var table: String
    package init(catalog: String, schema: String, table: String) {
        self.catalog = catalog
        self.schema = schema
        self.table = table
    }
    package var description: String { "\(catalog).\(schema).\(table)" }
}

/// A column that a node makes or passes on.
package struct PlanColumn: Hashable, Sendable {
    package var id: ColumnID
    package var name: String
    package var type: DataType
    package var isNullable: Bool
    package init(id: ColumnID, name: String, type: DataType, isNullable: Bool = true) {
        self.id = id
        self.name = name
        self.type = type
        self.isNullable = isNullable
    }
    package var reference: Expression { .column(id, type) }
}

package indirect enum LogicalPlan: Hashable, Sendable {
    case scan(LogicalScan)
    case values(LogicalValues)
    case filter(LogicalFilter)
    case project(LogicalProject)
    case aggregate(LogicalAggregate)
    case join(LogicalJoin)
    case sort(LogicalSort)
    case limit(LogicalLimit)
    case distinct(LogicalDistinct)
    case setOperation(LogicalSetOperation)
    case window(LogicalWindow)
    case tableFunction(LogicalTableFunction)
    case recursive(LogicalRecursive)
    case workingTable(LogicalWorkingTable)
    case write(LogicalWrite)
    case shared(LogicalShared)
    case sharedRead(LogicalSharedRead)
}

/// Reads a table. `columns[i]` is the table's column `ordinals[i]`.
package struct LogicalScan: Hashable, Sendable {
    package var table: TableName
    package var columns: [PlanColumn]
    package var ordinals: [Int]
    /// Conjuncts over `columns` that were pushed into the scan.
    package var predicates: [Expression]
    package init(table: TableName, columns: [PlanColumn], ordinals: [Int], predicates: [Expression] = []) {
        self.table = table
        self.columns = columns
        self.ordinals = ordinals
        self.predicates = predicates
    }
}

/// Rows of expressions without column references. No rows at all is the empty relation; one row without columns is
/// what a SELECT without FROM reads.
package struct LogicalValues: Hashable, Sendable {
    package var columns: [PlanColumn]
    package var rows: [[Expression]]
    package init(columns: [PlanColumn], rows: [[Expression]]) {
        self.columns = columns
        self.rows = rows
    }
}

/// Keeps the rows for which the predicate is true.
package struct LogicalFilter: Hashable, Sendable {
    package var predicate: Expression
    package var input: LogicalPlan
    package init(predicate: Expression, input: LogicalPlan) {
        self.predicate = predicate
        self.input = input
    }
}

/// Computes columns; those of the input that are wanted further on are listed as plain references.
package struct LogicalProject: Hashable, Sendable {
    package var columns: [PlanColumn]
    package var expressions: [Expression]
    package var input: LogicalPlan
    package init(columns: [PlanColumn], expressions: [Expression], input: LogicalPlan) {
        self.columns = columns
        self.expressions = expressions
        self.input = input
    }
}

/// Groups rows. Output: the group columns, the grouping-set number if there are several sets, then the aggregates.
package struct LogicalAggregate: Hashable, Sendable {
    package var groupColumns: [PlanColumn]
    package var groups: [Expression]
    /// Each set lists indexes into `groups`; one set with all of them is the plain GROUP BY. Groups that a set leaves out
    /// are NULL in its rows. The empty set gives one row even without input.
    package var groupingSets: [[Int]]
    /// With more than one set: an int32 column, the index of the row's set.
    package var setIndexColumn: PlanColumn?
    package var aggregateColumns: [PlanColumn]
    package var aggregates: [AggregateCall]
    package var input: LogicalPlan
    package init(
        groupColumns: [PlanColumn], groups: [Expression], groupingSets: [[Int]]? = nil,
        setIndexColumn: PlanColumn? = nil, aggregateColumns: [PlanColumn], aggregates: [AggregateCall],
        input: LogicalPlan
    ) {
        self.groupColumns = groupColumns
        self.groups = groups
        self.groupingSets = groupingSets ?? [Array(groups.indices)]
        self.setIndexColumn = setIndexColumn
        self.aggregateColumns = aggregateColumns
        self.aggregates = aggregates
        self.input = input
    }
}

package enum JoinKind: UInt8, Hashable, Sendable {
    case inner, left, right, full
    /// Left rows that have a match; left columns only.
    case semi
    /// Left rows that have no match; left columns only.
    case anti
    /// All left rows, plus a boolean column: true with a match, else false (or NULL, see `LogicalJoin.isNullAware`).
    case mark
    /// As left, but more than one match for a left row is an error (21000): a scalar sub-query.
    case single
    /// As semi and anti with the sides exchanged: right rows that have a match (none), right columns only. Only in
    /// physical plans, where the build side (right) is the smaller one.
    case rightSemi, rightAnti
}

/// Joins two inputs. The condition is a predicate over both sides; equalities in it are found by later steps.
/// With `isDependent`, the right side refers to columns of the left (LATERAL, sub-queries); decorrelation removes that.
package struct LogicalJoin: Hashable, Sendable {
    package var kind: JoinKind
    package var condition: Expression
    package var left: LogicalPlan
    package var right: LogicalPlan
    package var isDependent: Bool
    /// For `.mark`: the boolean column.
    package var markColumn: PlanColumn?
    /// For `.anti`: a row for which the condition is unknown counts as a match (NOT IN). For `.mark`: the mark is NULL
    /// then; otherwise it is false.
    package var isNullAware: Bool
    package init(
        kind: JoinKind, condition: Expression, left: LogicalPlan, right: LogicalPlan, isDependent: Bool = false,
        markColumn: PlanColumn? = nil, isNullAware: Bool = false
    ) {
        self.isNullAware = isNullAware
        self.kind = kind
        self.condition = condition
        self.left = left
        self.right = right
        self.isDependent = isDependent
        self.markColumn = markColumn
    }
}

package struct LogicalSort: Hashable, Sendable {
    package var keys: [SortKey]
    package var input: LogicalPlan
    package init(keys: [SortKey], input: LogicalPlan) {
        self.keys = keys
        self.input = input
    }
}

/// LIMIT and OFFSET: non-negative constants or parameters; `nil` is without limit. A sort right below gives the order.
package struct LogicalLimit: Hashable, Sendable {
    package var count: Expression?
    package var offset: Expression?
    /// FETCH … WITH TIES by the keys of the sort right below.
    package var withTies: Bool
    package var input: LogicalPlan
    package init(count: Expression?, offset: Expression?, withTies: Bool = false, input: LogicalPlan) {
        self.count = count
        self.offset = offset
        self.withTies = withTies
        self.input = input
    }
}

/// DISTINCT, or DISTINCT ON (`keys`): the first row of each key in the order of `ordering`.
package struct LogicalDistinct: Hashable, Sendable {
    /// `nil`: all columns.
    package var keys: [Expression]?
    package var ordering: [SortKey]
    package var input: LogicalPlan
    package init(keys: [Expression]? = nil, ordering: [SortKey] = [], input: LogicalPlan) {
        self.keys = keys
        self.ordering = ordering
        self.input = input
    }
}

/// UNION, INTERSECT, EXCEPT. Inputs have the same column types by position; the output has its own identities.
package struct LogicalSetOperation: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable { case union, intersect, except }
    package var kind: Kind
    /// ALL: duplicates count.
    package var keepsDuplicates: Bool
    package var columns: [PlanColumn]
    package var left: LogicalPlan
    package var right: LogicalPlan
    package init(kind: Kind, keepsDuplicates: Bool, columns: [PlanColumn], left: LogicalPlan, right: LogicalPlan) {
        self.kind = kind
        self.keepsDuplicates = keepsDuplicates
        self.columns = columns
        self.left = left
        self.right = right
    }
}

/// Window calls over one partitioning and ordering; several such nodes are stacked. Output: input columns, then calls.
package struct LogicalWindow: Hashable, Sendable {
    package var partitions: [Expression]
    package var ordering: [SortKey]
    package var columns: [PlanColumn]
    package var calls: [WindowCall]
    package var input: LogicalPlan
    package init(
        partitions: [Expression], ordering: [SortKey], columns: [PlanColumn], calls: [WindowCall], input: LogicalPlan
    ) {
        self.partitions = partitions
        self.ordering = ordering
        self.columns = columns
        self.calls = calls
        self.input = input
    }
}

/// A table function (unnest, generate_series, …) called for each row of the input. Output: the input's columns, then the
/// function's; rows for which it returns nothing vanish, or stay with NULLs if `isOuter`.
package struct LogicalTableFunction: Hashable, Sendable {
    package var name: String
    package var arguments: [Expression]
    package var columns: [PlanColumn]
    /// WITH ORDINALITY: an int64 column behind the function's.
    package var ordinalityColumn: PlanColumn?
    package var isOuter: Bool
    package var input: LogicalPlan
    package init(
        name: String, arguments: [Expression], columns: [PlanColumn], ordinalityColumn: PlanColumn? = nil,
        isOuter: Bool = false, input: LogicalPlan
    ) {
        self.name = name
        self.arguments = arguments
        self.columns = columns
        self.ordinalityColumn = ordinalityColumn
        self.isOuter = isOuter
        self.input = input
    }
}

/// WITH RECURSIVE: `base` once, then `step` over the rows that the round before added, until it adds none.
package struct LogicalRecursive: Hashable, Sendable {
    /// Names the working table within `step`.
    package var workingTable: Int
    package var keepsDuplicates: Bool
    package var columns: [PlanColumn]
    package var base: LogicalPlan
    package var step: LogicalPlan
    package init(
        workingTable: Int, keepsDuplicates: Bool, columns: [PlanColumn], base: LogicalPlan, step: LogicalPlan
    ) {
        self.workingTable = workingTable
        self.keepsDuplicates = keepsDuplicates
        self.columns = columns
        self.base = base
        self.step = step
    }
}

/// The rows of the last round of a recursive query.
package struct LogicalWorkingTable: Hashable, Sendable {
    package var workingTable: Int
    package var columns: [PlanColumn]
    package init(workingTable: Int, columns: [PlanColumn]) {
        self.workingTable = workingTable
        self.columns = columns
    }
}

/// Writes the input's rows; the output is one row with the number of rows written (int64).
package struct LogicalWrite: Hashable, Sendable {
    package var target: WriteTarget
    package var countColumn: PlanColumn
    package var input: LogicalPlan
    package init(target: WriteTarget, countColumn: PlanColumn, input: LogicalPlan) {
        self.target = target
        self.countColumn = countColumn
        self.input = input
    }
}

/// Where rows are written to.
package enum WriteTarget: Hashable, Sendable {
    /// Appends to an existing table; the input has the table's columns in order.
    case insert(TableName)
    /// A file on the node that coordinates: COPY … TO.
    case file(path: String, format: String, options: [String: String], columns: [Field])
}

extension LogicalPlan {
    /// The columns of the rows that the node gives, in order.
    package var columns: [PlanColumn] {
        switch self {
        case .scan(let node): return node.columns
        case .values(let node): return node.columns
        case .filter(let node): return node.input.columns
        case .project(let node): return node.columns
        case .aggregate(let node):
            return node.groupColumns + (node.setIndexColumn.map { [$0] } ?? []) + node.aggregateColumns
        case .join(let node):
            switch node.kind {
            case .inner: return node.left.columns + node.right.columns
            case .left, .single: return node.left.columns + node.right.columns.map(\.nullable)
            case .right: return node.left.columns.map(\.nullable) + node.right.columns
            case .full: return (node.left.columns + node.right.columns).map(\.nullable)
            case .semi, .anti: return node.left.columns
            case .rightSemi, .rightAnti: return node.right.columns
            case .mark: return node.left.columns + (node.markColumn.map { [$0] } ?? [])
            }
        case .sort(let node): return node.input.columns
        case .limit(let node): return node.input.columns
        case .distinct(let node): return node.input.columns
        case .setOperation(let node): return node.columns
        case .window(let node): return node.input.columns + node.columns
        case .tableFunction(let node):
            return node.input.columns + node.columns + (node.ordinalityColumn.map { [$0] } ?? [])
        case .recursive(let node): return node.columns
        case .workingTable(let node): return node.columns
        case .write(let node): return [node.countColumn]
        case .shared(let node): return node.input.columns
        case .sharedRead(let node): return node.columns
        }
    }

    package var columnIDs: Set<ColumnID> { Set(columns.map(\.id)) }

    package var inputs: [LogicalPlan] {
        switch self {
        case .scan, .values, .workingTable, .sharedRead: []
        case .filter(let node): [node.input]
        case .project(let node): [node.input]
        case .aggregate(let node): [node.input]
        case .join(let node): [node.left, node.right]
        case .sort(let node): [node.input]
        case .limit(let node): [node.input]
        case .distinct(let node): [node.input]
        case .setOperation(let node): [node.left, node.right]
        case .window(let node): [node.input]
        case .tableFunction(let node): [node.input]
        case .recursive(let node): [node.base, node.step]
        case .write(let node): [node.input]
        case .shared(let node): [node.definition, node.input]
        }
    }

    /// The same node over other inputs.
    package func mapInputs(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> LogicalPlan {
        switch self {
        case .scan, .values, .workingTable, .sharedRead: return self
        case .filter(var node):
            node.input = try transform(node.input)
            return .filter(node)
        case .project(var node):
            node.input = try transform(node.input)
            return .project(node)
        case .aggregate(var node):
            node.input = try transform(node.input)
            return .aggregate(node)
        case .join(var node):
            node.left = try transform(node.left)
            node.right = try transform(node.right)
            return .join(node)
        case .sort(var node):
            node.input = try transform(node.input)
            return .sort(node)
        case .limit(var node):
            node.input = try transform(node.input)
            return .limit(node)
        case .distinct(var node):
            node.input = try transform(node.input)
            return .distinct(node)
        case .setOperation(var node):
            node.left = try transform(node.left)
            node.right = try transform(node.right)
            return .setOperation(node)
        case .window(var node):
            node.input = try transform(node.input)
            return .window(node)
        case .tableFunction(var node):
            node.input = try transform(node.input)
            return .tableFunction(node)
        case .recursive(var node):
            node.base = try transform(node.base)
            node.step = try transform(node.step)
            return .recursive(node)
        case .write(var node):
            node.input = try transform(node.input)
            return .write(node)
        case .shared(var node):
            node.definition = try transform(node.definition)
            node.input = try transform(node.input)
            return .shared(node)
        }
    }

    /// The expressions of the node itself.
    package var expressions: [Expression] {
        switch self {
        case .scan(let node): return node.predicates
        case .values(let node): return node.rows.flatMap { $0 }
        case .filter(let node): return [node.predicate]
        case .project(let node): return node.expressions
        case .aggregate(let node): return node.groups + node.aggregates.flatMap(\.expressions)
        case .join(let node): return [node.condition]
        case .sort(let node): return node.keys.map(\.expression)
        case .limit(let node): return [node.count, node.offset].compactMap { $0 }
        case .distinct(let node): return (node.keys ?? []) + node.ordering.map(\.expression)
        case .window(let node):
            return node.partitions + node.ordering.map(\.expression) + node.calls.flatMap(\.expressions)
        case .tableFunction(let node): return node.arguments
        case .setOperation, .recursive, .workingTable, .write, .shared, .sharedRead: return []
        }
    }

    /// The same node with its own expressions replaced; inputs stay.
    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> LogicalPlan {
        switch self {
        case .scan(var node):
            node.predicates = try node.predicates.map(transform)
            return .scan(node)
        case .values(var node):
            node.rows = try node.rows.map { try $0.map(transform) }
            return .values(node)
        case .filter(var node):
            node.predicate = try transform(node.predicate)
            return .filter(node)
        case .project(var node):
            node.expressions = try node.expressions.map(transform)
            return .project(node)
        case .aggregate(var node):
            node.groups = try node.groups.map(transform)
            node.aggregates = try node.aggregates.map { try $0.mapExpressions(transform) }
            return .aggregate(node)
        case .join(var node):
            node.condition = try transform(node.condition)
            return .join(node)
        case .sort(var node):
            node.keys = try node.keys.map { try $0.mapExpression(transform) }
            return .sort(node)
        case .limit(var node):
            node.count = try node.count.map(transform)
            node.offset = try node.offset.map(transform)
            return .limit(node)
        case .distinct(var node):
            node.keys = try node.keys?.map(transform)
            node.ordering = try node.ordering.map { try $0.mapExpression(transform) }
            return .distinct(node)
        case .window(var node):
            node.partitions = try node.partitions.map(transform)
            node.ordering = try node.ordering.map { try $0.mapExpression(transform) }
            node.calls = try node.calls.map { try $0.mapExpressions(transform) }
            return .window(node)
        case .tableFunction(var node):
            node.arguments = try node.arguments.map(transform)
            return .tableFunction(node)
        case .setOperation, .recursive, .workingTable, .write, .shared, .sharedRead: return self
        }
    }

    /// Bottom-up rewriting of nodes.
    package func rewritten(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> LogicalPlan {
        try transform(try mapInputs { try $0.rewritten(transform) })
    }

    /// Columns that the plan uses and nothing inside it makes: references to an outer query.
    package var freeColumns: Set<ColumnID> {
        var used: Set<ColumnID> = []
        var made: Set<ColumnID> = []
        collectColumns(used: &used, made: &made)
        return used.subtracting(made)
    }

    private func collectColumns(used: inout Set<ColumnID>, made: inout Set<ColumnID>) {
        for expression in expressions { used.formUnion(expression.columns) }
        made.formUnion(columns.map(\.id))
        for input in inputs { input.collectColumns(used: &used, made: &made) }
    }
}

extension PlanColumn {
    package var nullable: PlanColumn {
        var copy = self
        copy.isNullable = true
        return copy
    }
}

extension SortKey {
    package func mapExpression(_ transform: (Expression) throws -> Expression) rethrows -> SortKey {
        var copy = self
        copy.expression = try transform(expression)
        return copy
    }
}

extension AggregateCall {
    package var expressions: [Expression] { arguments + (filter.map { [$0] } ?? []) + ordering.map(\.expression) }
    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> AggregateCall {
        var copy = self
        copy.arguments = try arguments.map(transform)
        copy.filter = try filter.map(transform)
        copy.ordering = try ordering.map { try $0.mapExpression(transform) }
        return copy
    }
}

extension WindowCall {
    package var expressions: [Expression] {
        var result = arguments
        if let filter { result.append(filter) }
        for case .preceding(let expression) in [frame.start, frame.end] { result.append(expression) }
        for case .following(let expression) in [frame.start, frame.end] { result.append(expression) }
        return result
    }
    package func mapExpressions(_ transform: (Expression) throws -> Expression) rethrows -> WindowCall {
        var copy = self
        copy.arguments = try arguments.map(transform)
        copy.filter = try filter.map(transform)
        copy.frame.start = try frame.start.mapExpression(transform)
        copy.frame.end = try frame.end.mapExpression(transform)
        return copy
    }
}

extension FrameBound {
    package func mapExpression(_ transform: (Expression) throws -> Expression) rethrows -> FrameBound {
        switch self {
        case .preceding(let expression): .preceding(try transform(expression))
        case .following(let expression): .following(try transform(expression))
        case .unboundedPreceding, .unboundedFollowing, .currentRow: self
        }
    }
}
