// Reading and appending batches in memory.

import Columnar
import Diagnostics
import Storage

/// Gives the batches of a split through the filters. Confined to one thread.
final class MemoryReader: BatchReader {
    private let batches: [Batch]
    private let request: ScanRequest
    private let context: ScanContext
    private var index = 0
    private var limit: Int

    init(_ batches: [Batch], request: ScanRequest, context: ScanContext) {
        self.batches = batches
        self.request = request
        self.context = context
        limit = context.filters.isEmpty && request.predicates.isEmpty ? request.limit ?? Int.max : Int.max
    }

    func next() throws -> Batch? {
        while index < batches.count, limit > 0 {
            try context.checkCancellation()
            let stored = batches[index]
            index += 1
            // Own vectors and an own batch: batches are confined to a thread, vectors are not.
            var batch = Batch(columns: request.projection.map { stored.columns[$0] }, rowCount: stored.physicalCount)
            for filter in context.filters where !batch.isEmpty {
                if let chosen = try filter.select(batch) { batch = batch.selecting(chosen) }
            }
            if batch.isEmpty { continue }
            if batch.rowCount > limit { batch = batch.prefix(limit) }
            limit -= batch.rowCount
            return batch
        }
        return nil
    }
}

/// Collects rows into full batches of flat vectors with their own memory, and appends them all at once.
final class MemoryWriter: TableWriter {
    private let table: MemoryTable
    private var batches: [Batch] = []
    private var builders: [VectorBuilder] = []
    private var summaries: [MemoryTable.ColumnSummary]
    private var rowCount = 0
    private var byteCount = 0
    private var isDone = false

    init(_ table: MemoryTable) {
        self.table = table
        summaries = table.schema.fields.map { _ in MemoryTable.ColumnSummary() }
    }

    func write(_ batch: Batch) throws {
        guard !isDone else { throw QueryError.internalError("a write after the end of the writer") }
        guard batch.columnCount == table.schema.count else {
            throw QueryError.internalError("a batch of \(batch.columnCount) columns for \(table.schema.count)")
        }
        let columns = (0..<batch.columnCount).map { batch.column($0) }
        for (column, field) in zip(columns, table.schema.fields) {
            guard column.physical == field.type.physical else {
                throw QueryError.internalError("a column of type \(column.type.sqlName) for \(field.type.sqlName)")
            }
            if !field.isNullable, column.mayHaveNulls, (0..<batch.rowCount).contains(where: { column.isNull($0) }) {
                throw QueryError(
                    .notNullViolation,
                    "null value in column \"\(field.name)\" of relation \"\(table.name)\" violates not-null constraint",
                    object: field.name)
            }
        }
        var start = 0
        while start < batch.rowCount {
            if builders.isEmpty { builders = table.schema.types.map { VectorBuilder(type: $0) } }
            let filled = builders.first?.count ?? Batch.standardRowCount
            // Tables without columns only count rows.
            let room = builders.isEmpty ? batch.rowCount : Batch.standardRowCount - filled
            let count = min(room, batch.rowCount - start)
            for (builder, column) in zip(builders, columns) {
                MemoryWriter.append(column, start..<(start + count), to: builder)
            }
            start += count
            rowCount += count
            if builders.isEmpty {
                batches.append(Batch(columns: [], rowCount: count))
            } else if (builders.first?.count ?? 0) == Batch.standardRowCount {
                seal()
            }
        }
    }

    private static func append(_ column: Vector, _ rows: Range<Int>, to builder: VectorBuilder) {
        for row in rows {
            if column.isNull(row) {
                builder.appendNull()
                continue
            }
            let (vector, index) = column.position(row)
            switch column.physical {
            case .boolean, .int8: builder.append(vector.values(UInt8.self)[index])
            case .int16: builder.append(vector.values(UInt16.self)[index])
            case .int32, .float32: builder.append(vector.values(UInt32.self)[index])
            case .int64, .float64: builder.append(vector.values(UInt64.self)[index])
            case .int128, .interval, .uuid: builder.append(vector.values(SIMD2<UInt64>.self)[index])
            case .view:
                let view = vector.views + index
                builder.append(bytes: StringView.bytes(at: view), count: view.pointee.count)
            }
        }
    }

    private func seal() {
        guard let count = builders.first?.count, count > 0 else { return }
        let vectors = builders.map { $0.finish() }
        builders = []
        for index in vectors.indices {
            summaries[index].add(vectors[index])
            byteCount += count * vectors[index].physical.width
        }
        batches.append(Batch(columns: vectors, rowCount: count))
    }

    func commit() throws {
        guard !isDone else { throw QueryError.internalError("a second commit") }
        seal()
        isDone = true
        let text = summaries.reduce(0) { $0 + $1.textByteCount }
        try table.append(batches, rowCount: rowCount, byteCount: byteCount + text, columns: summaries)
        batches = []
    }

    func abort() {
        isDone = true
        batches = []
        builders = []
    }
}
