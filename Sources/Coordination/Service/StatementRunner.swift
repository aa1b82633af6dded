// Carries out bound statements: queries and writes through the planner, the rest on the session and the catalogue.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import SQLParser
import Storage
import Transport

/// Runs one bound statement of a session.
struct StatementRunner {
    let session: Session
    let sql: String
    let context: EvaluationContext
    let ids: ColumnIDGenerator
    /// What columns of times and intervals are known to be cut to.
    var columnModifiers: [ColumnID: TemporalModifier] = [:]

    var engine: QueryEngine { session.engine }

    func run(_ statement: BoundStatement) async throws -> StatementResult {
        switch statement {
        case .query(let plan, let names, let types):
            return try await runQuery(plan, fields: fields(names, types, plan)) { "SELECT \($0)" }
        case .explain(let inner, let options): return try await explain(inner, options)
        case .insert(let plan): return StatementResult(tag: "INSERT 0 \(try await runWrite(plan))")
        case .modify(let modification): return try await runModification(modification)
        case .withChanges(let steps, let main): return try await runChanges(steps, main)
        case .copyTo(let plan, let names, let types, let target, let options):
            return try await copyTo(plan, fields(names, types, plan), target, options)
        case .copyFrom(let table, let columns, let target, let options, let condition):
            return try await copyFrom(table, columns, target, options, condition: condition)
        case .createTable, .createTableAs, .createView, .createSchema, .drop, .truncate, .alterTable, .alterView,
            .createIndex, .sequence, .defineType, .comment, .nothing, .createMaterializedView, .refresh:
            return try await runDefinition(statement)
        case .setVariable, .resetVariable, .showVariable, .showTables, .showSchemas, .showDatabases, .showFunctions,
            .describe, .discard:
            return try await runSessionStatement(statement)
        case .prepare(let name, let parameterTypes, let statement):
            return try await prepare(name, parameterTypes, statement)
        case .execute(let name, let arguments): return try await execute(name, arguments)
        case .deallocate(let name): return try deallocate(name)
        case .transaction(let transaction): return try await session.runTransaction(transaction)
        case .analyze(let tables): return try await analyze(tables)
        case .vacuum(let tables, let analyzes): return try await vacuum(tables, analyzes: analyzes)
        case .declareCursor(let name, let plan, let names, let types, let syntax):
            return try await declareCursor(name, plan, fields(names, types, plan), syntax)
        case .fetch(let fetch): return try await self.fetch(fetch)
        case .closeCursor(let name): return try closeCursor(name)
        case .drainWorker(let name): return try await drainWorker(name)
        case .alterDefaults(let user, let name, let value): return try await alterDefaults(user, name, value)
        case .user(let statement): return try await changeUsers(statement)
        case .listen: return StatementResult(tag: "LISTEN")
        case .unlisten: return StatementResult(tag: "UNLISTEN")
        case .notify: return StatementResult(tag: "NOTIFY")
        }
    }

    /// The result's columns, named as the query names them.
    static func fields(
        _ names: [String], _ types: [DataType], _ plan: LogicalPlan, _ modifiers: [ColumnID: TemporalModifier]
    ) -> [Field] {
        zip(zip(names, types), plan.columns).map { named, column in
            Field(name: named.0, type: named.1, isNullable: column.isNullable, modifier: modifiers[column.id])
        }
    }

    func fields(_ names: [String], _ types: [DataType], _ plan: LogicalPlan) -> [Field] {
        Self.fields(names, types, plan, columnModifiers)
    }

    // MARK: - Queries

    func runQuery(
        _ plan: LogicalPlan, fields: [Field], tag: @escaping @Sendable (Int) -> String
    ) async throws -> StatementResult {
        let execution = try await start(plan)
        return StatementResult(fields: fields, execution: execution, objectNames: context.catalogFacts, tag: tag)
    }

    func start(_ plan: LogicalPlan) async throws -> QueryExecution {
        try await start(try await engine.plan(plan, ids: ids, context: context))
    }

    func start(_ prepared: PreparedPlan) async throws -> QueryExecution {
        let execution = try await engine.start(
            prepared, sql: sql, user: session.user, session: Int(truncatingIfNeeded: session.number), context: context)
        session.setCurrent(execution)
        return execution
    }

    /// Runs a plan whose one row is a count.
    func runWrite(_ plan: LogicalPlan) async throws -> Int {
        let execution = try await start(plan)
        var count = 0
        while let batch = try await execution.rows.next() {
            for row in 0..<batch.rowCount {
                if case .integer(let value) = batch.column(0).value(at: row) { count += Int(value) }
            }
        }
        await execution.waitForEnd()
        return count
    }

    // MARK: - EXPLAIN

    private func explain(_ statement: BoundStatement, _ options: ExplainOptions) async throws -> StatementResult {
        let plan: LogicalPlan
        switch statement {
        case .query(let query, _, _), .insert(let query), .createTableAs(_, let query, _, _, _),
            .createMaterializedView(_, _, let query, _, _),
            .declareCursor(_, let query, _, _, _):
            plan = query
        case .modify(let modification):
            if options.analyze { throw QueryError.notSupported("EXPLAIN ANALYZE of a statement that changes rows") }
            plan = modification.plan
        case .withChanges(let steps, let main): return try await explainChanges(steps, main, options)
        default: throw QueryError.notSupported("EXPLAIN of this statement")
        }
        let started = ContinuousClock.now
        let prepared = try await engine.plan(plan, ids: ids, context: context)
        let planned = ContinuousClock.now - started
        var lines: [String] = []
        let shown = options.printerOptions
        if !options.analyze, options.format == .text { lines += Self.logicalLines(prepared) }
        var metrics: [Int: NodeMetrics]?
        var summary: [(String, String)] = []
        if options.analyze {
            let runStart = ContinuousClock.now
            let execution = try await engine.start(
                prepared, sql: sql, user: session.user, session: Int(truncatingIfNeeded: session.number),
                context: context)
            session.setCurrent(execution)
            while try await execution.rows.next() != nil {}
            await execution.waitForEnd()
            let ran = ContinuousClock.now - runStart
            metrics = NodeMetrics.sums(execution.metrics)
            if options.summary {
                summary = [
                    ("Planning Time", Self.milliseconds(planned)), ("Execution Time", Self.milliseconds(ran)),
                ]
            }
        }
        if options.format == .json {
            lines = [
                PhysicalPlanJSON.text(prepared.physical, metrics: metrics, options: shown, summary: summary)
            ]
        } else {
            lines += PhysicalPlanPrinter.lines(
                prepared.physical, metrics: metrics, options: shown, storeTexts: try await storeTexts(prepared.physical)
            )
            lines += summary.map { "\($0.0): \($0.1) ms" }
        }
        return Self.explanation(lines, options)
    }

    /// What stores are asked, by the nodes of scans.
    private func storeTexts(_ plan: PhysicalPlan) async throws -> [Int: String] {
        var texts: [Int: String] = [:]
        for stage in plan.stages {
            for (node, scan) in stage.scans {
                let table = try await session.engine.catalog.table(scan.table)
                texts[node] = table.storeText(
                    for: ScanRequest(
                        projection: scan.projection, predicates: scan.predicates, limit: scan.limit,
                        storeQuery: scan.storeQuery))
            }
        }
        return texts
    }

    static func logicalLines(_ prepared: PreparedPlan) -> [String] {
        ["Logical plan"] + LogicalPlanPrinter.lines(prepared.logical).map { "  " + $0 } + ["Physical plan"]
    }

    static func explanation(_ lines: [String], _ options: ExplainOptions) -> StatementResult {
        let builder = VectorBuilder(type: options.format.resultType, capacity: max(1, lines.count))
        for line in lines { builder.append(string: line) }
        return StatementResult(
            fields: [Field(name: "QUERY PLAN", type: options.format.resultType, isNullable: false)],
            batches: [Batch(columns: [builder.finish()], rowCount: lines.count)], tag: "EXPLAIN")
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let parts = duration.components
        let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    // MARK: - Prepared statements

    private func prepare(_ name: String, _ types: [DataType], _ statement: Statement) async throws -> StatementResult {
        let bound = try await session.bind(statement, parameterTypes: types)
        let prepared = PreparedStatement(
            sql: sql, statement: statement, parameterTypes: bound.parameterTypes,
            fields: try session.resultFields(bound))
        try session.state.withLock { state in
            if state.prepared[name] != nil {
                throw QueryError(.duplicatePreparedStatement, "prepared statement \"\(name)\" already exists")
            }
            state.prepared[name] = prepared
        }
        return StatementResult(tag: "PREPARE")
    }

    private func execute(_ name: String, _ arguments: [QueryPlan.Expression]) async throws -> StatementResult {
        guard let prepared = session.state.withLock({ $0.prepared[name] }), let statement = prepared.statement else {
            throw QueryError(.invalidSQLStatementName, "prepared statement \"\(name)\" does not exist")
        }
        guard arguments.count == prepared.parameterTypes.count else {
            throw QueryError(
                .syntaxError, "wrong number of parameters for prepared statement \"\(name)\"",
                detail: "Expected \(prepared.parameterTypes.count) parameters but got \(arguments.count).")
        }
        let literals = try zip(arguments, prepared.parameterTypes).map { argument, type in
            try ConstantFolder.fold(
                argument.type == type ? argument : .cast(argument, to: type, kind: .strict), registry: engine.registry,
                context: context)
        }
        return try await session.execute(prepared, statement, parameters: literals)
    }

    private func deallocate(_ name: String?) throws -> StatementResult {
        try session.state.withLock { state in
            guard let name else {
                state.prepared = [:]
                return StatementResult(tag: "DEALLOCATE ALL")
            }
            guard state.prepared.removeValue(forKey: name) != nil else {
                throw QueryError(.invalidSQLStatementName, "prepared statement \"\(name)\" does not exist")
            }
            return StatementResult(tag: "DEALLOCATE")
        }
    }
}

extension ExplainOptions.Format {
    /// The type of the plan's column.
    var resultType: DataType { self == .json ? .json : .text }
}

extension NodeMetrics {
    /// Sums over tasks, by node.
    static func sums(_ metrics: [OperatorMetrics]) -> [Int: NodeMetrics] {
        var result: [Int: NodeMetrics] = [:]
        for metric in metrics {
            var node = result[metric.node] ?? NodeMetrics(rowCount: 0)
            node.rowCount += metric.rowsOut
            node.nanoseconds += metric.nanoseconds
            node.memoryByteCount += metric.memoryBytesPeak
            node.spilledByteCount += metric.spilledBytes
            node.readByteCount += metric.bytesRead
            node.fetchedRowCount += metric.rowsIn
            result[metric.node] = node
        }
        return result
    }
}
