// The keys of a table in memory that must be unique.

import Columnar
import Diagnostics
import Storage

/// A set of keys in immutable segments: a version of a table shares the segments of the version before it. Segments of
/// similar size are merged, so there are logarithmically many.
struct KeyIndex: Sendable {
    private var segments: [Set<RowKey>] = []

    func contains(_ key: RowKey) -> Bool { segments.contains { $0.contains(key) } }

    mutating func add(_ keys: Set<RowKey>) {
        guard !keys.isEmpty else { return }
        var added = keys
        while let last = segments.last, last.count <= added.count {
            segments.removeLast()
            added.formUnion(last)
        }
        segments.append(added)
    }

    /// The index with the keys of further batches; 23505 if one is there already.
    func adding(_ batches: [Batch], _ key: UniqueKey, of definition: TableDefinition) throws -> KeyIndex {
        var fresh: Set<RowKey> = []
        for batch in batches {
            let columns = key.columns.map { batch.column($0) }
            for row in 0..<batch.rowCount {
                guard let value = RowKey(columns, row: row, nullsAreEqual: key.nullsAreEqual) else { continue }
                if !fresh.insert(value).inserted || contains(value) {
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
    mutating func index(_ added: [Batch], _ definition: TableDefinition) throws {
        for (number, key) in definition.keys.enumerated() {
            let base = try indexes[number] ?? KeyIndex().adding(batches.map(\.batch), key, of: definition)
            indexes[number] = try base.adding(added, key, of: definition)
        }
    }
}
