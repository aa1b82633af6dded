// One table of the data set at one scale: what the planner and the workers see of it.

import Columnar
import Diagnostics
import Storage
import TPCHData

package final class TPCHTableProvider: TableProvider {
    private let table: TPCHTable
    private let scale: TPCHScale
    package let schema: Schema
    /// Rows are generated, and what they are like is known exactly.
    package var allowsSampling: Bool { false }

    /// Splits of a table that is large enough: several for each worker thread, so that none is waited for at the end.
    private static let splitCountWanted = 64
    /// Rows that a split has at least, because opening one costs something too.
    private static let splitRowCountMin = 4096
    /// Rows that a split has at most, unless that makes too many splits.
    private static let splitRowCountMax = 131_072
    private static let splitCountMax = 16_384

    package init(_ table: TPCHTable, _ scale: TPCHScale) {
        self.table = table
        self.scale = scale
        schema = table.schema
    }

    package func statistics() async throws -> TableStatistics {
        let rowCount = Double(table.rowCount(scale).count)
        let columns = zip(table.columnFacts(scale), schema.types).map { facts, type in
            ColumnStatistics(
                minimum: facts.minimum, maximum: facts.maximum, nullFraction: 0, distinctCount: facts.distinctCount,
                averageByteCount: facts.averageByteCount ?? Double(type.physical.width))
        }
        let rowByteCount = columns.reduce(0) { $0 + ($1.averageByteCount ?? 0) }
        return TableStatistics(rowCount: rowCount, byteCount: rowCount * rowByteCount, columns: columns)
    }

    package func splits(for request: ScanRequest) async throws -> [Split] {
        let all = table.unitCount(scale)
        let units = KeyRange(table, scale).units(0..<all, request.predicates, request.projection)
        let rowsPerUnit = table.rowsPerUnit
        let rowCount = min(
            TPCHTableProvider.splitRowCountMax,
            max(TPCHTableProvider.splitRowCountMin, all * rowsPerUnit / TPCHTableProvider.splitCountWanted))
        let unitsPerSplit = max(1, rowCount / rowsPerUnit, all / TPCHTableProvider.splitCountMax)
        var splits: [Split] = []
        var start = units.lowerBound
        while start < units.upperBound {
            let end = min(units.upperBound, start + unitsPerSplit)
            let rows = (end - start) * rowsPerUnit
            splits.append(
                Split(
                    payload: SplitPayload.encode(start..<end), estimatedRowCount: rows,
                    estimatedByteCount: rows * 8 * max(1, request.projection.count)))
            start = end
            // Every unit has a row at least.
            if let limit = request.limit, request.predicates.isEmpty, start - units.lowerBound >= limit { break }
        }
        return splits
    }

    package func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        guard let units = SplitPayload.decode(split.payload), units.upperBound <= table.unitCount(scale) else {
            throw QueryError.internalError("a split of \(table.rawValue) does not describe a range of it")
        }
        // Ranges of keys from joins are known only here.
        let prunable = context.filters.compactMap(\.prunable)
        let narrowed = KeyRange(table, scale).units(units, prunable, request.projection)
        return TPCHReader(
            table.makeGenerator(scale, units: narrowed), schema: schema, request: request, context: context)
    }
}

/// A range of units as the 16 bytes of a split: start and end, little-endian.
enum SplitPayload {
    static func encode(_ units: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        for bound in [units.lowerBound, units.upperBound] {
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bound >> shift)) }
        }
        return bytes
    }

    static func decode(_ bytes: [UInt8]) -> Range<Int>? {
        guard bytes.count == 16 else { return nil }
        var bounds = [0, 0]
        for (index, byte) in bytes.enumerated() { bounds[index / 8] |= Int(byte) << (index % 8 * 8) }
        return bounds[0] >= 0 && bounds[0] <= bounds[1] ? bounds[0]..<bounds[1] : nil
    }
}
