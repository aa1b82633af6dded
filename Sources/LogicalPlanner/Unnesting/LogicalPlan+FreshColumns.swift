// Copies of plans: the same rows under fresh column identities, for plans that are needed twice in a query.

import Columnar
import QueryPlan

extension LogicalPlan {
    /// A copy whose columns are all new, with the new identity of each old one.
    func refreshed(_ ids: ColumnIDGenerator) -> (plan: LogicalPlan, columns: [ColumnID: PlanColumn]) {
        var refresher = ColumnRefresher(ids: ids)
        let copy = refresher.refresh(self)
        return (copy, refresher.made)
    }
}

private struct ColumnRefresher {
    let ids: ColumnIDGenerator
    var made: [ColumnID: PlanColumn] = [:]

    /// The new column for an old one; a column that is passed on under its own identity stays one column.
    private mutating func make(_ column: PlanColumn) -> PlanColumn {
        if let known = made[column.id] { return known }
        let fresh = ids.column(column.name, column.type, isNullable: column.isNullable)
        made[column.id] = fresh
        return fresh
    }

    private mutating func make(_ columns: [PlanColumn]) -> [PlanColumn] {
        var result: [PlanColumn] = []
        for column in columns { result.append(make(column)) }
        return result
    }

    /// The expression over new columns. Plans of sub-queries are copied as well: taken apart, their columns stand beside
    /// those of the other copy.
    private mutating func rename(_ expression: Expression) -> Expression {
        expression.rewritten {
            switch $0 {
            case .column(let id, let type):
                guard let fresh = made[id] else { return $0 }
                return .column(fresh.id, type)
            case .subquery(var subquery):
                subquery.plan = refresh(subquery.plan)
                return .subquery(subquery)
            default: return $0
            }
        }
    }

    mutating func refresh(_ plan: LogicalPlan) -> LogicalPlan {
        // Scans make their columns before their own predicates read them; other nodes read first and make then.
        if case .scan(var node) = plan {
            node.columns = make(node.columns)
            node.predicates = node.predicates.map { rename($0) }
            return .scan(node)
        }
        var inputs: [LogicalPlan] = []
        for input in plan.inputs { inputs.append(refresh(input)) }
        var next = 0
        let copy = plan.mapInputs { _ in
            next += 1
            return inputs[next - 1]
        }.mapExpressions { rename($0) }
        switch copy {
        case .values(var node):
            node.columns = make(node.columns)
            return .values(node)
        case .project(var node):
            node.columns = make(node.columns)
            return .project(node)
        case .aggregate(var node):
            node.groupColumns = make(node.groupColumns)
            if let column = node.setIndexColumn { node.setIndexColumn = make(column) }
            node.aggregateColumns = make(node.aggregateColumns)
            return .aggregate(node)
        case .join(var node):
            if let column = node.markColumn { node.markColumn = make(column) }
            return .join(node)
        case .setOperation(var node):
            node.columns = make(node.columns)
            return .setOperation(node)
        case .window(var node):
            node.columns = make(node.columns)
            return .window(node)
        case .tableFunction(var node):
            node.columns = make(node.columns)
            if let column = node.ordinalityColumn { node.ordinalityColumn = make(column) }
            return .tableFunction(node)
        case .recursive(var node):
            node.columns = make(node.columns)
            return .recursive(node)
        case .workingTable(var node):
            node.columns = make(node.columns)
            return .workingTable(node)
        case .write(var node):
            node.countColumn = make(node.countColumn)
            return .write(node)
        case .sharedRead(var node):
            node.columns = make(node.columns)
            return .sharedRead(node)
        case .scan, .filter, .sort, .limit, .distinct, .shared: return copy
        }
    }
}
