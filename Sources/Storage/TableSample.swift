// Rows of a table that the planner looks at: all rows of a small table, some of a large one.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// Some columns of some rows. Immutable; read by any number of planning statements.
package final class TableSample: Sendable {
    /// Table ordinals of the columns, ascending.
    package let ordinals: [Int]
    /// Flat dense columns in the order of `ordinals`, one array a batch.
    private let pieces: [[Vector]]
    private let pieceRowCounts: [Int]
    package let rowCount: Int
    /// Whether these are all rows of the table.
    package let isWhole: Bool
    /// About the memory it takes.
    package let byteCount: Int
    private let distinctCounts = Mutex<[Int: Int]>([:])

    /// Tables of up to so many rows are taken whole: dimensions, as a rule.
    package static let wholeRowCountMax = 100_000.0
    /// Places of a larger table that rows are taken from, a batch at each.
    private static let placeCount = 8

    private init(ordinals: [Int], pieces: [[Vector]], pieceRowCounts: [Int], isWhole: Bool) {
        self.ordinals = ordinals
        self.pieces = pieces
        self.pieceRowCounts = pieceRowCounts
        self.isWhole = isWhole
        rowCount = pieceRowCounts.reduce(0, +)
        byteCount = pieces.reduce(0) { sum, columns in
            columns.reduce(sum) { $0 + $1.count * $1.physical.width + $1.longStringByteCount }
        }
    }

    /// Batches of the sample's columns: new ones, since a batch is confined to a thread and a vector is not.
    package func makeBatches() -> [Batch] {
        zip(pieces, pieceRowCounts).map { Batch(columns: $0, rowCount: $1) }
    }

    /// Different values, NULL apart, of a column; counted when first asked for.
    package func distinctCount(ofOrdinal ordinal: Int) -> Int? {
        guard let position = ordinals.firstIndex(of: ordinal) else { return nil }
        if let count = distinctCounts.withLock({ $0[position] }) { return count }
        var counter = DistinctCounter(capacity: rowCount)
        for piece in pieces { counter.add(piece[position]) }
        distinctCounts.withLock { $0[position] = counter.distinctCount }
        return counter.distinctCount
    }

    /// The sample with another one's columns of the same rows.
    fileprivate func adding(_ other: TableSample) -> TableSample? {
        guard pieceRowCounts == other.pieceRowCounts else { return nil }
        let order = (ordinals + other.ordinals).enumerated().sorted { $0.element < $1.element }
        let all = zip(pieces, other.pieces).map { own, added in order.map { (own + added)[$0.offset] } }
        return TableSample(
            ordinals: order.map(\.element), pieces: all, pieceRowCounts: pieceRowCounts, isWhole: isWhole)
    }

    /// Reads the sample; `nil` where a table cannot be sampled. Blocks for the time that a few pages take to read.
    static func read(_ table: any TableProvider, ordinals: [Int]) async -> TableSample? {
        let request = ScanRequest(projection: ordinals)
        // A table that cannot be read gives its error to the statement that reads it, not to the planner.
        guard table.allowsSampling, let rowCount = try? await table.statistics().rowCount, rowCount > 0,
            let splits = try? await table.splits(for: request), !splits.isEmpty
        else { return nil }
        let isWhole = rowCount <= wholeRowCountMax
        let step = isWhole ? 1 : max(1, splits.count / placeCount)
        var pieces: [[Vector]] = []
        var counts: [Int] = []
        do {
            for index in stride(from: 0, to: splits.count, by: step) {
                let reader = try table.makeReader(for: splits[index], request: request, context: ScanContext())
                // A large table in few splits gives more of each.
                var batchesLeft = isWhole ? Int.max : max(1, placeCount / splits.count)
                while batchesLeft > 0, let batch = try reader.next() {
                    pieces.append(ordinals.indices.map { batch.column($0).flattened() })
                    counts.append(batch.rowCount)
                    batchesLeft -= 1
                }
            }
        } catch { return nil }
        guard !pieces.isEmpty else { return nil }
        return TableSample(ordinals: ordinals, pieces: pieces, pieceRowCounts: counts, isWhole: isWhole)
    }
}

/// Counts different values by their hashes: open addressing, where zero is an empty slot.
package struct DistinctCounter {
    private var slots: [UInt64]
    package private(set) var distinctCount = 0
    package private(set) var nullCount = 0

    /// For up to `capacity` rows.
    package init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    package mutating func add(_ vector: Vector) {
        let count = vector.count
        let buffer = Buffer(byteCount: max(1, count) * 8)
        let hashes = buffer.base.assumingMemoryBound(to: UInt64.self)
        Hashing.hash(vector, into: hashes, combining: false)
        let mask = slots.count - 1
        var (distinct, nulls) = (0, 0)
        slots.withUnsafeMutableBufferPointer { slots in
            var row = 0
            while row < count {
                if vector.isNull(row) {
                    nulls &+= 1
                } else {
                    let hash = hashes[row] | 1
                    var slot = Int(truncatingIfNeeded: hash &>> 1) & mask
                    while slots[slot] != 0 && slots[slot] != hash { slot = (slot &+ 1) & mask }
                    if slots[slot] == 0 {
                        slots[slot] = hash
                        distinct &+= 1
                    }
                }
                row &+= 1
            }
        }
        distinctCount += distinct
        nullCount += nulls
    }
}

/// Samples of tables, kept for the states of the tables that they were taken from.
package final class TableSamples: Sendable {
    private struct Entry {
        weak var table: (any TableProvider)?
        var sample: TableSample
    }
    private static let byteCountMax = 64 << 20
    private let entries = Mutex<[TableName: Entry]>([:])

    package init() {}

    /// A sample with at least the given columns.
    package func sample(of name: TableName, _ table: any TableProvider, ordinals: Set<Int>) async -> TableSample? {
        let known = entries.withLock { $0[name] }
        let isCurrent = known.map { $0.table === table } ?? false
        if isCurrent, let sample = known?.sample, ordinals.isSubset(of: sample.ordinals) { return sample }
        let before = isCurrent ? known?.sample : nil
        let missing = ordinals.subtracting(before?.ordinals ?? [])
        guard let read = await TableSample.read(table, ordinals: missing.sorted()) else { return nil }
        let sample = before.flatMap { $0.adding(read) } ?? read
        entries.withLock { entries in
            entries = entries.filter { $0.value.table != nil }
            let total = entries.values.reduce(sample.byteCount) { $0 + $1.sample.byteCount }
            if total > TableSamples.byteCountMax { entries = [:] }
            entries[name] = Entry(table: table, sample: sample)
        }
        return sample
    }
}
