// INSERT by COPY, DELETE and UPDATE by the places of rows, all in one transaction of the server.

import Columnar
import Diagnostics
import Storage

/// New rows go to the server as they come, if there is nothing else; COMMIT is sent by `commit`. Deletions and updates run
/// under the snapshot that the statement read, so that rows which others have changed since are an error (40001).
/// Confined to one thread at a time.
final class PostgresWriter: TableModifier, @unchecked Sendable {
    private let table: PostgresTable
    private let lease: StatementLease?
    /// Ordinals of the columns that are sent; the server computes the others.
    private let ordinals: [Int]
    private var inserted: RowEncoder
    /// Places and new rows.
    private var updated: RowEncoder
    private var updatedCount = 0
    private var insertedCount = 0
    private var deleted: [Int64] = []
    private var connection: PostgresConnection?
    private var isCopying = false
    private var isCommitting = false
    private var isEnding = false
    private var isDone = false

    /// Bytes that are collected before they are sent: from `drain`, and from `write` where nobody drains.
    private static let pieceByteCount = 1 << 18
    private static let heldByteCount = 16 << 20
    private static let placesPerStatement = 10_000
    private static let placeColumn = "place of the row"
    /// The outcome of a COMMIT is not known.
    private static let resolutionUnknown = SQLState("08007")

    init(_ table: PostgresTable, snapshot: StatementLease?) {
        self.table = table
        lease = snapshot
        let columns = table.description.columns
        ordinals = columns.indices.filter { !columns[$0].isGenerated }
        let codecs = ordinals.compactMap { columns[$0].type?.codec }
        inserted = RowEncoder(codecs)
        updated = RowEncoder([.place] + codecs)
    }

    deinit { if !isDone { abort() } }

    private var name: String { SQLText.name(table.description.schema, table.description.name) }

    // MARK: Collecting

    private func check(_ batch: Batch) throws {
        guard !isDone else { throw QueryError.internalError("a write after the end of the writer") }
        guard batch.columnCount == table.schema.count else {
            throw QueryError.internalError("a batch of \(batch.columnCount) columns for \(table.schema.count)")
        }
        for ordinal in ordinals {
            _ = try table.description.readable(ordinal)
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
        insertedCount += batch.rowCount
        try inserted.append(ordinals.map { batch.column($0) }, rowCount: batch.rowCount)
        if canStream, inserted.bytes.count >= Self.heldByteCount { try sendInserted() }
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
        updatedCount += rows.rowCount
        let places = Vector(flat: .int64, capacity: max(1, identifiers.count))
        for (index, identifier) in identifiers.enumerated() { places.values(Int64.self)[index] = identifier }
        try updated.append([places] + ordinals.map { rows.column($0) }, rowCount: rows.rowCount)
    }

    /// Whether rows may go before the statement has said all: deletions come first, a new row may have the key of an old one.
    private var canStream: Bool { lease == nil && table.backend.options.pool.writerMaximum > 0 }

    // MARK: Sending

    func drain() async throws {
        guard canStream, inserted.bytes.count >= Self.pieceByteCount else { return }
        try await table.backend.pool.onThread { [self] in try sendInserted() }
    }

    func finish() async throws {
        let scope = StorageScope.current
        try await table.backend.pool.onThread { [self] in
            try StorageScope.$current.withValue(scope) { try commit() }
        }
    }

    func commit() throws {
        guard !isDone else { throw QueryError.internalError("a second commit") }
        isEnding = true
        do {
            if !deleted.isEmpty { try deleteRows() }
            if updatedCount > 0 { try updateRows() }
            if insertedCount > 0 {
                inserted.finish()
                try sendInserted()
                try connection?.endCopyIn()
                isCopying = false
            }
            // What was asked to stop from here on may be done already.
            isCommitting = true
            try Interruption.$current.withValue(nil) { try connection?.run("COMMIT") }
        } catch let error as QueryError where error.state == .connectionFailure && isCommitting {
            abort()
            throw QueryError(
                Self.resolutionUnknown, error.message, detail: "Whether the rows are in the table is not known.",
                object: error.object)
        } catch {
            abort()
            throw error
        }
        isDone = true
        if let connection { table.backend.pool.release(connection) }
        connection = nil
        StatementView.current(table.backend)?.forget()
    }

    func abort() {
        isDone = true
        guard let connection else { return }
        self.connection = nil
        // A COPY that was not ended takes its connection, and its rows, with it.
        if isCopying { connection.cancel() }
        table.backend.pool.releaseLater(connection)
    }

    private func open() throws -> PostgresConnection {
        if let connection { return connection }
        // What ends by itself from here on may have any connection.
        let made = try table.backend.pool.acquire(isEnding ? .work : .write)
        connection = made
        if let lease {
            try made.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '\(lease.snapshot)'")
        } else {
            try made.run("BEGIN")
        }
        return made
    }

    private func columnList(_ first: [String] = []) -> String {
        (first + ordinals.map { table.schema.fields[$0].name }).map { SQLText.name($0) }.joined(separator: ", ")
    }

    private func requireAll(_ count: Int, of wanted: Int) throws {
        if count == wanted { return }
        throw QueryError(
            .serializationFailure, "could not serialize access due to concurrent update",
            detail: "Rows of table \"\(table.description.name)\" are not there any more.")
    }

    private func deleteRows() throws {
        let connection = try open()
        var start = 0
        while start < deleted.count {
            let end = min(deleted.count, start + Self.placesPerStatement)
            let places = deleted[start..<end].map { "\"(\($0 >> 16),\($0 & 0xFFFF))\"" }.joined(separator: ",")
            try requireAll(
                connection.changedRowCount("DELETE FROM \(name) WHERE ctid = ANY ('{\(places)}'::tid[])"),
                of: end - start)
            start = end
        }
    }

    /// The new rows come into a table of the transaction's own; from there one UPDATE takes them, so that keys, references
    /// and triggers see what they should: an update.
    private func updateRows() throws {
        let connection = try open()
        let staging = "pg_temp.\"rows of an update\""
        let columns = ordinals.map { ", " + SQLText.name(table.schema.fields[$0].name) }.joined()
        try connection.run(
            "CREATE TEMPORARY TABLE \"rows of an update\" ON COMMIT DROP AS "
                + "SELECT ctid AS \"\(Self.placeColumn)\"\(columns) FROM \(name) LIMIT 0")
        updated.finish()
        try connection.startCopyIn("COPY \(staging) (\(columnList([Self.placeColumn]))) FROM STDIN (FORMAT binary)")
        isCopying = true
        try updated.takeBytes().withUnsafeBufferPointer { try connection.copyIn($0) }
        try connection.endCopyIn()
        isCopying = false
        // A column that is always an identity keeps its value.
        let assigned = ordinals.filter { table.description.columns[$0].identity != "a" }
        let sets = assigned.map { ordinal -> String in
            let column = SQLText.name(table.schema.fields[ordinal].name)
            return "\(column) = s.\(column)"
        }
        guard !sets.isEmpty else { return }
        try requireAll(
            connection.changedRowCount(
                "UPDATE \(name) t SET \(sets.joined(separator: ", ")) FROM \(staging) s "
                    + "WHERE t.ctid = s.\"\(Self.placeColumn)\""), of: updatedCount)
    }

    private func sendInserted() throws {
        let connection = try open()
        if !isCopying {
            let list = ordinals.isEmpty ? "" : " (\(columnList()))"
            try connection.startCopyIn("COPY \(name)\(list) FROM STDIN (FORMAT binary)")
            isCopying = true
        }
        try inserted.takeBytes().withUnsafeBufferPointer { try connection.copyIn($0) }
    }
}
