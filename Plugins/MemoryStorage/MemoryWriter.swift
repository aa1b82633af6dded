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
    private var batches: [Batch] = []
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
                batches.append(Batch(columns: [], rowCount: count))
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
        batches.append(Batch(columns: builders.map { $0.finish() }, rowCount: count))
        builders = []
    }

    func commit() throws {
        guard !isDone else { throw QueryError.internalError("a second commit") }
        seal()
        isDone = true
        defer { batches = [] }
        try table.place.change(scope) { current in
            let base: MemoryTable.Rows
            switch mode {
            case .replace: base = MemoryTable.Rows(definition)
            case .append where deleted.isEmpty:
                guard current.definition == definition else { throw Self.outdated(table.name) }
                base = current.rows
            case .append:
                // Identifiers mean places in the version that was read.
                guard current === table else { throw Self.outdated(table.name) }
                base = current.rows.deleting(deleted, definition: definition)
            }
            var rows = base
            try rows.index(batches, definition)
            rows.append(batches, types: schema.types)
            return MemoryTable(place: table.place, definition: definition, rows: rows)
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
