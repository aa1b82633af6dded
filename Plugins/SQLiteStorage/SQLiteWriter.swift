// The rows of one table that a statement inserts, updates and deletes.

import CSQLite
import Columnar
import Diagnostics
import Storage

/// New rows go to the file as they come if there is nothing else to do; deletions and updates go first, when the writer
/// commits. Confined to one thread at a time.
final class SQLiteWriter: TableModifier, @unchecked Sendable {
    private let table: SQLiteTable
    private let session: WriteSession
    private let isModifier: Bool
    /// Ordinals of the columns that are written; SQLite computes the others.
    private let ordinals: [Int]
    private var inserted: RowEncoder
    /// New rows, and the numbers of the rows that they replace.
    private var updated: RowEncoder
    private var deleted: [Int64] = []
    private var hasMadeTable = false
    private var isDone = false

    /// Bytes that are collected before they are sent: from `drain`, and from `write` where nobody drains.
    private static let pieceByteCount = 1 << 18
    private static let heldByteCount = 16 << 20

    init(_ table: SQLiteTable, session: WriteSession, isModifier: Bool) {
        self.table = table
        self.session = session
        self.isModifier = isModifier
        let columns = table.description.columns
        ordinals = columns.indices.filter { !columns[$0].isGenerated }
        let written = ordinals.map { ScanText.ResultColumn(columns[$0]) }
        inserted = RowEncoder(written)
        updated = RowEncoder(written + [.init(name: "rowid", declared: "INTEGER", type: .rowIdentifier)])
        session.register()
    }

    deinit { if !isDone { abort() } }

    private var name: String { SQLText.name(table.description.name) }

    // MARK: Collecting

    private func check(_ batch: Batch) throws {
        guard !isDone else { throw QueryError.internalError("a write after the end of the writer") }
        guard batch.columnCount == table.schema.count else {
            throw QueryError.internalError("a batch of \(batch.columnCount) columns for \(table.schema.count)")
        }
        for ordinal in ordinals {
            let (field, column) = (table.schema.fields[ordinal], batch.column(ordinal))
            guard column.physical == field.type.physical else {
                throw QueryError.internalError("a column of type \(column.type.sqlName) for \(field.type.sqlName)")
            }
            if !field.isNullable, column.mayHaveNulls, (0..<batch.rowCount).contains(where: { column.isNull($0) }) {
                throw RuleViolation.notNull(field.name, of: table.description.name)
            }
        }
    }

    func write(_ batch: Batch) throws {
        try check(batch)
        try inserted.append(ordinals.map { batch.column($0) }, rowCount: batch.rowCount)
        if !isModifier, inserted.bytes.count >= Self.heldByteCount { try sendInserted() }
    }

    func delete(_ identifiers: [Int64]) throws {
        guard !isDone else { throw QueryError.internalError("a deletion after the end of the writer") }
        deleted += identifiers
    }

    func update(_ identifiers: [Int64], with rows: Batch) throws {
        try check(rows)
        guard identifiers.count == rows.rowCount else {
            throw QueryError.internalError("\(rows.rowCount) rows in place of \(identifiers.count)")
        }
        let numbers = Vector(flat: .int64, capacity: max(1, identifiers.count))
        for (index, identifier) in identifiers.enumerated() { numbers.values(Int64.self)[index] = identifier }
        try updated.append(ordinals.map { rows.column($0) } + [numbers], rowCount: rows.rowCount)
    }

    // MARK: Sending

    func drain() async throws {
        guard !isModifier, inserted.bytes.count >= Self.pieceByteCount else { return }
        try await table.backend.shelf.onThread { [self] in try sendInserted() }
    }

    func finish() async throws { try await table.backend.shelf.onThread { [self] in try commit() } }

    func commit() throws {
        guard !isDone else { throw QueryError.internalError("a second commit") }
        do {
            if !deleted.isEmpty { try sendDeleted() }
            if updated.rowCount > 0 { try sendUpdated() }
            if inserted.rowCount > 0 || table.creation != nil { try sendInserted() }
            isDone = true
            try session.finish()
        } catch {
            isDone = true
            session.abort()
            throw error
        }
    }

    func abort() {
        guard !isDone else { return }
        isDone = true
        session.abort()
    }

    private func open(needsState: Bool = false) throws -> SQLiteConnection {
        let connection = try session.open(needsState: needsState)
        if let creation = table.creation, !hasMadeTable {
            try SQLiteBackend.requireAbsent(connection, table.description.name)
            try connection.run(creation)
            hasMadeTable = true
        }
        return connection
    }

    private func sendInserted() throws {
        let connection = try open()
        let columns = ordinals.map { SQLText.name(table.schema.fields[$0].name) }
        let values = ordinals.map { _ in "?" }.joined(separator: ", ")
        let statement = try connection.prepare(
            ordinals.isEmpty
                ? "INSERT INTO \(name) DEFAULT VALUES"
                : "INSERT INTO \(name) (\(columns.joined(separator: ", "))) VALUES (\(values))")
        try inserted.run(statement)
        inserted.removeAll()
    }

    private func requireRow(_ connection: SQLiteConnection) throws {
        guard sqlite3_changes(connection.handle) == 1 else {
            throw QueryError(
                .serializationFailure, "could not serialize access due to concurrent update",
                detail: "Rows of table \"\(table.description.name)\" are not there any more.")
        }
    }

    private func rowName() throws -> String {
        guard let row = table.description.rowName else {
            throw QueryError.notSupported("changing rows of a table without numbers of rows (WITHOUT ROWID)")
        }
        return row
    }

    private func sendDeleted() throws {
        let row = try rowName()
        let connection = try open(needsState: true)
        let statement = try connection.prepare("DELETE FROM \(name) WHERE \(row) = ?")
        for (index, identifier) in deleted.enumerated() {
            if index & 0xFF == 0 { try Interruption.check() }
            try statement.bind([.integer(identifier)])
            while try statement.step() {}
            try requireRow(connection)
            statement.reset()
        }
    }

    private func sendUpdated() throws {
        let row = try rowName()
        let connection = try open(needsState: true)
        guard !ordinals.isEmpty else { return }
        let sets = ordinals.map { "\(SQLText.name(table.schema.fields[$0].name)) = ?" }
        let statement = try connection.prepare("UPDATE \(name) SET \(sets.joined(separator: ", ")) WHERE \(row) = ?")
        try updated.run(statement) { try requireRow(connection) }
    }
}
