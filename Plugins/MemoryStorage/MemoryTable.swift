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
        var batches: [Batch] = []
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

/// A row's place within one version of a table.
enum RowIdentifier {
    static func make(batch: Int, row: Int) -> Int64 { Int64(batch) << 16 | Int64(row) }
    static func batch(_ identifier: Int64) -> Int { Int(identifier >> 16) }
    static func row(_ identifier: Int64) -> Int { Int(identifier & 0xFFFF) }
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
    mutating func append(_ added: [Batch], types: [DataType]) {
        for batch in added {
            var merged = batch
            if !types.isEmpty {
                while let last = batches.last, last.rowCount <= merged.rowCount,
                    last.rowCount + merged.rowCount <= Batch.standardRowCount
                {
                    batches.removeLast()
                    merged = BatchCopy.concatenated([last, merged], types: types)
                }
            }
            batches.append(merged)
        }
        for batch in added {
            rowCount += batch.rowCount
            for index in columns.indices {
                columns[index].add(batch.columns[index])
                byteCount += batch.rowCount * batch.columns[index].physical.width
                if batch.columns[index].physical == .view { byteCount += batch.columns[index].longStringByteCount }
            }
        }
    }

    /// Without the rows that the identifiers name.
    func deleting(_ identifiers: Set<Int64>, definition: TableDefinition) -> MemoryTable.Rows {
        var byBatch: [Int: Set<Int>] = [:]
        for identifier in identifiers {
            byBatch[RowIdentifier.batch(identifier), default: []].insert(RowIdentifier.row(identifier))
        }
        var result = MemoryTable.Rows(definition)
        let types = definition.schema.types
        for (index, batch) in batches.enumerated() {
            guard let deleted = byBatch[index] else {
                result.batches.append(batch)
                continue
            }
            let kept = (0..<batch.rowCount).filter { !deleted.contains($0) }
            if !kept.isEmpty { result.batches.append(BatchCopy.rows(kept, of: batch, types: types)) }
        }
        // Summaries are recomputed: minima and maxima may be gone.
        for batch in result.batches {
            result.rowCount += batch.rowCount
            for index in result.columns.indices {
                result.columns[index].add(batch.columns[index])
                result.byteCount += batch.rowCount * batch.columns[index].physical.width
                if batch.columns[index].physical == .view {
                    result.byteCount += batch.columns[index].longStringByteCount
                }
            }
        }
        result.indexes = definition.keys.map { _ in nil }
        return result
    }
}
