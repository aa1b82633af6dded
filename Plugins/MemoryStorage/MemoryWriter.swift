// Changing the rows of tables in memory.

import Columnar
import Diagnostics
import Storage

/// Collects rows into full batches of flat vectors with their own memory, and puts a new version of the table in place of
/// the old one, all at once.
final class MemoryWriter: TableModifier {
    /// What becomes of the rows that are there.
    enum Mode {
        case append
        /// They all go, and the table gets this definition.
        case replace(TableDefinition)
    }

    private let table: MemoryTable
    private let mode: Mode
    private let definition: TableDefinition
    private let schema: Schema
    private let scope: StorageScope?
    private var batches: [MemoryBatch] = []
    private var builders: [VectorBuilder] = []
    private var deleted: Set<Int64> = []
    private var isDone = false

    init(_ table: MemoryTable, mode: Mode = .append, scope: StorageScope?) {
        self.table = table
        self.mode = mode
        self.scope = scope
        if case .replace(let definition) = mode { self.definition = definition } else { definition = table.definition }
        schema = definition.schema
    }

    func delete(_ identifiers: [Int64]) throws {
        guard !isDone else { throw QueryError.internalError("a deletion after the end of the writer") }
        for identifier in identifiers where !deleted.insert(identifier).inserted {
            throw QueryError.internalError("a row is deleted twice")
        }
    }

    func write(_ batch: Batch) throws {
        guard !isDone else { throw QueryError.internalError("a write after the end of the writer") }
        guard batch.columnCount == schema.count else {
            throw QueryError.internalError("a batch of \(batch.columnCount) columns for \(schema.count)")
        }
        let columns = (0..<batch.columnCount).map { batch.column($0) }
        for (column, field) in zip(columns, schema.fields) {
            guard column.physical == field.type.physical else {
                throw QueryError.internalError("a column of type \(column.type.sqlName) for \(field.type.sqlName)")
            }
            if !field.isNullable, column.mayHaveNulls,
                let row = (0..<batch.rowCount).first(where: { column.isNull($0) })
            {
                throw RuleViolation.notNull(field.name, of: table.name, row: Self.texts(columns, row))
            }
        }
        var start = 0
        while start < batch.rowCount {
            if builders.isEmpty { builders = schema.types.map { VectorBuilder(type: $0) } }
            let filled = builders.first?.count ?? Batch.standardRowCount
            // Tables without columns only count rows.
            let room = builders.isEmpty ? batch.rowCount : Batch.standardRowCount - filled
            let count = min(room, batch.rowCount - start)
            for (builder, column) in zip(builders, columns) {
                BatchCopy.append(column, start..<(start + count), to: builder)
            }
            start += count
            if builders.isEmpty {
                add(Batch(columns: [], rowCount: count))
            } else if (builders.first?.count ?? 0) == Batch.standardRowCount {
                seal()
            }
        }
    }

    private static func texts(_ columns: [Vector], _ row: Int) -> [String?] {
        columns.map { column in
            let value = column.value(at: row)
            return value.isNull ? nil : TextFormat.text(of: value, type: column.type)
        }
    }

    private func seal() {
        guard let count = builders.first?.count, count > 0 else { return }
        add(Batch(columns: builders.map { $0.finish() }, rowCount: count))
        builders = []
    }

    private func add(_ batch: Batch) {
        batches.append(MemoryBatch(batch: batch, numbers: .fresh(batch.rowCount)))
    }

    func commit() throws {
        guard !isDone else { throw QueryError.internalError("a second commit") }
        seal()
        isDone = true
        defer { batches = [] }
        try table.place.change(scope) { current in
            var rows: MemoryTable.Rows
            switch mode {
            case .replace: rows = MemoryTable.Rows(definition)
            case .append:
                guard current.definition == definition else { throw Self.outdated(table.name) }
                rows = current.rows
                if !deleted.isEmpty {
                    let count: Int
                    (rows, count) = rows.deleting(RowSet(deleted), definition: definition)
                    // Somebody else has deleted or updated one of the rows since this statement read them.
                    guard count == deleted.count else { throw Self.outdated(table.name) }
                }
            }
            try rows.index(batches, definition)
            rows.append(batches, types: schema.types)
            let next = MemoryTable(place: table.place, definition: definition, rows: rows)
            if case .replace = mode { return .replaced(next) }
            return .changed(next, deleted: deleted, inserted: batches)
        }
    }

    private static func outdated(_ name: String) -> QueryError {
        QueryError(
            .serializationFailure, "could not serialize access due to concurrent update",
            detail: "Table \"\(name)\" was changed since this statement read it.")
    }

    func abort() {
        isDone = true
        batches = []
        builders = []
    }
}
