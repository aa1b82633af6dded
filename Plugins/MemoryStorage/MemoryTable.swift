// One version of a table in memory: batches that never change.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// A version of a table. Every committed change makes another object; whoever holds one sees a snapshot. Versions share
/// the batches that they have in common.
final class MemoryTable: TableProvider {
    /// The rows with what is known about them.
    struct Rows: Sendable {
        var batches: [MemoryBatch] = []
        var rowCount = 0
        var byteCount = 0
        var columns: [ColumnSummary]
        /// For every key of the definition, in order; `nil` where it is built when next needed.
        var indexes: [KeyIndex?]

        init(_ definition: TableDefinition) {
            columns = definition.columns.map { _ in ColumnSummary() }
            indexes = definition.keys.map { _ in KeyIndex() }
        }
    }

    let name: String
    let definition: TableDefinition
    let schema: Schema
    let rows: Rows
    /// Where writers put the next version.
    let place: MemoryPlace
    private let number = MemoryTable.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue

    private static let lastNumber = Atomic<UInt64>(0)

    init(place: MemoryPlace, definition: TableDefinition, rows: Rows? = nil) {
        self.place = place
        name = place.name
        self.definition = definition
        schema = definition.schema
        self.rows = rows ?? Rows(definition)
    }

    var identifiesRows: Bool { true }

    func statistics() async throws -> TableStatistics {
        let count = Double(rows.rowCount)
        return TableStatistics(
            rowCount: count, byteCount: Double(rows.byteCount),
            columns: rows.columns.map { column in
                let notNull = rows.rowCount - column.nullCount
                return ColumnStatistics(
                    minimum: column.minimum, maximum: column.maximum,
                    nullFraction: rows.rowCount > 0 ? Double(column.nullCount) / count : nil,
                    averageByteCount: notNull > 0 && column.textByteCount > 0
                        ? Double(column.textByteCount) / Double(notNull) : nil)
            })
    }

    /// Batches a split.
    private static let batchesPerSplit = 50

    func splits(for request: ScanRequest) async throws -> [Split] {
        let counts = rows.batches.map(\.rowCount)
        return stride(from: 0, to: counts.count, by: MemoryTable.batchesPerSplit).map { start in
            let end = min(start + MemoryTable.batchesPerSplit, counts.count)
            return Split(
                payload: MemorySplit(table: number, start: start, end: end).payload,
                estimatedRowCount: counts[start..<end].reduce(0, +))
        }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let part = try MemorySplit(payload: split.payload)
        guard part.table == number, part.start >= 0, part.start <= part.end, part.end <= rows.batches.count else {
            throw QueryError(
                .undefinedTable, "relation \"\(name)\" was changed while the query started", object: name)
        }
        return MemoryReader(
            rows.batches[part.start..<part.end], schemaCount: schema.count, request: request, context: context)
    }

    func makeWriter() async throws -> any TableWriter { MemoryWriter(self, scope: StorageScope.current) }
    func makeModifier() async throws -> any TableModifier { MemoryWriter(self, scope: StorageScope.current) }
}

/// A range of batches of one table object.
private struct MemorySplit {
    var table: UInt64
    var start: Int
    var end: Int

    init(table: UInt64, start: Int, end: Int) {
        self.table = table
        self.start = start
        self.end = end
    }

    var payload: [UInt8] {
        var bytes: [UInt8] = []
        for number in [table, UInt64(start), UInt64(end)] {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    init(payload: [UInt8]) throws {
        guard payload.count == 24 else {
            throw QueryError(.versionMismatch, "a split of a table in memory has an unknown layout")
        }
        func number(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(payload[index * 8 + $1]) << UInt64($1 * 8) }
        }
        table = number(0)
        start = Int(truncatingIfNeeded: number(1))
        end = Int(truncatingIfNeeded: number(2))
    }
}

extension MemoryTable.Rows {
    /// Adds sealed batches. Small batches at the end are put together, so that many small inserts do not leave as many
    /// batches: each row is copied a logarithmic number of times before its batch is full.
    mutating func append(_ added: [MemoryBatch], types: [DataType]) {
        for stored in added {
            var merged = stored
            if !types.isEmpty {
                while let last = batches.last, last.rowCount <= merged.rowCount,
                    last.rowCount + merged.rowCount <= Batch.standardRowCount
                {
                    batches.removeLast()
                    merged = MemoryBatch(
                        batch: BatchCopy.concatenated([last.batch, merged.batch], types: types),
                        numbers: last.numbers + merged.numbers)
                }
            }
            batches.append(merged)
        }
        for stored in added { summarise(stored.batch) }
    }

    private mutating func summarise(_ batch: Batch) {
        rowCount += batch.rowCount
        for index in columns.indices {
            columns[index].add(batch.columns[index])
            byteCount += batch.rowCount * batch.columns[index].physical.width
            if batch.columns[index].physical == .view { byteCount += batch.columns[index].longStringByteCount }
        }
    }

    /// Without the rows of a set, and how many of them there were.
    func deleting(_ set: RowSet, definition: TableDefinition) -> (rows: MemoryTable.Rows, count: Int) {
        var result = MemoryTable.Rows(definition)
        result.batches = set.removed(from: batches, types: definition.schema.types)
        // Summaries are recomputed: minima and maxima may be gone.
        for stored in result.batches { result.summarise(stored.batch) }
        result.indexes = definition.keys.map { _ in nil }
        return (result, rowCount - result.rowCount)
    }
}
