// Common tables with several references: bound once, and computed once where that is cheaper or must be.
//
// A reference is bound as a read of a shared definition. At the end of binding those with a single read are put in its
// place; the others stand at the top of the plan, and the optimiser chooses between one computation and several.

import Columnar
import Diagnostics
import QueryPlan
import SQLParser

/// The query of a common table that does not depend on where it is read.
final class SharedDefinition {
    let number: Int
    var query: BoundQuery
    let materialization: CommonTableExpression.Materialization?

    init(number: Int, query: BoundQuery, materialization: CommonTableExpression.Materialization?) {
        self.number = number
        self.query = query
        self.materialization = materialization
    }

    var mayVaryBetweenRuns: Bool { query.plan.mayVaryBetweenRuns }

    /// Whether computing it twice may give different rows, or the query asks for one computation.
    var isRequired: Bool {
        switch materialization {
        case .materialized: true
        case .notMaterialized: query.plan.hasVolatileParts
        case nil: query.plan.mayVaryBetweenRuns
        }
    }
}

extension StatementBinder {
    /// A definition for all references; none if the query depends on the place of a reference.
    func share(_ query: BoundQuery, _ materialization: CommonTableExpression.Materialization?) -> SharedDefinition? {
        guard query.plan.outerColumns.isEmpty, !query.plan.readsOuterWorkingTable([]) else { return nil }
        let definition = SharedDefinition(
            number: sharedDefinitions.count, query: query, materialization: materialization)
        sharedDefinitions.append(definition)
        return definition
    }

    /// A read with columns of its own.
    func read(_ shared: SharedDefinition) -> BoundQuery {
        let plan = shared.query.plan
        let columns = ids.copies(of: plan.columns)
        copyModifiers(from: plan.columns, to: columns)
        let read = LogicalSharedRead(
            number: shared.number, columns: columns, sources: plan.columns.map(\.id),
            givesAtMostOneRow: plan.givesAtMostOneRow, givesExactlyOneRow: plan.givesExactlyOneRow)
        let named = zip(columns, shared.query.columns).map { column, source in
            ScopeColumn(name: source.name, id: column.id, type: column.type)
        }
        return BoundQuery(plan: .sharedRead(read), columns: named)
    }

    /// The plan of the whole statement with the definitions that it reads: in place of their read, or at the top.
    func withSharedDefinitions(_ plan: LogicalPlan) throws -> LogicalPlan {
        var plan = plan
        // How often a definition would be computed if none was shared.
        var copies = [Int](repeating: 0, count: sharedDefinitions.count)
        plan.forEachSharedRead { copies[$0.number] += 1 }
        for definition in sharedDefinitions.reversed() where copies[definition.number] > 0 {
            let number = definition.number
            definition.query.plan.forEachSharedRead { copies[$0.number] += min(copies[number], Self.copyCountMax) }
            var readCount = 0
            plan.forEachSharedRead { if $0.number == number { readCount += 1 } }
            let isInRecursion = plan.readsSharedInRecursion(number)
            if isInRecursion, readCount > 1, definition.query.plan.hasVolatileParts {
                throw QueryError.notSupported("a WITH query with volatile functions that a recursive query reads")
            }
            let isPlain = definition.materialization == .notMaterialized && !definition.isRequired
            if readCount == 1 || isInRecursion || (isPlain && copies[number] <= Self.copyCountMax) {
                plan = plan.inliningShared(number, definition.query.plan, ids)
                continue
            }
            plan = .shared(
                LogicalShared(
                    number: number, isRequired: definition.isRequired || copies[number] > Self.copyCountMax,
                    columns: definition.query.plan.columns, definition: definition.query.plan, input: plan))
        }
        return plan
    }

    /// Tables that refer to each other several times over would otherwise grow a plan without bound.
    private static let copyCountMax = 8
}

extension LogicalPlan {
    /// Whether a read of the definition is computed several times by a recursive query.
    fileprivate func readsSharedInRecursion(_ number: Int) -> Bool {
        if case .recursive = self {
            var isFound = false
            forEachSharedRead { if $0.number == number { isFound = true } }
            return isFound
        }
        for expression in expressions {
            var isFound = false
            expression.visit {
                if case .subquery(let subquery) = $0, subquery.plan.readsSharedInRecursion(number) { isFound = true }
            }
            if isFound { return true }
        }
        return inputs.contains { $0.readsSharedInRecursion(number) }
    }

    /// Whether the plan reads the working table of a recursive query around it.
    fileprivate func readsOuterWorkingTable(_ own: Set<Int>) -> Bool {
        var own = own
        switch self {
        case .workingTable(let node): return !own.contains(node.workingTable)
        case .recursive(let node): own.insert(node.workingTable)
        default: break
        }
        for expression in expressions {
            var isFound = false
            expression.visit {
                if case .subquery(let subquery) = $0, subquery.plan.readsOuterWorkingTable(own) { isFound = true }
            }
            if isFound { return true }
        }
        return inputs.contains { $0.readsOuterWorkingTable(own) }
    }

    /// Whether a part of the plan, sub-queries included, fulfils a test of nodes or of expressions.
    private func contains(_ node: (LogicalPlan) -> Bool, _ expression: (Expression) -> Bool) -> Bool {
        if node(self) { return true }
        for own in expressions {
            let isFound = own.contains {
                if case .subquery(let subquery) = $0 { return subquery.plan.contains(node, expression) }
                return expression($0)
            }
            if isFound { return true }
        }
        return inputs.contains { $0.contains(node, expression) }
    }

    fileprivate var hasVolatileParts: Bool {
        contains({ _ in false }, { if case .call(let call) = $0 { call.volatility == .volatile } else { false } })
    }

    /// Whether two computations may give different rows over the same data: volatile functions, and whatever depends on
    /// the order in which rows happen to come.
    fileprivate var mayVaryBetweenRuns: Bool {
        if hasVolatileParts { return true }
        return contains(
            { node in
                switch node {
                case .limit, .window: return true
                case .distinct(let distinct): return distinct.keys != nil
                case .aggregate(let aggregate): return aggregate.aggregates.contains { $0.dependsOnOrder }
                default: return false
                }
            }, { _ in false })
    }
}

extension AggregateCall {
    /// Sums of floating-point numbers and collections come out differently when rows come in another order.
    fileprivate var dependsOnOrder: Bool {
        switch name {
        case "count", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor": return false
        case "sum", "avg": return arguments.contains { $0.type == .float32 || $0.type == .float64 }
        default: return true
        }
    }
}
