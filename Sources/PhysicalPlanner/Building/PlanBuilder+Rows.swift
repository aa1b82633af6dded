// Operators that work row by row or only count rows: scans, values, filters, projections, limits, sorts, unions.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

extension PlanBuilder {
    func build(_ node: LogicalScan, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        var needed = required
        for predicate in node.predicates { predicate.collectColumns(into: &needed) }
        let kept = node.columns.indices.filter { needed.contains(node.columns[$0].id) }
        let columns = kept.map { node.columns[$0] }
        let isSpread = options.workerCount > 1 && !isInRecursion
        let apart = isSpread ? apartColumns(of: node, among: kept) : []
        let scan = ScanNode(
            table: node.table, projection: kept.map { node.ordinals[$0] },
            predicates: try node.predicates.map { try bind($0, columns) },
            keptTogether: apart.map { node.ordinals[$0] })
        let physical = makeNode(.scan(scan), columns: columns, rowCount: estimator.rowCount(of: plan, inputs: []))
        if let relation = placed(node.table, physical, columns: columns) { return relation }
        let spread: Distribution.Spread = apart.isEmpty ? .unknown : .splits(apart.map { [node.columns[$0].id] })
        return Relation(
            node: physical, columns: columns, distribution: isSpread ? .partitioned(spread) : .single(.worker))
    }

    /// The columns of which no value is in two splits.
    private func apartColumns(of node: LogicalScan, among kept: [Int]) -> [Int] {
        guard let statistics = estimator.snapshot.tables[node.table]?.columns else { return [] }
        return kept.filter { index in
            let ordinal = node.ordinals[index]
            return ordinal < statistics.count && statistics[ordinal].isApart
        }
    }

    /// A scan of a table whose rows only the coordinator's process can read; `nil` for all others.
    func placed(_ table: TableName, _ scan: PhysicalNode, columns: [PlanColumn]) -> Relation? {
        guard !options.coordinatorIsWorker, estimator.snapshot.coordinatorOnly.contains(table) else { return nil }
        let relation = Relation(node: scan, columns: columns, distribution: .single(.coordinator))
        // A query over nothing else stays where the data is.
        return isCoordinatorOnly || isInRecursion ? relation : exchange(relation, .single, to: .single(.worker))
    }

    func build(_ node: LogicalValues, _ plan: LogicalPlan) throws -> Relation {
        let rows = try node.rows.map { try $0.map { try bind($0, []) } }
        let physical = makeNode(
            .values(ValuesNode(rows: rows)), columns: node.columns, rowCount: estimator.rowCount(of: plan, inputs: []))
        return Relation(node: physical, columns: node.columns, distribution: .single(.anywhere))
    }

    func build(_ node: LogicalFilter, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        var needed = required
        node.predicate.collectColumns(into: &needed)
        let input = try build(node.input, required: needed)
        let rowCount = estimator.rowCount(of: plan, inputs: [input.rowCount])
        let predicate = try bind(node.predicate, input.columns)
        return wrap(input, .filter(FilterNode(predicate: predicate, input: input.node)), rowCount: rowCount)
    }

    func build(_ node: LogicalProject, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        var columns: [PlanColumn] = []
        var expressions: [Expression] = []
        var needed = ColumnSet()
        for (column, expression) in zip(node.columns, node.expressions)
        where required.contains(column.id) || expression.hasEffects {
            columns.append(column)
            expressions.append(expression)
            expression.collectColumns(into: &needed)
        }
        // A projection of a single row of constants is that row.
        if case .values(let values) = node.input, values.columns.isEmpty, values.rows.count == 1 {
            let row = LogicalPlan.values(LogicalValues(columns: columns, rows: [expressions]))
            return try build(row, required: ColumnSet(columns))
        }
        var input = try build(node.input, required: needed)
        if expressions.contains(where: \.needsCoordinator) { input = atCoordinator(input) }
        let rowCount = estimator.rowCount(of: plan, inputs: [input.rowCount])
        if let renamed = renaming(columns, expressions, of: input) { return renamed }
        let bound = try expressions.map { try bind($0, input.columns) }
        let physical = makeNode(
            .project(ProjectNode(expressions: bound, input: input.node)), columns: columns, rowCount: rowCount)
        return Relation(
            node: physical, columns: columns,
            distribution: input.distribution.renamed(columns: columns, expressions: expressions))
    }

    /// A projection that only gives columns other identities needs no operator, if each is taken once.
    private func renaming(_ columns: [PlanColumn], _ expressions: [Expression], of input: Relation) -> Relation? {
        var result = input
        var taken: Set<Int> = []
        for (column, expression) in zip(columns, expressions) {
            guard let id = expression.asColumn, let position = input.position(of: id), taken.insert(position).inserted
            else { return nil }
            result.columns[position] = column
        }
        if columns.isEmpty && !input.columns.isEmpty { return nil }
        result.node.output = Schema(
            result.columns.map { Field(name: $0.name, type: $0.type, isNullable: $0.isNullable) })
        result.distribution = input.distribution.renamed(columns: columns, expressions: expressions)
        return result
    }

    func build(_ node: LogicalLimit, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        let offset = try constant(node.offset) ?? 0
        // A count beyond all rows that there can be is none.
        let limit = try constant(node.count).flatMap { $0 > Int.max - offset ? nil : $0 }
        if limit == nil, offset == 0 { return try build(node.input, required: required) }
        // A projection between the limit and its sort is done for the rows that are left.
        if case .project(var project) = node.input, !node.withTies || project.input.isSort {
            var inner = node
            inner.input = project.input
            project.input = .limit(inner)
            if project.expressions.allSatisfy({ !$0.isVolatile }) {
                return try build(.project(project), required: required)
            }
        }
        if case .sort(let sort) = node.input {
            return try buildSort(sort, limit: (limit, offset, node.withTies), node.input, required: required)
        }
        var stored: Relation?
        if let limit, !node.withTies, case .scan(let scan) = node.input, !scan.predicates.isEmpty {
            let rowCount = estimator.rowCount(of: node.input, inputs: [])
            stored = try storeRows(scan, [], limit: limit + offset, required: required, rowCount: rowCount)
        }
        var input = try stored ?? build(node.input, required: required)
        if let limit, case .scan(var scan) = input.node.kind, scan.predicates.isEmpty {
            scan.limit = limit + offset
            input.node.kind = .scan(scan)
        }
        if !input.distribution.isSingle {
            if let limit {
                let enough = limit + offset
                let local = LimitNode(limit: enough, offset: 0, input: input.node)
                input = wrap(input, .limit(local), rowCount: min(input.rowCount, Double(enough)))
            }
            input = gathered(input, required: required)
        }
        let rowCount = min(max(0, input.rowCount - Double(offset)), limit.map(Double.init) ?? .infinity)
        return wrap(input, .limit(LimitNode(limit: limit, offset: offset, input: input.node)), rowCount: rowCount)
    }

    /// A constant row count; NULL is none.
    private func constant(_ expression: Expression?) throws -> Int? {
        guard let expression else { return nil }
        switch expression.literal {
        case .null: return nil
        case .integer(let value) where value >= 0: return Int(value)
        case .integer: throw QueryError(.invalidRowCountInLimitClause, "LIMIT must not be negative")
        default: throw QueryError(.invalidRowCountInLimitClause, "LIMIT and OFFSET must be constants")
        }
    }

    func buildSort(
        _ node: LogicalSort, limit: (limit: Int?, offset: Int, withTies: Bool)?, _ plan: LogicalPlan,
        required: ColumnSet
    ) throws -> Relation {
        var needed = required
        for key in node.keys { key.expression.collectColumns(into: &needed) }
        let (count, offset, withTies) = limit ?? (nil, 0, false)
        var stored: Relation?
        if let count, !withTies, case .scan(let scan) = node.input {
            let rowCount = estimator.rowCount(of: node.input, inputs: [])
            stored = try storeRows(scan, node.keys, limit: count + offset, required: required, rowCount: rowCount)
        }
        var input = try stored ?? prune(build(node.input, required: needed), to: needed)
        let all = estimator.rowCount(of: plan, inputs: [input.rowCount])
        let rowCount = min(all, count.map(Double.init) ?? .infinity)
        var sort = SortNode(keys: [], limit: count, offset: offset, withTies: withTies, input: input.node)
        if !input.distribution.isSingle {
            // Each task sorts its part; the last stage merges, and repeats the limit.
            let (complete, keys) = try materialize(node.keys.map(\.expression), in: input)
            let sorted = zip(node.keys, keys).map { key, id in
                SortKey(.column(id, key.expression.type), isDescending: key.isDescending, nullsFirst: key.nullsFirst)
            }
            let bound = try bind(sorted, complete.columns)
            let enough = count.map { $0 + offset }
            let local = SortNode(keys: bound, limit: enough, offset: 0, withTies: withTies, input: complete.node)
            let perTask = min(all, enough.map { Double($0) * Double(options.workerCount) } ?? .infinity)
            input = exchange(
                wrap(complete, .sort(local), rowCount: perTask), .single, to: .single(.worker),
                mergeKeys: count == nil && offset == 0 ? bound : [])
            if count == nil, offset == 0 { return input }
            sort.keys = bound
        } else {
            sort.keys = try bind(node.keys, input.columns)
        }
        sort.input = input.node
        return wrap(input, .sort(sort), rowCount: rowCount)
    }

    func build(_ node: LogicalSetOperation, _ plan: LogicalPlan) throws -> Relation {
        guard node.kind == .union else {
            throw QueryError.internalError("\(node.kind) was not replaced by a join")
        }
        var parts: [LogicalPlan] = []
        Self.flatten(node, into: &parts)
        var inputs: [Relation] = []
        for part in parts {
            let columns = part.columns
            let built = try build(part, required: ColumnSet(columns))
            inputs.append(built.columns.map(\.id) == columns.map(\.id) ? built : try select(columns, from: built))
        }
        let distribution: Distribution
        if inputs.allSatisfy({ $0.distribution.isSingle }) {
            var place = Distribution.Place.anywhere
            for case .single(let other) in inputs.map(\.distribution) { place = Distribution.merged(place, other) }
            distribution = .single(place)
        } else {
            inputs = inputs.map(spread)
            distribution = .partitioned(.unknown)
        }
        let all = LogicalSetOperation(
            kind: .union, keepsDuplicates: true, columns: node.columns, left: node.left, right: node.right)
        let rowCount = inputs.reduce(0) { $0 + $1.rowCount }
        _ = estimator.rowCount(of: .setOperation(all), inputs: [rowCount, 0])
        let union = Relation(
            node: makeNode(.union(UnionNode(inputs: inputs.map(\.node))), columns: node.columns, rowCount: rowCount),
            columns: node.columns, distribution: distribution)
        return node.keepsDuplicates ? union : try distinct(union)
    }

    /// The operands of nested unions of the same kind.
    private static func flatten(_ node: LogicalSetOperation, into parts: inout [LogicalPlan]) {
        for side in [node.left, node.right] {
            if case .setOperation(let inner) = side, inner.kind == .union,
                inner.keepsDuplicates || !node.keepsDuplicates
            {
                flatten(inner, into: &parts)
            } else {
                parts.append(side)
            }
        }
    }
}

extension LogicalPlan {
    var isSort: Bool { if case .sort = self { true } else { false } }
}

extension Distribution {
    /// The distribution above a projection: keys that it passes on stay known.
    func renamed(columns: [PlanColumn], expressions: [Expression]) -> Distribution {
        mapped { set in
            var names = ColumnSet()
            for (column, expression) in zip(columns, expressions) {
                if let id = expression.asColumn, set.contains(id) { names.insert(column.id) }
            }
            return names
        }
    }
}
