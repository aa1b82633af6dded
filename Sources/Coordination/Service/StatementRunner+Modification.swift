// INSERT, UPDATE and DELETE: takes the changed rows from the query and hands them to the table, all or none.

import Columnar
import Diagnostics
import LogicalPlanner
import QueryPlan
import Storage

extension StatementRunner {
    func runModification(_ modification: BoundModification) async throws -> StatementResult {
        let table = try await session.engine.catalog.table(modification.table)
        let execution = try await start(modification.plan)
        let writer: any TableWriter =
            modification.hasIdentifier ? try await table.makeModifier() : try await table.makeWriter()
        let changes = RowChanges(modification, writer: writer)
        do {
            while let batch = try await execution.rows.next() { try changes.take(batch) }
            await execution.waitForEnd()
            try writer.commit()
        } catch {
            execution.cancel()
            writer.abort()
            throw error
        }
        let count = changes.rowCount
        if count > 0 {
            if modification.kind != .delete, !modification.definition.foreignKeys.isEmpty {
                try await checkReferences(of: modification.table)
            }
            if modification.hasIdentifier, !modification.definition.keys.isEmpty {
                try await followReferences(to: modification.table, isDelete: modification.kind == .delete)
            }
        }
        let tag =
            modification.kind == .insert ? "INSERT 0 \(count)" : "\(modification.kind.rawValue.uppercased()) \(count)"
        guard modification.returnsRows else { return StatementResult(tag: tag) }
        let fields = zip(modification.returningNames, modification.returningTypes).map { Field(name: $0, type: $1) }
        return StatementResult(
            fields: fields, batches: changes.returned, tag: tag, objectNames: context.catalogFacts)
    }
}

/// Sorts out the columns of a modification's rows. Confined to the statement that runs.
private final class RowChanges {
    private let modification: BoundModification
    private let writer: any TableWriter
    private let fields: [Field]
    private(set) var rowCount = 0
    private(set) var returned: [Batch] = []
    /// Rows of the table that were changed: a second match changes nothing more.
    private var changed: Set<Int64> = []
    private var proposed: [Set<RowKey>]

    init(_ modification: BoundModification, writer: any TableWriter) {
        self.modification = modification
        self.writer = writer
        fields = modification.definition.columns.map(\.field)
        proposed = modification.proposedCounts.map { _ in [] }
    }

    func take(_ batch: Batch) throws {
        let all = batch.densified()
        let chosen = try choose(all)
        if chosen.isEmpty { return }
        let identifiers = modification.hasIdentifier ? all.column(0) : nil
        let batch = chosen.count == all.rowCount ? all : all.selecting(Selection(chosen)).densified()
        if let identifiers, let modifier = writer as? any TableModifier {
            try modifier.delete(chosen.compactMap { Self.identifier(identifiers, $0) })
        }
        if modification.kind != .delete {
            let start = (modification.hasIdentifier ? 1 : 0) + (modification.hasCondition ? 1 : 0)
            let row = Batch(
                columns: (start..<(start + modification.fieldCount)).map { batch.column($0) },
                rowCount: batch.rowCount)
            try check(row, batch)
            try writer.write(row)
        }
        rowCount += batch.rowCount
        if modification.returnsRows {
            let start = modification.checkStart + modification.checks.count
            returned.append(
                Batch(
                    columns: (start..<batch.columnCount).map { batch.column($0) }, rowCount: batch.rowCount))
        }
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
                return changed.insert(identifier).inserted
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
        for (number, name) in modification.checks.enumerated() {
            let outcome = batch.column(modification.checkStart + number)
            if let failing = (0..<row.rowCount).first(where: { outcome.value(at: $0) == .boolean(false) }) {
                throw RuleViolation.check(name, of: modification.table.table, row: texts(row, failing))
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
