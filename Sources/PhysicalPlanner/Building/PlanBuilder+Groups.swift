// Aggregation, DISTINCT, windows, and the operators that run in one task.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

extension PlanBuilder {
    func build(_ node: LogicalAggregate, _ plan: LogicalPlan) throws -> Relation {
        var needed = ColumnSet()
        for group in node.groups { group.collectColumns(into: &needed) }
        for call in node.aggregates { for expression in call.expressions { expression.collectColumns(into: &needed) } }
        let outer = placementKeys
        defer { placementKeys = outer }
        let own = placementKeys
        placementKeys = []
        if case .aggregate(let inner) = node.input { placementKeys = placement(of: node, over: inner) }
        if !estimator.snapshot.stores.isEmpty, let tree = storeTree(node.input) {
            let rowCount = estimator.rowCount(of: plan, inputs: [tree.cost.rowCount])
            if let stored = try storeAggregate(node, columns: plan.columns, rowCount: rowCount) { return stored }
        }
        let input = try build(node.input, required: needed)
        let rowCount = estimator.rowCount(of: plan, inputs: [input.rowCount])
        return try aggregate(node, input, columns: plan.columns, rowCount: rowCount, placedBy: own)
    }

    /// Which of the groups of an inner aggregation should say where its rows go, so that the outer one finds its groups
    /// together without another exchange: those that the outer one has, if they are many enough to keep all tasks busy.
    private func placement(of outer: LogicalAggregate, over inner: LogicalAggregate) -> [Int] {
        guard outer.groupingSets.count == 1, inner.groupingSets.count == 1, !outer.groups.isEmpty,
            outer.groups.count < inner.groups.count
        else { return [] }
        var places: [Int] = []
        for group in outer.groups {
            guard let id = group.asColumn, let place = inner.groupColumns.firstIndex(where: { $0.id == id }) else {
                return []
            }
            places.append(place)
        }
        return places
    }

    private func placesWell(_ groups: [Expression], _ rowCount: Double) -> Bool {
        !groups.isEmpty
            && estimator.groupCount(groups, rowCount: rowCount)
                >= Self.placedGroupCountMin * Double(options.workerCount)
    }

    /// Positions of the numbers among the groups, if they tell enough groups apart for the texts not to be hashed.
    private func cheapPlaces(_ groups: [Expression], _ rowCount: Double) -> [Int] {
        let numbers = groups.indices.filter { groups[$0].type.physical != .view }
        guard numbers.count < groups.count, placesWell(numbers.map { groups[$0] }, rowCount) else { return [] }
        return numbers
    }

    /// Groups of one task at least for rows to be placed by some of the keys only.
    private static let placedGroupCountMin = 1000.0

    /// DISTINCT over all columns.
    func build(_ node: LogicalDistinct, _ plan: LogicalPlan) throws -> Relation {
        guard node.keys == nil else { throw QueryError.internalError("DISTINCT ON was not replaced by a window") }
        let columns = node.input.columns
        let input = try build(node.input, required: ColumnSet(columns))
        let exact = input.columns.map(\.id) == columns.map(\.id) ? input : try select(columns, from: input)
        return try distinct(exact)
    }

    func distinct(_ input: Relation) throws -> Relation {
        let columns = input.columns
        let groups = columns.map(\.reference)
        let node = LogicalAggregate(
            groupColumns: columns, groups: groups, aggregateColumns: [], aggregates: [],
            input: .values(LogicalValues(columns: [], rows: [])))
        let rowCount = estimator.groupCount(groups, rowCount: input.rowCount)
        return try aggregate(node, input, columns: columns, rowCount: rowCount)
    }

    private func aggregate(
        _ node: LogicalAggregate, _ input: Relation, columns: [PlanColumn], rowCount: Double, placedBy: [Int] = []
    ) throws -> Relation {
        func single(_ input: Relation) throws -> Relation {
            let physical = AggregateNode(
                mode: .single, groups: try node.groups.map { try bind($0, input.columns) },
                groupingSets: node.groupingSets,
                aggregates: try node.aggregates.map { try $0.mapExpressions { try bind($0, input.columns) } },
                input: input.node)
            return Relation(
                node: makeNode(.aggregate(physical), columns: columns, rowCount: rowCount), columns: columns,
                distribution: input.distribution.renamed(columns: node.groupColumns, expressions: node.groups))
        }
        if input.distribution.isSingle { return try single(input) }
        let hasOneSet = node.groupingSets.count == 1
        var plainKeys = ColumnSet()
        if hasOneSet { for case .column(let id, _) in node.groups { plainKeys.insert(id) } }
        if hasOneSet, input.distribution.keepsTogether(plainKeys) { return try single(input) }

        let states = try node.aggregates.map(exportedTypes)
        let isSplittable = zip(node.aggregates, states).allSatisfy { call, types in
            !call.isDistinct && call.ordering.isEmpty && !types.isEmpty
        }
        let hasGroups = node.groupingSets.contains { !$0.isEmpty }
        let isWorthwhile = !hasGroups || rowCount < 0.8 * input.rowCount || !hasOneSet
        if isSplittable, isWorthwhile || node.groupingSets.contains([]) {
            return try splitAggregate(node, input, states: states, columns: columns, rowCount: rowCount)
        }
        var needed = ColumnSet()
        for group in node.groups { group.collectColumns(into: &needed) }
        for call in node.aggregates { for expression in call.expressions { expression.collectColumns(into: &needed) } }
        let pruned = prune(input, to: needed)
        if !hasOneSet || !hasGroups { return try single(gathered(pruned)) }
        let (complete, keys) = try materialize(node.groups, in: pruned)
        var rewritten = node
        rewritten.groups = zip(keys, node.groups).map { .column($0, $1.type) }
        var places = placedBy
        if !placesWell(places.map { node.groups[$0] }, input.rowCount) {
            places = cheapPlaces(node.groups, input.rowCount)
        }
        let hashedInput = hashed(complete, by: places.isEmpty ? keys : places.map { keys[$0] })
        return try aggregate(rewritten, hashedInput, columns: columns, rowCount: rowCount)
    }

    /// Partial aggregation in every task, an exchange by groups, and the merge of the states.
    private func splitAggregate(
        _ node: LogicalAggregate, _ input: Relation, states: [[DataType]], columns: [PlanColumn], rowCount: Double
    ) throws -> Relation {
        let heads = node.groupColumns + (node.setIndexColumn.map { [$0] } ?? [])
        var partialColumns = heads
        for (column, types) in zip(node.aggregateColumns, states) {
            for type in types { partialColumns.append(newColumn(column.name, type)) }
        }
        let calls = try node.aggregates.map { try $0.mapExpressions { try bind($0, input.columns) } }
        let partial = AggregateNode(
            mode: .partial, groups: try node.groups.map { try bind($0, input.columns) },
            groupingSets: node.groupingSets, aggregates: calls, input: input.node)
        let partialCount = min(input.rowCount, rowCount * Double(options.workerCount))
        var relation = Relation(
            node: makeNode(.aggregate(partial), columns: partialColumns, rowCount: partialCount),
            columns: partialColumns, distribution: .partitioned(.unknown))
        if rowCount <= options.singleTaskGroupLimit || node.groupingSets.contains([]) {
            relation = gathered(relation)
        } else {
            let places = node.groupingSets.count == 1 ? cheapPlaces(node.groups, input.rowCount) : []
            relation = hashed(relation, by: places.isEmpty ? heads.map(\.id) : places.map { heads[$0].id })
        }
        let final = AggregateNode(
            mode: .final, groups: node.groups.indices.map { .input($0, node.groups[$0].type) },
            groupingSets: node.groupingSets, aggregates: calls, input: relation.node)
        return Relation(
            node: makeNode(.aggregate(final), columns: columns, rowCount: rowCount), columns: columns,
            distribution: relation.distribution)
    }

    func build(_ node: LogicalWindow, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        var needed = required
        for expression in plan.expressions { expression.collectColumns(into: &needed) }
        var input = prune(try build(node.input, required: needed), to: needed)
        let rowCount = estimator.rowCount(of: plan, inputs: [input.rowCount])
        var plainKeys = ColumnSet()
        for case .column(let id, _) in node.partitions { plainKeys.insert(id) }
        var partitions = node.partitions
        if !input.distribution.keepsTogether(plainKeys) {
            if node.partitions.isEmpty {
                input = gathered(input)
            } else {
                let (complete, keys) = try materialize(node.partitions, in: input)
                partitions = zip(keys, node.partitions).map { .column($0, $1.type) }
                input = hashed(complete, by: keys)
            }
        }
        let window = WindowNode(
            partitions: try partitions.map { try bind($0, input.columns) },
            ordering: try bind(node.ordering, input.columns),
            calls: try node.calls.map { try $0.mapExpressions { try bind($0, input.columns) } }, input: input.node)
        let columns = input.columns + node.columns
        return Relation(
            node: makeNode(.window(window), columns: columns, rowCount: rowCount), columns: columns,
            distribution: input.distribution)
    }

    func build(_ node: LogicalTableFunction, _ plan: LogicalPlan, required: ColumnSet) throws -> Relation {
        var needed = required
        for argument in node.arguments { argument.collectColumns(into: &needed) }
        let input = prune(try build(node.input, required: needed), to: needed)
        let rowCount = estimator.rowCount(of: plan, inputs: [input.rowCount])
        let columns = input.columns + node.columns + (node.ordinalityColumn.map { [$0] } ?? [])
        let function = TableFunctionNode(
            name: node.name, arguments: try node.arguments.map { try bind($0, input.columns) },
            functionTypes: node.columns.map(\.type), withOrdinality: node.ordinalityColumn != nil,
            isOuter: node.isOuter, input: input.node)
        return Relation(
            node: makeNode(.tableFunction(function), columns: columns, rowCount: rowCount), columns: columns,
            distribution: input.distribution)
    }

    func build(_ node: LogicalRecursive, _ plan: LogicalPlan) throws -> Relation {
        let outer = isInRecursion
        isInRecursion = true
        defer { isInRecursion = outer }
        func part(_ plan: LogicalPlan) throws -> Relation {
            let columns = plan.columns
            let built = try build(plan, required: ColumnSet(columns))
            return built.columns.map(\.id) == columns.map(\.id) ? built : try select(columns, from: built)
        }
        let base = try part(node.base)
        let step = try part(node.step)
        let rowCount = estimator.rowCount(of: plan, inputs: [base.rowCount, step.rowCount])
        var place = Distribution.Place.anywhere
        for case .single(let other) in [base.distribution, step.distribution] {
            place = Distribution.merged(place, other)
        }
        let recursive = RecursiveNode(
            workingTable: node.workingTable, keepsDuplicates: node.keepsDuplicates, base: base.node, step: step.node)
        return Relation(
            node: makeNode(.recursive(recursive), columns: node.columns, rowCount: rowCount), columns: node.columns,
            distribution: .single(place))
    }

    func build(_ node: LogicalWrite, _ plan: LogicalPlan) throws -> Relation {
        let columns = node.input.columns
        var input = gathered(try build(node.input, required: ColumnSet(columns)), required: ColumnSet(columns))
        if input.columns.map(\.id) != columns.map(\.id) { input = try select(columns, from: input) }
        if case .single(.worker) = input.distribution, !options.coordinatorIsWorker {
            input = exchange(input, .single, to: .single(.coordinator))
        }
        let place: Distribution.Place = options.coordinatorIsWorker && options.workerCount == 1 ? .worker : .coordinator
        _ = estimator.rowCount(of: plan, inputs: [input.rowCount])
        let write = makeNode(
            .write(WriteNode(target: node.target, input: input.node)), columns: [node.countColumn], rowCount: 1)
        return Relation(node: write, columns: [node.countColumn], distribution: .single(place))
    }

    /// Types of the columns that a call's state is exported as; none: the state cannot travel.
    private func exportedTypes(_ call: AggregateCall) throws -> [DataType] {
        // Ordered-set aggregates get the ordering's expressions behind their direct arguments; they cannot be split anyway.
        if !call.ordering.isEmpty || call.isDistinct { return [] }
        let types = call.arguments.map(\.type)
        let resolved = try registry.resolveAggregate(call.name, types)
        return try resolved.function.makeExecutor(resolved.parameterTypes, call.type).exportedTypes
    }
}
