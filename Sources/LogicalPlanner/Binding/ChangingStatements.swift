// Statements that WITH combines with changes of rows: INSERT, UPDATE and DELETE as common tables.
//
// All parts of such a statement read the tables as they were before it. So its parts run one after the other, each change's
// RETURNING rows are kept for those that read them, and the tables change when the last part is through.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import SQLParser

/// A part of a statement that runs before its main part.
package struct BoundStep: Sendable {
    package enum Content: Sendable {
        case modification(BoundModification)
        /// A query that several parts read and that must be computed once.
        case query(LogicalPlan)
    }
    package var content: Content
    /// Where its rows are kept while the statement runs, if another part reads them.
    package var result: TableName?
    /// Columns of `result`.
    package var fields: [Field]

    func mapPlan(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> BoundStep {
        var copy = self
        switch content {
        case .modification(let modification): copy.content = .modification(try modification.mapPlan(transform))
        case .query(let plan): copy.content = .query(try transform(plan))
        }
        return copy
    }

    fileprivate var plan: LogicalPlan {
        switch content {
        case .modification(let modification): modification.plan
        case .query(let plan): plan
        }
    }
}

extension WithClause {
    var hasChanges: Bool { tables.contains { $0.change != nil } }
}

extension StatementBinder {
    /// Binds one of a WITH clause's changes; its rows can be read like a table's.
    func bindChange(_ table: CommonTable, isTop: Bool) throws {
        guard let statement = table.definition.change else { return }
        let name = table.definition.name
        if table.isRecursive {
            throw QueryError(
                .featureNotSupported, "recursive query \"\(name)\" must not contain data-modifying statements",
                at: name.position)
        }
        guard isTop else {
            throw QueryError(
                .featureNotSupported, "WITH clause containing a data-modifying statement must be at the top level",
                at: name.position)
        }
        if table.definition.search != nil || table.definition.cycle != nil {
            throw QueryError(.syntaxError, "WITH query is not recursive", at: name.position)
        }
        let bound: BoundStatement
        switch statement {
        case .insert(let insert): bound = try bindInsert(insert, within: table.environment, isPart: true)
        case .update(let update): bound = .modify(try bindUpdate(update, within: table.environment))
        case .delete(let delete): bound = .modify(try bindDelete(delete, within: table.environment))
        default: throw QueryError.notSupported("this statement in a WITH query", at: name.position)
        }
        guard case .modify(let modification) = bound else {
            throw QueryError.internalError("a change of rows without rows")
        }
        let fields = zip(modification.returningNames, modification.returningTypes).map { Field(name: $0, type: $1) }
        let result = modification.returnsRows ? resultName() : nil
        table.result = CommonTable.Result(table: result, fields: fields)
        steps.append(BoundStep(content: .modification(modification), result: result, fields: Self.numbered(fields)))
    }

    /// The rows that a change returns.
    func readResult(_ result: CommonTable.Result, of definition: CommonTableExpression, at position: SourcePosition)
        throws -> BoundQuery
    {
        guard let table = result.table else {
            throw QueryError(
                .featureNotSupported, "WITH query \"\(definition.name)\" does not have a RETURNING clause",
                at: position)
        }
        let columns = result.fields.map { ids.column($0.name, $0.type) }
        let scan = LogicalScan(table: table, columns: columns, ordinals: Array(columns.indices))
        return try renamed(
            BoundQuery(plan: .scan(scan), columns: columns.map { ScopeColumn($0) }), definition.columns,
            of: definition.name.text)
    }

    /// A name in the session's own schema that no table can have: it is longer than names are.
    private func resultName() -> TableName {
        let filler = String(repeating: "-", count: DataType.nameByteCountMax)
        return TableName(
            catalog: catalog.defaultCatalog, schema: session.temporarySchema, table: "result \(filler)\(steps.count)")
    }

    /// Columns of one table have names of their own; those of a result need not.
    private static func numbered(_ fields: [Field]) -> [Field] {
        fields.enumerated().map { Field(name: "\($0.offset + 1)", type: $0.element.type) }
    }

    /// Queries that several parts of the statement read get one computation of their own, where two might differ.
    func separatingSharedQueries(_ statement: BoundStatement) throws -> BoundStatement {
        guard case .withChanges(var steps, var main) = statement else { return statement }
        for definition in sharedDefinitions where definition.mayVaryBetweenRuns {
            var readers = steps.indices.filter { reads(steps[$0].plan, definition.number) }
            var mainReads = false
            _ = main.mapPlan { plan in
                mainReads = reads(plan, definition.number)
                return plan
            }
            if mainReads { readers.append(steps.count) }
            guard readers.count > 1, let first = readers.first else { continue }
            let columns = definition.query.plan.columns
            let name = resultName()
            let scan = { (read: LogicalSharedRead) -> LogicalPlan in
                guard read.number == definition.number else { return .sharedRead(read) }
                let ordinals = read.sources.map { source in columns.firstIndex { $0.id == source } ?? 0 }
                return .scan(LogicalScan(table: name, columns: read.columns, ordinals: ordinals))
            }
            steps = steps.map { $0.mapPlan { $0.mapSharedReads(scan) } }
            main = main.mapPlan { $0.mapSharedReads(scan) }
            for other in sharedDefinitions where other.number > definition.number {
                other.query.plan = other.query.plan.mapSharedReads(scan)
            }
            let fields = Self.numbered(columns.map { Field(name: $0.name, type: $0.type) })
            steps.insert(
                BoundStep(content: .query(definition.query.plan), result: name, fields: fields), at: first)
        }
        return .withChanges(steps, main)
    }

    /// Whether a plan reads a shared definition, be it through another one.
    private func reads(_ plan: LogicalPlan, _ number: Int) -> Bool {
        var isFound = false
        var through: Set<Int> = []
        plan.forEachSharedRead { read in
            if read.number == number { isFound = true }
            through.insert(read.number)
        }
        return isFound
            || sharedDefinitions.contains { through.contains($0.number) && reads($0.query.plan, number) }
    }
}

extension Statement {
    /// The WITH clause at the statement's top.
    var with: WithClause? {
        switch self {
        case .query(let query): query.with
        case .insert(let insert): insert.with
        case .update(let update): update.with
        case .delete(let delete): delete.with
        case .merge(let merge): merge.with
        default: nil
        }
    }
}
