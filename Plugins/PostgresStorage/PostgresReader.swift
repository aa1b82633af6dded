// Reads one split: asks for its rows, takes them from the connection as fast as they come, and makes batches.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// A connection is kept only while rows are under way. A reader that others keep waiting has its rows in memory by then, so
/// that scans never wait for each other in a circle; only splits beyond `byteCountMaximum` keep their connection longer.
final class PostgresReader: BatchReader {
    private let text: ScanText
    private let place: ScanPlace
    private let pool: ConnectionPool
    private let catalog: String
    private let context: ScanContext
    private let decoders: [ColumnDecoder]
    private var collector: RowCollector
    private var pages: ArraySlice<RowPage> = []
    private var connection: PostgresConnection?
    private var hasStarted = false
    private var rowsLeft: Int
    /// Filters that the rows which come are tested with.
    private var filters: [any ScanFilter]

    private static let byteCountMaximum = 64 << 20
    /// Bytes that are taken at a time once the connection is kept.
    private static let pieceByteCount = 1 << 20

    init(_ text: ScanText, place: ScanPlace, pool: ConnectionPool, catalog: String, context: ScanContext) {
        self.text = text
        self.place = place
        self.pool = pool
        self.catalog = catalog
        self.context = context
        collector = RowCollector(catalog: catalog)
        filters = context.filters
        let table = text.table
        decoders = zip(text.names, text.columns).map { name, column in
            ColumnDecoder(
                type: column.type, codec: column.codec, columnName: name, hasUncheckedText: table.hasUncheckedText)
        }
        let isLimited = context.filters.isEmpty && text.request.predicates.isEmpty
        rowsLeft = isLimited ? text.request.limit ?? .max : .max
    }

    deinit { giveUp() }

    static func changed(_ table: TableDescription) -> QueryError {
        QueryError(
            .serializationFailure, "table \"\(table.schema).\(table.name)\" was changed while the query started",
            hint: "Run the query again.", object: table.name)
    }

    func next() throws -> Batch? {
        while true {
            try context.checkCancellation()
            if rowsLeft <= 0 {
                giveUp()
                return nil
            }
            if let page = pages.popFirst() {
                guard let batch = try filtered(page) else { continue }
                rowsLeft -= batch.rowCount
                return batch
            }
            if hasStarted, connection == nil { return nil }
            do { try fetch(hasStarted ? Self.pieceByteCount : Self.byteCountMaximum) } catch {
                giveUp()
                throw error
            }
        }
    }

    /// The rows of a page after all filters; `nil` if none is left.
    private func filtered(_ page: RowPage) throws -> Batch? {
        context.bytesRead += page.byteCount
        context.rowsRead += page.rowCount
        let fields = try PageFields(page, columnCount: decoders.count, catalog: catalog)
        var batch = Batch(
            columns: try decoders.enumerated().map { try $1.decode(fields.column($0)) }, rowCount: page.rowCount)
        for filter in filters where !batch.isEmpty {
            if let chosen = try filter.select(batch) { batch = batch.selecting(chosen) }
        }
        return batch.isEmpty ? nil : batch
    }

    // MARK: Fetching

    private func fetch(_ byteCount: Int) throws {
        if !hasStarted { try start() }
        guard let connection else { return }
        let goesOn = try connection.copyOut { bytes, count in
            try collector.take(bytes, count)
            return collector.byteCount < byteCount
        }
        if !goesOn {
            guard collector.isComplete else { throw ConnectionErrors.malformed(catalog, "rows without an end") }
            collector.seal()
            self.connection = nil
            pool.release(connection)
        }
        pages = collector.takePages()[...]
    }

    private func start() throws {
        hasStarted = true
        var predicates = text.request.predicates
        // What joins have found out since the splits were made.
        var members: [ScanMembers] = []
        for filter in context.filters {
            if let found = filter.prunable, !predicates.contains(found) { predicates.append(found) }
            if let found = filter.members { members.append(found) }
        }
        let limit = context.filters.isEmpty && predicates.isEmpty ? text.request.limit : nil
        let conditions = context.reusable as? MemberConditions ?? MemberConditions()
        context.reusable = conditions
        // What joins say and the server applies would find all rows right here, and give up for the splits that follow.
        let own = text.request.predicates.flatMap(\.conjuncts)
        filters = context.filters.filter { filter in
            if let condition = filter.prunable, own.contains(condition) { return true }
            return !text.appliesAll(of: filter, conditions)
        }
        let select = text.select(
            start: place.start, end: place.end, predicates: predicates, members: members, of: conditions, limit: limit)
        let connection = try pool.acquire()
        self.connection = connection
        do {
            let columns = try connection.startCopyOut(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '\(place.snapshot)'; "
                    + "\(text.probe); COPY (\(select)) TO STDOUT (FORMAT binary); COMMIT")
            guard columns == text.expectedColumns else { throw Self.changed(text.table) }
        } catch let error as QueryError where error.state == .invalidParameterValue {
            // The transaction that keeps the snapshot is gone, with its connection.
            throw QueryError(
                .connectionFailure, "the snapshot of catalog \"\(catalog)\" was lost", detail: error.message,
                object: catalog)
        } catch let error as QueryError where error.state == .undefinedColumn {
            throw Self.changed(text.table)
        }
    }

    /// Gives the connection back in the middle of its rows: the server is told to stop.
    private func giveUp() {
        guard let connection else { return }
        self.connection = nil
        if !connection.isAtRest { connection.cancel() }
        pool.releaseLater(connection)
    }
}
