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
        /// Of all batches together.
        var facts: BatchFacts
        /// For every key of the definition, in order; `nil` where it is built when next needed.
        var indexes: [KeyIndex?]

        init(_ definition: TableDefinition) {
            facts = BatchFacts(columnCount: definition.columns.count)
            indexes = definition.keys.map { _ in KeyIndex() }
        }

        var rowCount: Int { facts.rowCount }
    }

    let name: String
    let definition: TableDefinition
    let schema: Schema
    let rows: Rows
    /// Where writers put the next version.
    let place: MemoryPlace
    private let number = MemoryTable.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue

    private static let lastNumber = Atomic<UInt64>(0)
    private let knownDirectory = Mutex<RowDirectory?>(nil)

    init(place: MemoryPlace, definition: TableDefinition, rows: Rows? = nil) {
        self.place = place
        name = place.name
        self.definition = definition
        schema = definition.schema
        self.rows = rows ?? Rows(definition)
    }

    /// Made when it is first asked for: many versions live for one statement.
    var directory: RowDirectory {
        knownDirectory.withLock { known in
            if let known { return known }
            let made = RowDirectory(rows.batches)
            known = made
            return made
        }
    }

    var identifiesRows: Bool { true }

    func statistics() async throws -> TableStatistics {
        let count = Double(rows.rowCount)
        return TableStatistics(
            rowCount: count, byteCount: Double(rows.facts.byteCount),
            columns: rows.facts.columns.enumerated().map { ordinal, column in
                let notNull = rows.rowCount - column.nullCount
                return ColumnStatistics(
                    minimum: column.minimum, maximum: column.maximum,
                    nullFraction: rows.rowCount > 0 ? Double(column.nullCount) / count : nil,
                    distinctCount: definition.keys.contains { $0.columns == [ordinal] } ? Double(notNull) : nil,
                    averageByteCount: notNull > 0 && column.textByteCount > 0
                        ? Double(column.textByteCount) / Double(notNull) : nil)
            })
    }

    /// Batches a split.
    private static let batchesPerSplit = 50

    /// Where the predicates say what a key is, only the rows with it; else all batches.
    func splits(for request: ScanRequest) async throws -> [Split] {
        if let parts = KeyLookup(self, request.projection, request.predicates).parts {
            return parts.map { part in
                let split = MemorySplit(table: number, start: part.batch, end: part.batch + 1, rows: part.rows)
                return Split(payload: split.payload, estimatedRowCount: part.rows.count)
            }
        }
        let counts = rows.batches.map(\.rowCount)
        return stride(from: 0, to: counts.count, by: MemoryTable.batchesPerSplit).map { start in
            let end = min(start + MemoryTable.batchesPerSplit, counts.count)
            return Split(
                payload: MemorySplit(table: number, start: start, end: end).payload,
                estimatedRowCount: counts[start..<end].reduce(0, +))
        }
    }

    func rowsAtHand(for request: ScanRequest, rowLimit: Int) throws -> [Batch]? {
        if let parts = KeyLookup(self, request.projection, request.predicates).parts {
            return parts.map {
                rows.batches[$0.batch].batch(request.projection, schemaCount: schema.count, rows: $0.rows)
            }
        }
        if rows.rowCount > rowLimit { return nil }
        return rows.batches.map { $0.batch(request.projection, schemaCount: schema.count, rows: nil) }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let part = try MemorySplit(payload: split.payload)
        guard part.table == number, part.start >= 0, part.start <= part.end, part.end <= rows.batches.count else {
            throw QueryError(
                .undefinedTable, "relation \"\(name)\" was changed while the query started", object: name)
        }
        let batches = rows.batches[part.start..<part.end]
        guard part.rows.isEmpty || batches.count == 1 && part.rows.allSatisfy({ $0 < batches[part.start].rowCount })
        else { throw QueryError.internalError("rows of a split that are not there") }
        var rows = part.rows.isEmpty ? nil : [part.start: part.rows]
        if rows == nil, !definition.keys.isEmpty {
            // What joins have found out since the splits were made may say what a key is.
            let found = context.filters.compactMap(\.prunable)
            if let parts = KeyLookup(self, request.projection, request.predicates + found).parts {
                rows = Dictionary(parts.map { ($0.batch, $0.rows) }, uniquingKeysWith: { first, _ in first })
            }
        }
        return MemoryReader(batches, rows: rows, schemaCount: schema.count, request: request, context: context)
    }

    func makeWriter() async throws -> any TableWriter { MemoryWriter(self, scope: StorageScope.current) }
    func makeModifier() async throws -> any TableModifier { MemoryWriter(self, scope: StorageScope.current) }
}

/// A range of batches of one table object, or some rows of one batch.
private struct MemorySplit {
    var table: UInt64
    var start: Int
    var end: Int
    /// Ascending; empty for all rows.
    var rows: [Int]

    init(table: UInt64, start: Int, end: Int, rows: [Int] = []) {
        self.table = table
        self.start = start
        self.end = end
        self.rows = rows
    }

    var payload: [UInt8] {
        var bytes: [UInt8] = []
        for number in [table, UInt64(start), UInt64(end)] + rows.map({ UInt64($0) }) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    init(payload: [UInt8]) throws {
        guard payload.count >= 24, payload.count % 8 == 0 else {
            throw QueryError(.versionMismatch, "a split of a table in memory has an unknown layout")
        }
        func number(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(payload[index * 8 + $1]) << UInt64($1 * 8) }
        }
        table = number(0)
        start = Int(truncatingIfNeeded: number(1))
        end = Int(truncatingIfNeeded: number(2))
        rows = (3..<payload.count / 8).map { Int(truncatingIfNeeded: number($0) & UInt64(Int.max)) }
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
                    merged = last.joined(with: merged, types: types)
                }
            }
            batches.append(merged)
        }
        for stored in added { facts.merge(stored.facts) }
    }

    /// Without the rows of a set, and how many of them there were.
    func deleting(_ set: RowSet, definition: TableDefinition) -> (rows: MemoryTable.Rows, count: Int) {
        var result = MemoryTable.Rows(definition)
        result.batches = set.removed(from: batches, types: definition.schema.types)
        // Minima and maxima may be gone.
        for stored in result.batches { result.facts.merge(stored.facts) }
        result.indexes = indexes
        result.dropStaleIndexes()
        return (result, rowCount - result.rowCount)
    }
}
