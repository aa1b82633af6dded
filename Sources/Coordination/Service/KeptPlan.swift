// The plan of a prepared statement, kept from one execution to the next with its parameters open.
//
// Planning costs more than running a query of a few rows, and for those no value of a parameter makes another plan worth
// its making. Queries over more rows are planned for their values each time.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import Synchronization

/// Holds the plan of one prepared statement of one session.
final class KeptPlan: Sendable {
    struct Plan: Sendable {
        var prepared: PreparedPlan
        /// The same, compiled, if it is so simple that the session's own thread runs it.
        var direct: DirectPlan?
        var fields: [Field]
        var names: NameMeanings
        /// With which it was made: some are written into the plan, others say what names mean.
        var settings: SessionSettings
    }

    private enum State: Sendable {
        /// Not executed yet: a statement that is executed once is planned once, for its values.
        case new
        case wanted
        case kept(Plan)
        case refused
    }
    private let state = Mutex(State.new)

    /// Rows that all tables of a query may have together for its plan to be kept.
    static let rowLimit = 2_000_000

    var isKept: Bool {
        state.withLock { if case .kept = $0 { true } else { false } }
    }

    /// The plan, if there is one that still holds; `make` makes one when that is worth trying.
    func plan(settings: SessionSettings, _ make: () async throws -> Plan?) async throws -> Plan? {
        switch state.withLock({ $0 }) {
        case .new:
            state.withLock { $0 = .wanted }
            return nil
        case .refused: return nil
        case .kept(let plan):
            if plan.settings == settings, try await plan.names.hold() { return plan }
        case .wanted: break
        }
        let made = try await make()
        state.withLock { $0 = made.map(State.kept) ?? .refused }
        return made
    }
}

extension Session {
    /// Runs a prepared query by the plan that was kept of it; `nil` when there is none.
    func runKept(_ statement: PreparedStatement, _ parameters: [QueryPlan.Expression]) async throws -> StatementResult?
    {
        // Without workers the cluster is out of order, which planning says.
        guard let syntax = statement.statement, case .query = syntax, !engine.directory.available.isEmpty else {
            return nil
        }
        let settings = self.settings
        let kept = try await statement.kept.plan(settings: settings) {
            try await self.planToKeep(syntax, types: statement.parameterTypes, settings)
        }
        guard let kept, kept.fields == statement.fields else { return nil }
        if let direct = kept.direct, let batches = try await runDirect(direct, statement, parameters) {
            return StatementResult(fields: kept.fields, batches: batches)
        }
        let context = self.context(nil)
        var prepared = kept.prepared
        if !parameters.isEmpty {
            prepared.physical = try prepared.physical.substituting(
                parameters, registry: engine.registry, context: context)
        }
        let runner = StatementRunner(session: self, sql: statement.sql, context: context, ids: ColumnIDGenerator())
        return StatementResult(fields: kept.fields, execution: try await runner.start(prepared)) { "SELECT \($0)" }
    }

    /// Runs a plan of a few rows here and now; `nil` if they turn out to be more. It takes no place of admission: it is over
    /// before another query could wait for it.
    private func runDirect(
        _ direct: DirectPlan, _ statement: PreparedStatement, _ parameters: [QueryPlan.Expression]
    ) async throws -> [Batch]? {
        let start = QueryEngine.now
        let result: Result<[Batch], any Error>
        do {
            var table: (any TableProvider)?
            if let scan = direct.scan { table = try await engine.catalog.table(scan.table) }
            guard let batches = try direct.run(table, parameters) else { return nil }
            result = .success(batches)
        } catch {
            result = .failure(error)
        }
        var record = QueryRecord(
            id: .make(at: start), sql: statement.sql, user: user, state: .finished, startedAt: start,
            durationMicroseconds: QueryEngine.now - start, rowCount: 0, error: nil, attemptCount: 1)
        switch result {
        case .success(let batches): record.rowCount = batches.reduce(0) { $0 + $1.rowCount }
        case .failure(let error): record.fail(QueryError.wrapping(error))
        }
        record.trace = TraceContext.current
        engine.queries.add(record)
        return try result.get()
    }

    /// A plan that does for all parameters, `nil` if one for each of them may be better.
    private func planToKeep(
        _ statement: Statement, types: [DataType], _ settings: SessionSettings
    ) async throws -> KeptPlan.Plan? {
        let binder = Binder(catalog: engine.catalog, registry: engine.registry, session: bindingSession(types))
        let (bound, names) = try await binder.bindToKeep(statement)
        guard let names, bound.catalogFacts == nil, bound.parameterTypes == types,
            case .query(let plan, let columnNames, let columnTypes) = bound.statement
        else { return nil }
        // What needs the value of a parameter while it is planned says so by an error.
        guard
            let prepared = try? await engine.planForCoordinator(
                plan, ids: bound.columnIDs, context: context(nil), rowLimit: KeptPlan.rowLimit)
        else { return nil }
        let direct = try DirectPlan(
            prepared.physical, parameterTypes: types, registry: engine.registry, context: context(nil))
        return KeptPlan.Plan(
            prepared: prepared, direct: direct,
            fields: StatementRunner.fields(columnNames, columnTypes, plan, bound.columnModifiers),
            names: names,
            settings: settings)
    }
}

extension PhysicalPlan {
    /// The plan with its parameters replaced by literals.
    fileprivate func substituting(
        _ parameters: [QueryPlan.Expression], registry: FunctionRegistry, context: EvaluationContext
    ) throws -> PhysicalPlan {
        try mapExpressions { expression in
            guard expression.contains({ if case .parameter = $0 { true } else { false } }) else { return expression }
            let filled = expression.rewritten { node in
                guard case .parameter(let index, let type) = node, index < parameters.count else { return node }
                return parameters[index].type == type
                    ? parameters[index] : .cast(parameters[index], to: type, kind: .strict)
            }
            // Comparisons with literals are what readers prune by.
            return try ConstantFolder.fold(filled, registry: registry, context: context)
        }
    }
}
