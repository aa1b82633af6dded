// Reads one split through a connection of the statement's lease.

import CSQLite
import Columnar
import Diagnostics
import QueryPlan
import Storage

/// The connection may be another reader's too: its lock is held for one batch at a time, so that readers never wait for each
/// other longer than that. Confined to one thread at a time.
final class SQLiteReader: BatchReader {
    private let text: ScanText
    private let place: ScanPlace
    private let lease: ReadLease
    private let connection: SQLiteConnection
    private let context: ScanContext
    private var statement: SQLiteStatement?
    private var stage: RowStage?
    private var hasEnded = false
    private var rowsLeft: Int

    init(_ text: ScanText, place: ScanPlace, lease: ReadLease, connection: SQLiteConnection, context: ScanContext) {
        self.text = text
        self.place = place
        self.lease = lease
        self.connection = connection
        self.context = context
        let isLimited = context.filters.isEmpty && text.request.predicates.isEmpty
        rowsLeft = isLimited ? text.request.limit ?? .max : .max
    }

    deinit { close() }

    private func close() {
        hasEnded = true
        // Statements end under the lock as well.
        connection.lock.withLock { _ in statement = nil }
    }

    static func changed(_ table: TableDescription) -> QueryError {
        QueryError(
            .serializationFailure, "table \"\(table.name)\" was changed while the query started",
            hint: "Run the query again.", object: table.name)
    }

    func next() throws -> Batch? {
        while !hasEnded, rowsLeft > 0 {
            try context.checkCancellation()
            guard let rows = try fetch(), rows.count > 0 else { break }
            var batch = try decode(rows)
            for filter in context.filters where !batch.isEmpty {
                if let chosen = try filter.select(batch) { batch = batch.selecting(chosen) }
            }
            if batch.isEmpty { continue }
            if batch.rowCount > rowsLeft { batch = batch.prefix(rowsLeft) }
            rowsLeft -= batch.rowCount
            return batch
        }
        close()
        return nil
    }

    // MARK: Fetching

    private func fetch() throws -> RowStage? {
        var failure: (any Error)?
        connection.lock.withLock { _ in
            do {
                if statement == nil { try start() }
                guard let statement, let stage else { return }
                stage.restart()
                while !stage.isFull {
                    guard try statement.step() else {
                        self.statement = nil
                        hasEnded = true
                        break
                    }
                    stage.take(statement.handle)
                }
            } catch {
                statement = nil
                hasEnded = true
                failure = error
            }
        }
        if let failure {
            try context.checkCancellation()
            throw failure
        }
        return stage
    }

    private func start() throws {
        guard connection.isInTransaction else { throw ReadLease.passed(connection.options) }
        connection.followInterruption()
        if let stored = text.storeQuery {
            for ordinal in stored.preconditions { try refuseMisfits(ordinal, stored.writer) }
        }
        var predicates = text.request.predicates
        // What joins have found out since the splits were made.
        if text.request.storeQuery == nil {
            for filter in context.filters {
                if let found = filter.prunable, !predicates.contains(found) { predicates.append(found) }
            }
        }
        let limit = context.filters.isEmpty && predicates.isEmpty ? text.request.limit : nil
        let select = text.select(range: place.range, predicates: predicates, limit: limit)
        let made = try connection.prepare(select.text)
        try made.bind(select.values)
        stage = RowStage(columnCount: made.columnCount, capacity: Batch.standardRowCount)
        statement = made
    }

    // MARK: Decoding

    private func decode(_ stage: RowStage) throws -> Batch {
        context.bytesRead += stage.count * stage.columnCount * 8
        context.rowsRead += stage.count
        if let stored = text.storeQuery { return try decode(stage, stored) }
        let identifiers = text.table.rowName == nil ? nil : stage.column(text.columns.count).numbers
        let columns = try text.columns.enumerated().map { index, column in
            try decoder(column).decode(stage.column(index), identifiers: identifiers)
        }
        return Batch(columns: columns, rowCount: stage.count)
    }

    private func decoder(_ column: ScanText.ResultColumn) -> ColumnDecoder {
        ColumnDecoder(
            type: column.type.type, codec: column.type.codec, columnName: column.name, tableName: text.table.name,
            declared: column.declared)
    }

    private func decode(_ stage: RowStage, _ stored: StoreQueryText) throws -> Batch {
        var place = stored.outputs.reduce(0) { $0 + $1.width }
        for ordinal in stored.checked {
            let counts = stage.column(place)
            for row in 0..<stage.count where counts.kinds[row] == StagedColumn.integer && counts.numbers[row] != 0 {
                var failure: (any Error)?
                connection.lock.withLock { _ in
                    do { try refuseMisfits(ordinal, stored.writer) } catch { failure = error }
                }
                throw failure ?? SQLiteReader.changed(text.table)
            }
            place += 1
        }
        place = 0
        var columns: [Vector] = []
        for output in stored.outputs {
            switch output {
            case .column(let column):
                columns.append(try decoder(column).decode(stage.column(place), identifiers: nil))
            case .wideSum(let type):
                let (high, low, count) = (stage.column(place), stage.column(place + 1), stage.column(place + 2))
                let builder = VectorBuilder(type: type, capacity: stage.count)
                for row in 0..<stage.count {
                    if count.numbers[row] == 0 {
                        builder.appendNull()
                    } else {
                        let sum = Int128(high.numbers[row]) << 32 + Int128(low.numbers[row])
                        if type.isDecimal {
                            builder.append(.decimal(sum * PowerOfTen.value(type.scale)))
                        } else {
                            builder.append(.bytes(NumericBlob.bytes(NumericValue(sum, scale: 0))))
                        }
                    }
                }
                columns.append(builder.finish())
            }
            place += output.width
        }
        return Batch(columns: columns, rowCount: stage.count)
    }

    /// Throws the error of the first value of the column that its type has no place for, if there is one.
    private func refuseMisfits(_ ordinal: Int, _ writer: PredicateText) throws {
        guard let misfit = writer.misfit(ordinal) else { return }
        let column = text.table.columns[ordinal]
        let row = text.table.rowName ?? "NULL"
        let found = try connection.prepare(
            "SELECT \(SQLText.name(column.name)), \(row) FROM \(SQLText.name(text.table.name)) WHERE \(misfit) LIMIT 1")
        let values = RowStage(columnCount: 2, capacity: 1)
        guard try found.step() else { return }
        values.take(found.handle)
        let identifiers = text.table.rowName == nil ? nil : values.column(1).numbers
        _ = try decoder(ScanText.ResultColumn(column)).decode(values.column(0), identifiers: identifiers)
    }
}
