// Which columns of a plan's tables are worth looking at: those that predicates, joins and groupings read.

import QueryPlan

/// Traces the columns of conditions and keys to the tables that they come from.
struct SampledColumns {
    private var scans: [LogicalScan] = []
    /// What a column is computed from, where that is another column.
    private var sources: [ColumnID: [ColumnID]] = [:]
    private var asked: [ColumnID] = []
    /// Columns of each condition that is more than an equality of two columns.
    private var conditions: [[ColumnID]] = []

    init(_ plan: LogicalPlan) { visit(plan) }

    /// Several scans: with one there is nothing to decide.
    var isWorthwhile: Bool { scans.count > 1 }

    /// The columns and those that they are computed from.
    private func traced(_ columns: [ColumnID]) -> ColumnSet {
        var found = ColumnSet()
        var open = columns
        while let id = open.popLast() {
            if found.contains(id) { continue }
            found.insert(id)
            open += sources[id] ?? []
        }
        return found
    }

    /// Ordinals of the columns that predicates over a single scan read, by table: these choose rows.
    func predicateOrdinals() -> [TableName: Set<Int>] {
        var result: [TableName: Set<Int>] = [:]
        for condition in conditions {
            let found = traced(condition)
            let read = scans.filter { !found.isDisjoint(with: ColumnSet($0.columns)) }
            guard read.count == 1 else { continue }
            for (column, ordinal) in zip(read[0].columns, read[0].ordinals) where found.contains(column.id) {
                result[read[0].table, default: []].insert(ordinal)
            }
        }
        return result
    }

    /// Ordinals by table.
    func ordinals() -> [TableName: Set<Int>] {
        let found = traced(asked)
        var result: [TableName: Set<Int>] = [:]
        for scan in scans {
            for (column, ordinal) in zip(scan.columns, scan.ordinals) where found.contains(column.id) {
                result[scan.table, default: []].insert(ordinal)
            }
        }
        return result
    }

    private mutating func ask(_ expression: Expression) { asked += expression.columnSet }

    private mutating func ask(condition: Expression) {
        ask(condition)
        for conjunct in condition.conjuncts {
            if let (a, b, _) = conjunct.asEquality, a.asColumn != nil, b.asColumn != nil { continue }
            conditions.append(Array(conjunct.columnSet))
        }
    }

    private mutating func visit(_ plan: LogicalPlan) {
        switch plan {
        case .scan(let node): scans.append(node)
        case .filter(let node): ask(condition: node.predicate)
        case .join(let node): ask(condition: node.condition)
        case .project(let node):
            for (column, expression) in zip(node.columns, node.expressions) {
                sources[column.id, default: []] += expression.columnSet
            }
        case .aggregate(let node):
            for (column, group) in zip(node.groupColumns, node.groups) {
                ask(group)
                sources[column.id, default: []] += group.columnSet
            }
        case .setOperation(let node):
            for input in [node.left, node.right] {
                for (column, source) in zip(node.columns, input.columns) {
                    sources[column.id, default: []].append(source.id)
                }
            }
        case .sharedRead(let node):
            for (column, source) in zip(node.columns, node.sources) { sources[column.id, default: []].append(source) }
        default: break
        }
        for expression in plan.expressions where expression.containsSubquery {
            var plans: [LogicalPlan] = []
            expression.visit { if case .subquery(let subquery) = $0 { plans.append(subquery.plan) } }
            for plan in plans {
                // What it compares with, or is joined by.
                for column in plan.columns { asked.append(column.id) }
                visit(plan)
            }
        }
        for input in plan.inputs { visit(input) }
    }
}
