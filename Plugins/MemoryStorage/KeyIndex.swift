// The keys of a table in memory: they must be unique, and lead to their rows.

import Columnar
import Diagnostics
import Storage

/// The numbers of rows by their keys, in immutable segments: a version of a table shares the segments of the version before
/// it. Segments of similar size are merged, so there are logarithmically many.
///
/// Rows that are deleted stay: whoever finds a number asks whether the row is there. Numbers never come back, and a key is
/// added again only when its row is gone, so the number that was added last is the only one that can be alive.
struct KeyIndex: Sendable {
    private var segments: [[RowKey: Int64]] = []
    /// Entries in all segments, those of deleted rows and of replaced ones included.
    private(set) var entryCount = 0

    /// The number of the row that had the key last.
    func lastRow(_ key: RowKey) -> Int64? {
        for segment in segments.reversed() {
            if let number = segment[key] { return number }
        }
        return nil
    }

    private mutating func add(_ rows: [RowKey: Int64]) {
        guard !rows.isEmpty else { return }
        var added = rows
        while let last = segments.last, last.count <= added.count {
            segments.removeLast()
            added.merge(last) { newer, _ in newer }
        }
        segments.append(added)
        entryCount = segments.reduce(0) { $0 + $1.count }
    }

    /// The index with the keys of further rows; 23505 if a row that `isAlive` has one of them already.
    func adding(
        _ batches: [MemoryBatch], _ key: UniqueKey, of definition: TableDefinition, isAlive: (Int64) -> Bool
    ) throws -> KeyIndex {
        var fresh: [RowKey: Int64] = [:]
        for stored in batches {
            let columns = key.columns.map { stored.batch.column($0) }
            for row in 0..<stored.rowCount {
                guard let value = RowKey(columns, row: row, nullsAreEqual: key.nullsAreEqual) else { continue }
                let isRepeated = fresh.updateValue(stored.numbers.number(at: row), forKey: value) != nil
                if isRepeated || lastRow(value).map(isAlive) ?? false {
                    let texts = columns.map { column -> String? in
                        let scalar = column.value(at: row)
                        return scalar.isNull ? nil : TextFormat.text(of: scalar, type: column.type)
                    }
                    throw RuleViolation.duplicate(
                        key, columns: key.columns.map { definition.columns[$0].field.name }, values: texts)
                }
            }
        }
        var result = self
        result.add(fresh)
        return result
    }
}

extension MemoryTable.Rows {
    /// Brings every key's index up to date with batches that are about to be appended.
    mutating func index(_ added: [MemoryBatch], _ definition: TableDefinition) throws {
        if definition.keys.isEmpty { return }
        let directory = RowDirectory(batches)
        for (number, key) in definition.keys.enumerated() {
            let base =
                try indexes[number] ?? KeyIndex().adding(batches, key, of: definition, isAlive: { _ in false })
            indexes[number] = try base.adding(added, key, of: definition) { directory.place(of: $0) != nil }
        }
    }

    /// Entries of deleted rows that an index may have beside those of its rows.
    private static let staleEntryCountMax = 4096

    /// Indexes are built anew when most of what they hold is gone.
    mutating func dropStaleIndexes() {
        for index in indexes.indices {
            let limit = 2 * rowCount + Self.staleEntryCountMax
            if let known = indexes[index], known.entryCount > limit { indexes[index] = nil }
        }
    }
}

/// Which batch holds which rows.
struct RowDirectory: Sendable {
    private let batches: [MemoryBatch]
    /// Batches by their first number, and the greatest number in them and those before.
    private let ordered: [(first: Int64, greatest: Int64, batch: Int)]

    init(_ batches: [MemoryBatch]) {
        self.batches = batches
        var ordered = batches.enumerated().map { index, stored in
            (first: stored.numbers.bounds.first, greatest: stored.numbers.bounds.last, batch: index)
        }
        // Batches of transactions that overlapped are not in the order of their numbers.
        if !zip(ordered, ordered.dropFirst()).allSatisfy({ $0.first <= $1.first }) {
            ordered.sort { $0.first < $1.first }
        }
        for index in ordered.indices.dropFirst() {
            ordered[index].greatest = max(ordered[index].greatest, ordered[index - 1].greatest)
        }
        self.ordered = ordered
    }

    /// The batch that holds a row, and the row's place in it; `nil` if it is gone.
    func place(of number: Int64) -> (batch: Int, row: Int)? {
        var (low, high) = (0, ordered.count)
        while low < high {
            let middle = (low + high) / 2
            if ordered[middle].first <= number { low = middle + 1 } else { high = middle }
        }
        var index = low - 1
        while index >= 0, ordered[index].greatest >= number {
            let batch = ordered[index].batch
            if let row = batches[batch].numbers.row(of: number) { return (batch, row) }
            index -= 1
        }
        return nil
    }
}
