// INSERT, UPDATE, DELETE and MERGE: takes the changed rows from the query and hands them to the table, all or none.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import SQLFunctions
import Storage

extension StatementRunner {
    func runModification(_ modification: BoundModification) async throws -> StatementResult {
        try await runChanges([], .modify(modification))
    }

    /// Runs the parts of a statement one after the other over the tables as they are, then changes the tables.
    func runChanges(_ steps: [BoundStep], _ main: BoundStatement) async throws -> StatementResult {
        let changes = StatementChanges(catalog: session.engine.catalog, steps, main)
        var parts: [RowChanges] = []
        var answer: StatementResult?
        do {
            for step in steps {
                let rows: [Batch]
                switch step.content {
                case .query(let plan): rows = try await batches(of: plan)
                case .modification(let modification):
                    let part = try await collect(modification, changes)
                    parts.append(part)
                    rows = part.returned
                }
                if let result = step.result { try await keep(rows, as: result, step.fields) }
            }
            switch main {
            case .modify(let modification):
                let part = try await collect(modification, changes)
                parts.append(part)
                answer = part.result(objectNames: context.catalogFacts)
            case .query(let plan, let names, let types):
                let rows = try await batches(of: plan)
                answer = StatementResult(
                    fields: fields(names, types, plan), batches: rows,
                    tag: "SELECT \(rows.reduce(0) { $0 + $1.rowCount })", objectNames: context.catalogFacts)
            default: throw QueryError.notSupported("this statement together with changes of rows")
            }
            try await commit(changes)
        } catch {
            changes.abort()
            try await forget(steps)
            throw error
        }
        for part in parts { try await followKeys(part) }
        try await forget(steps)
        return answer ?? StatementResult(tag: "")
    }

    /// Takes the rows that are to change from other transactions, then changes the tables.
    private func commit(_ changes: StatementChanges) async throws {
        guard let transaction = StorageScope.current?.transaction else { return try await changes.commit() }
        let locks = session.engine.catalog.locks
        for (table, rows) in changes.rows {
            let hasWaited = try await session.waitForLock {
                rows.count > Self.rowLockCountMax
                    ? try await locks.acquire(table.description, .exclusive, for: transaction)
                    : try await locks.acquireRows(rows, of: table.description, for: transaction)
            }
            if hasWaited { throw StatementOutdated(reason: nil) }
        }
        let checkpoint = transaction.checkpoint()
        do { try await changes.commit() } catch let error as QueryError where error.state == .serializationFailure {
            transaction.restore(checkpoint)
            throw StatementOutdated(reason: error)
        }
    }

    /// A statement that changes more rows than that locks the table instead.
    private static let rowLockCountMax = 10_000

    /// Drops the tables that kept rows for other parts of the statement.
    func forget(_ steps: [BoundStep]) async throws {
        for case let result? in steps.map(\.result) {
            let backend = try backend(result.catalog)
            if try await backend.table(schema: result.schema, name: result.table) != nil {
                try await backend.dropTable(schema: result.schema, name: result.table)
            }
        }
    }

    /// The rows of a modification, sorted out but not yet in the table.
    private func collect(_ modification: BoundModification, _ changes: StatementChanges) async throws -> RowChanges {
        let rows = RowChanges(modification, try await changes.change(of: modification.table))
        let execution = try await start(modification.plan)
        do {
            while let batch = try await execution.rows.next() {
                try rows.take(batch)
                try await rows.drain()
            }
            await execution.waitForEnd()
        } catch {
            execution.cancel()
            throw error
        }
        return rows
    }

    private func batches(of plan: LogicalPlan) async throws -> [Batch] {
        let execution = try await start(plan)
        var batches: [Batch] = []
        do {
            while let batch = try await execution.rows.next() { batches.append(batch.densified()) }
            await execution.waitForEnd()
        } catch {
            execution.cancel()
            throw error
        }
        return batches
    }

    /// Keeps rows for other parts of the statement in a table of the session.
    func keep(_ rows: [Batch], as name: TableName, _ fields: [Field]) async throws {
        try await makeTemporarySchema(for: name)
        try await backend(name.catalog).createTable(schema: name.schema, name: name.table, columns: fields)
        let writer = try await session.engine.catalog.table(name).makeWriter()
        do {
            for batch in rows { try writer.write(batch) }
            try writer.commit()
        } catch {
            writer.abort()
            throw error
        }
    }

    /// Foreign keys of the changed table and those that refer to it.
    private func followKeys(_ part: RowChanges) async throws {
        let modification = part.modification
        guard part.rowCount > 0 else { return }
        if modification.kind != .delete, !modification.definition.foreignKeys.isEmpty {
            try await checkReferences(of: modification.table)
        }
        if modification.hasIdentifier, !modification.definition.keys.isEmpty {
            try await followReferences(
                to: modification.table, hasDeletions: part.hasDeletions, hasUpdates: part.hasUpdates)
        }
    }
}

/// Other transactions have changed rows that the statement was about to change: it must run again.
struct StatementOutdated: Error {
    /// Why the rows cannot be changed as they were read; `nil` if the statement only had to wait.
    var reason: QueryError?
}

/// What a statement does to its tables: each gets one writer, whatever parts of the statement change it. Confined to the
/// statement that runs.
private final class StatementChanges {
    private let catalog: Catalog
    /// Tables of which rows are deleted or updated.
    private var modified: Set<TableName> = []
    /// Tables of which a part of the statement gives written rows back.
    private var isReturning: Set<TableName> = []
    private var changes: [TableName: TableChange] = [:]

    init(catalog: Catalog, _ steps: [BoundStep], _ main: BoundStatement) {
        self.catalog = catalog
        var modifications = steps.compactMap { step in
            if case .modification(let modification) = step.content { modification } else { nil }
        }
        if case .modify(let modification) = main { modifications.append(modification) }
        for modification in modifications where modification.hasIdentifier { modified.insert(modification.table) }
        for modification in modifications where modification.returnsRows && modification.kind != .delete {
            isReturning.insert(modification.table)
        }
    }

    func change(of name: TableName) async throws -> TableChange {
        if let known = changes[name] { return known }
        let table = try await catalog.table(name)
        if isReturning.contains(name), !table.keepsRowsAsWritten {
            throw QueryError.notSupported(
                "RETURNING from table \"\(name.table)\", whose store changes rows as it takes them")
        }
        let change = TableChange(
            writer: modified.contains(name) ? try await table.makeModifier() : try await table.makeWriter())
        changes[name] = change
        return change
    }

    /// Rows that are deleted or updated.
    var rows: [(TableName, Set<Int64>)] {
        changes.filter { !$0.value.changed.isEmpty }.map { ($0.key, $0.value.changed) }
            .sorted { $0.0.description < $1.0.description }
    }

    func commit() async throws {
        for name in changes.keys.sorted(by: { $0.description < $1.description }) {
            try await changes[name]?.writer.finish()
        }
    }

    func abort() { for change in changes.values { change.writer.abort() } }
}

private final class TableChange {
    let writer: any TableWriter
    /// Rows of the table that were changed: a second match changes nothing more.
    var changed: Set<Int64> = []

    init(writer: any TableWriter) { self.writer = writer }
}

/// Sorts out the columns of a modification's rows. Confined to the statement that runs.
private final class RowChanges {
    let modification: BoundModification
    private let change: TableChange
    private let fields: [Field]
    private(set) var rowCount = 0
    private(set) var hasDeletions = false
    private(set) var hasUpdates = false
    private(set) var returned: [Batch] = []
    private var proposed: [Set<RowKey>]

    init(_ modification: BoundModification, _ change: TableChange) {
        self.modification = modification
        self.change = change
        fields = modification.definition.columns.map(\.field)
        proposed = modification.proposedCounts.map { _ in [] }
    }

    func result(objectNames: (any CatalogFacts)?) -> StatementResult {
        let command = modification.kind.rawValue.uppercased()
        let tag = modification.kind == .insert ? "INSERT 0 \(rowCount)" : "\(command) \(rowCount)"
        guard modification.returnsRows else { return StatementResult(tag: tag) }
        let fields = zip(modification.returningNames, modification.returningTypes).map { Field(name: $0, type: $1) }
        return StatementResult(fields: fields, batches: returned, tag: tag, objectNames: objectNames)
    }

    func take(_ batch: Batch) throws {
        let all = batch.densified()
        if modification.kind == .merge { return try merge(all) }
        let chosen = try choose(all)
        if chosen.isEmpty { return }
        let identifiers = modification.hasIdentifier ? all.column(0) : nil
        let batch = chosen.count == all.rowCount ? all : all.selecting(Selection(chosen)).densified()
        let replaced = identifiers.map { column in chosen.map { Self.identifier(column, $0) } }
        if modification.kind == .delete {
            try delete((replaced ?? []).compactMap { $0 })
        } else {
            try write(batch, replacing: replaced)
        }
        rowCount += batch.rowCount
        if modification.returnsRows {
            let start = modification.checkStart + modification.checks.count
            returned.append(
                Batch(
                    columns: (start..<batch.columnCount).map { batch.column($0) }, rowCount: batch.rowCount))
        }
    }

    private func delete(_ identifiers: [Int64]) throws {
        guard !identifiers.isEmpty, let modifier = change.writer as? any TableModifier else { return }
        try modifier.delete(identifiers)
        hasDeletions = true
    }

    /// Waits for the store, outside of everything that must not wait.
    func drain() async throws { try await change.writer.drain() }

    /// Rows of the batch that stand for others, which are in `replacing`, and new ones.
    private func write(_ batch: Batch, replacing: [Int64?]? = nil) throws {
        let start = (modification.hasIdentifier ? 1 : 0) + (modification.hasCondition ? 1 : 0)
        let row = Batch(
            columns: (start..<(start + modification.fieldCount)).map { batch.column($0) },
            rowCount: batch.rowCount)
        try check(row, batch)
        guard let replacing, let modifier = change.writer as? any TableModifier else {
            return try change.writer.write(row)
        }
        let changed = replacing.indices.filter { replacing[$0] != nil }
        if !changed.isEmpty {
            hasUpdates = true
            let rows = changed.count == row.rowCount ? row : row.selecting(Selection(changed)).densified()
            try modifier.update(changed.compactMap { replacing[$0] }, with: rows)
        }
        if changed.count == row.rowCount { return }
        let added = replacing.indices.filter { replacing[$0] == nil }
        try modifier.write(changed.isEmpty ? row : row.selecting(Selection(added)).densified())
    }

    /// The rows of MERGE: each says what becomes of it.
    private func merge(_ batch: Batch) throws {
        var written: [Int] = []
        var replaced: [Int64?] = []
        var deleted: [Int64] = []
        for row in 0..<batch.rowCount {
            guard case .integer(let number) = batch.column(1).value(at: row),
                let action = MergeAction(rawValue: Int(number)), action != .nothing
            else { continue }
            rowCount += 1
            let known = action == .insert ? nil : Self.identifier(batch.column(0), row)
            if action != .delete {
                written.append(row)
                replaced.append(known)
            }
            guard let identifier = known else { continue }
            guard change.changed.insert(identifier).inserted else {
                throw QueryError(
                    .cardinalityViolation, "MERGE command cannot affect row a second time",
                    hint: "Ensure that not more than one source row matches any one target row.")
            }
            if action == .delete { deleted.append(identifier) }
        }
        try delete(deleted)
        if written.isEmpty { return }
        try write(
            written.count == batch.rowCount ? batch : batch.selecting(Selection(written)).densified(),
            replacing: replaced)
    }

    private static func identifier(_ column: Vector, _ row: Int) -> Int64? {
        if case .integer(let value) = column.value(at: row) { value } else { nil }
    }

    /// The rows that take part.
    private func choose(_ batch: Batch) throws -> [Int] {
        guard modification.hasIdentifier || modification.hasCondition || !proposed.isEmpty else {
            return Array(0..<batch.rowCount)
        }
        let identifiers = modification.hasIdentifier ? batch.column(0) : nil
        let condition = modification.hasCondition ? batch.column(modification.hasIdentifier ? 1 : 0) : nil
        let keyStart = modification.checkStart - modification.proposedCounts.reduce(0, +)
        return try (0..<batch.rowCount).filter { row in
            if let condition, condition.value(at: row) != .boolean(true) { return false }
            if try !propose(batch, row, keyStart) { return false }
            if let identifiers, let identifier = Self.identifier(identifiers, row) {
                return change.changed.insert(identifier).inserted
            }
            return true
        }
    }

    /// Notes the keys that the row proposes; false if one was proposed before and the row is to be left out.
    private func propose(_ batch: Batch, _ row: Int, _ start: Int) throws -> Bool {
        var position = start
        var keys: [RowKey?] = []
        for count in modification.proposedCounts {
            let columns = (position..<(position + count)).map { batch.column($0) }
            keys.append(RowKey(columns, row: row, nullsAreEqual: false))
            position += count
        }
        let isRepeated = zip(keys, proposed).contains { key, known in key.map { known.contains($0) } ?? false }
        if isRepeated {
            guard modification.conflict == .fail else { return false }
            throw QueryError(
                .cardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time",
                hint:
                    "Ensure that no rows proposed for insertion within the same command have duplicate constrained values."
            )
        }
        for (index, key) in keys.enumerated() { if let key { proposed[index].insert(key) } }
        return true
    }

    /// NOT NULL first, then the checks by name, for each row.
    private func check(_ row: Batch, _ batch: Batch) throws {
        for (index, field) in fields.enumerated() where !field.isNullable && row.column(index).mayHaveNulls {
            if let failing = (0..<row.rowCount).first(where: { row.column(index).isNull($0) }) {
                throw RuleViolation.notNull(field.name, of: modification.table.table, row: texts(row, failing))
            }
        }
        for (number, check) in modification.checks.enumerated() {
            let outcome = batch.column(modification.checkStart + number)
            if let failing = (0..<row.rowCount).first(where: { outcome.value(at: $0) == .boolean(false) }) {
                let values = texts(row, failing)
                switch check {
                case .constraint(let name):
                    throw RuleViolation.check(name, of: modification.table.table, row: values)
                case .viewOption(let view): throw RuleViolation.checkOption(view, row: values)
                }
            }
        }
    }

    private func texts(_ row: Batch, _ index: Int) -> [String?] {
        row.columns.indices.map { position in
            let column = row.column(position)
            let value = column.value(at: index)
            return value.isNull ? nil : TextFormat.text(of: value, type: column.type)
        }
    }
}

extension Selection {
    convenience init(_ rows: [Int]) {
        self.init(capacity: rows.count)
        for (index, row) in rows.enumerated() { self.rows[index] = UInt16(truncatingIfNeeded: row) }
        count = rows.count
    }
}
