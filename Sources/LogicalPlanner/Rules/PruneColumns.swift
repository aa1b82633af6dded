// Nodes compute and pass on only the columns that are read above them.

import Columnar
import QueryPlan
import SQLFunctions

struct PruneColumns: LogicalRule {
    func apply(_ plan: LogicalPlan, _ environment: RuleEnvironment) throws -> LogicalPlan {
        prune(plan, ColumnSet(plan.columns))
    }

    private func prune(_ plan: LogicalPlan, _ required: ColumnSet) -> LogicalPlan {
        switch plan {
        case .scan(var node):
            var needed = required
            for predicate in node.predicates { predicate.collectColumns(into: &needed) }
            let kept = node.columns.indices.filter { needed.contains(node.columns[$0].id) }
            node.ordinals = kept.map { node.ordinals[$0] }
            node.columns = kept.map { node.columns[$0] }
            return .scan(node)
        case .values(var node):
            let kept = node.columns.indices.filter { required.contains(node.columns[$0].id) }
            if kept.count == node.columns.count { return plan }
            node.columns = kept.map { node.columns[$0] }
            node.rows = node.rows.map { row in kept.map { row[$0] } }
            return .values(node)
        case .filter(var node):
            node.input = prune(node.input, required.union(node.predicate.columnSet))
            return .filter(node)
        case .project(var node):
            let kept = node.columns.indices.filter {
                required.contains(node.columns[$0].id) || node.expressions[$0].hasEffects
            }
            node.columns = kept.map { node.columns[$0] }
            node.expressions = kept.map { node.expressions[$0] }
            node.input = prune(node.input, columns(of: node.expressions))
            return .project(node)
        case .aggregate(let node): return prune(node, required)
        case .join(let node): return prune(node, required)
        case .sort(var node):
            node.input = prune(node.input, required.union(columns(of: node.keys.map(\.expression))))
            return .sort(node)
        case .limit(var node):
            var needed = required
            if node.withTies, case .sort(let sort) = node.input {
                needed.formUnion(columns(of: sort.keys.map(\.expression)))
            }
            node.input = prune(node.input, needed)
            return .limit(node)
        case .distinct(var node):
            let needed = node.keys == nil ? ColumnSet(node.input.columns) : required
            node.input = prune(node.input, needed.union(columns(of: plan.expressions)))
            return .distinct(node)
        case .setOperation(let node): return prune(node, required)
        case .window(var node):
            let kept = node.columns.indices.filter { required.contains(node.columns[$0].id) }
            if kept.isEmpty { return prune(node.input, required) }
            node.columns = kept.map { node.columns[$0] }
            node.calls = kept.map { node.calls[$0] }
            node.input = prune(node.input, required.union(columns(of: LogicalPlan.window(node).expressions)))
            return .window(node)
        case .tableFunction(var node):
            node.input = prune(node.input, required.union(columns(of: node.arguments)))
            return .tableFunction(node)
        case .recursive, .write: return plan.mapInputs { prune($0, ColumnSet($0.columns)) }
        case .workingTable: return plan
        case .shared(let node): return prune(node, required)
        case .sharedRead(var node):
            var kept = node.columns.indices.filter { required.contains(node.columns[$0].id) }
            // Rows are kept by their columns.
            if kept.isEmpty, !node.columns.isEmpty { kept = [0] }
            node.columns = kept.map { node.columns[$0] }
            node.sources = kept.map { node.sources[$0] }
            return .sharedRead(node)
        }
    }

    private func columns(of expressions: [Expression]) -> ColumnSet {
        var set = ColumnSet()
        for expression in expressions { expression.collectColumns(into: &set) }
        return set
    }

    private func prune(_ node: LogicalAggregate, _ required: ColumnSet) -> LogicalPlan {
        var node = node
        let kept = node.aggregateColumns.indices.filter { required.contains(node.aggregateColumns[$0].id) }
        node.aggregateColumns = kept.map { node.aggregateColumns[$0] }
        node.aggregates = kept.map { node.aggregates[$0] }
        if node.aggregates.isEmpty, node.groupingSets == [[]] { return .oneRow }
        node.input = prune(node.input, columns(of: LogicalPlan.aggregate(node).expressions))
        return .aggregate(node)
    }

    /// A shared definition keeps what any of its reads needs.
    private func prune(_ node: LogicalShared, _ required: ColumnSet) -> LogicalPlan {
        var node = node
        node.input = prune(node.input, required)
        var needed = ColumnSet()
        node.input.forEachSharedRead { read in
            if read.number == node.number { for source in read.sources { needed.insert(source) } }
        }
        node.columns = node.columns.filter { needed.contains($0.id) }
        node.definition = prune(node.definition, needed)
        return .shared(node)
    }

    private func prune(_ node: LogicalJoin, _ required: ColumnSet) -> LogicalPlan {
        var node = node
        // Joins that change neither the rows nor a column that is read.
        if node.kind == .mark, let mark = node.markColumn, !required.contains(mark.id) {
            return prune(node.left, required)
        }
        if node.kind == .left, node.right.givesAtMostOneRow, required.isDisjoint(with: node.right.columnSet) {
            return prune(node.left, required)
        }
        let needed = required.union(node.condition.columnSet)
        node.left = prune(node.left, needed)
        node.right = prune(node.right, needed)
        return .join(node)
    }

    /// UNION ALL: the same positions of both inputs.
    private func prune(_ node: LogicalSetOperation, _ required: ColumnSet) -> LogicalPlan {
        var node = node
        guard node.kind == .union, node.keepsDuplicates else {
            return LogicalPlan.setOperation(node).mapInputs { prune($0, ColumnSet($0.columns)) }
        }
        let kept = node.columns.indices.filter { required.contains(node.columns[$0].id) }
        func side(_ plan: LogicalPlan) -> LogicalPlan {
            let columns = plan.columns
            let wanted = kept.map { columns[$0] }
            let pruned = prune(plan, ColumnSet(wanted))
            let own = pruned.columns
            if own.count == wanted.count, zip(own, wanted).allSatisfy({ $0.id == $1.id }) { return pruned }
            return .project(LogicalProject(columns: wanted, expressions: wanted.map(\.reference), input: pruned))
        }
        node.columns = kept.map { node.columns[$0] }
        node.left = side(node.left)
        node.right = side(node.right)
        return .setOperation(node)
    }
}
