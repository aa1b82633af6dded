// What an open transaction changed.

import Columnar
import Storage

/// A table that a transaction changed, as the transaction sees it.
struct MemoryChange: Sendable {
    /// Rows deleted from and added to a version that others may change, too.
    struct Difference: Sendable {
        var base: MemoryTable
        var deleted: Set<Int64> = []
        var inserted: [MemoryBatch] = []
    }
    var table: MemoryTable
    /// `nil` if the transaction made the table, or has it alone.
    var difference: Difference?

    /// The same change over what others have committed meanwhile. They have changed other rows: this transaction holds the
    /// locks of its own.
    func over(_ committed: MemoryTable?) -> MemoryChange {
        guard let difference, let committed, committed !== difference.base else { return self }
        let definition = committed.definition
        var rows = committed.rows
        if !difference.deleted.isEmpty { rows = rows.deleting(RowSet(difference.deleted), definition: definition).rows }
        rows.append(difference.inserted, types: definition.schema.types)
        rows.indexes = definition.keys.map { _ in nil }
        var result = self
        result.table = MemoryTable(place: committed.place, definition: definition, rows: rows)
        result.difference?.base = committed
        return result
    }

    /// With the rows that another statement of the transaction changed.
    func adding(_ next: MemoryTable, deleted: Set<Int64>, inserted: [MemoryBatch]) -> MemoryChange {
        var result = self
        result.table = next
        if var difference {
            difference.inserted = RowSet(deleted).removed(
                from: difference.inserted, types: next.definition.schema.types)
            difference.inserted += inserted
            difference.deleted.formUnion(deleted)
            result.difference = difference
        }
        return result
    }
}

/// What a transaction changed: `nil` stands for what is gone.
struct MemoryChanges: Sendable {
    struct Path: Hashable, Sendable {
        var schema: String
        var name: String
    }
    var schemas: [String: Bool] = [:]
    var tables: [Path: MemoryChange?] = [:]

    func apply(to catalogue: inout MemoryCatalogue) {
        for (schema, exists) in schemas {
            if exists {
                if catalogue.schemas[schema] == nil { catalogue.schemas[schema] = [:] }
            } else {
                catalogue.schemas[schema] = nil
            }
        }
        for (path, change) in tables { catalogue.schemas[path.schema]?[path.name] = change?.table }
    }

    /// Brings every table up to date with a committed state.
    mutating func rebase(onto catalogue: MemoryCatalogue) {
        for (path, change) in tables {
            if let change { tables[path] = .some(change.over(catalogue.schemas[path.schema]?[path.name])) }
        }
    }
}

/// How a writer changes a table.
enum MemoryOutcome {
    case replaced(MemoryTable)
    case changed(MemoryTable, deleted: Set<Int64>, inserted: [MemoryBatch])
}
