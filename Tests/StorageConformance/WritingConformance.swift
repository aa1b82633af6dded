// The rules of backends that can be written to.

import Columnar
import Diagnostics
import QueryPlan
import Storage

extension StorageConformance {
    /// Makes `StandardTable` in a backend that can write.
    package static func fill(_ backend: any StorageBackend, schema: String, table name: String) async throws {
        try await backend.createTable(schema: schema, name: name, columns: StandardTable.fields)
        try await fillExisting(backend, schema: schema, table: name)
    }

    /// The rows of `StandardTable` for a table that is there.
    package static func fillExisting(_ backend: any StorageBackend, schema: String, table name: String) async throws {
        guard let table = try await backend.table(schema: schema, name: name) else {
            throw ConformanceFailure(description: "a table that was made is not found")
        }
        let writer = try await table.makeWriter()
        let rows = StandardTable.rows
        // Batches of odd sizes.
        var start = 0
        while start < rows.count {
            let end = min(rows.count, start + 777)
            try writer.write(Batch.rows(Array(rows[start..<end]), types: table.schema.types))
            start = end
        }
        try writer.commit()
    }

    /// Rules of DDL and appends in a schema that exists. Tables that it makes are dropped again.
    package static func checkWriting(_ backend: any StorageBackend, schema: String) async throws {
        func require(_ condition: Bool, _ rule: String) throws {
            if !condition { throw ConformanceFailure(description: rule) }
        }
        func fails(_ state: SQLState, _ rule: String, _ body: () async throws -> Void) async throws {
            do {
                try await body()
            } catch let error as QueryError {
                return try require(error.state == state, "\(rule): \(error.state)")
            }
            throw ConformanceFailure(description: rule)
        }
        let fields = [Field(name: "a", type: .int64, isNullable: false), Field(name: "b", type: .text)]
        let types = fields.map(\.type)
        try await backend.createTable(schema: schema, name: "written", columns: fields)
        try await fails(.duplicateTable, "a table is made twice") {
            try await backend.createTable(schema: schema, name: "written", columns: fields)
        }
        try await fails(.invalidSchemaName, "a table is made in a schema that is not there") {
            try await backend.createTable(schema: "no such schema", name: "t", columns: fields)
        }
        try await fails(.undefinedTable, "a table that is not there is dropped") {
            try await backend.dropTable(schema: schema, name: "no such table")
        }
        // A provider is a snapshot of what was committed when it was looked up.
        func find() async throws -> any TableProvider {
            guard let table = try await backend.table(schema: schema, name: "written") else {
                throw ConformanceFailure(description: "a table that was made is not found")
            }
            return table
        }
        let request = ScanRequest(projection: [0, 1])
        func count(_ table: any TableProvider) async throws -> Int {
            var rows = 0
            for split in try await table.splits(for: request) {
                let reader = try table.makeReader(for: split, request: request, context: ScanContext())
                while let batch = try reader.next() { rows += batch.rowCount }
            }
            return rows
        }
        let table = try await find()
        try require(try await count(table) == 0, "a new table has rows")
        let rows: [[ScalarValue]] = (0..<5000).map {
            [.integer(Int64($0)), $0 % 3 == 0 ? .null : .string("row \($0)")]
        }
        let writer = try await table.makeWriter()
        try writer.write(Batch.rows(rows, types: types))
        try require(try await count(find()) == 0, "rows are visible before the commit")
        try writer.commit()
        let snapshot = try await find()
        try require(try await count(snapshot) == 5000, "a commit does not make all rows visible")
        // A second append, with a selection and a constant column.
        let second = try await snapshot.makeWriter()
        let selection = Selection(capacity: 10)
        for row in 0..<10 { selection.rows[row] = UInt16(row * 7) }
        selection.count = 10
        let batch = Batch(
            columns: [
                Batch.rows(rows, types: types).columns[0],
                Vector.constant(.string("a text that is longer than a view"), type: .text, count: 5000),
            ], rowCount: 5000, selection: selection)
        try second.write(batch)
        try second.commit()
        try require(try await count(snapshot) == 5000, "a scan sees rows that were committed after it began")
        try require(try await count(find()) == 5010, "a second commit is not visible")
        let aborted = try await find().makeWriter()
        try aborted.write(Batch.rows(rows, types: types))
        aborted.abort()
        try require(try await count(find()) == 5010, "rows of an aborted writer are visible")
        let refused = try await find().makeWriter()
        try await fails(.notNullViolation, "NULL is written to a column that forbids it") {
            try refused.write(Batch.rows([[.null, .null]], types: types))
        }
        refused.abort()
        let last = try await find()
        try await backend.dropTable(schema: schema, name: "written")
        try require(try await backend.table(schema: schema, name: "written") == nil, "a dropped table is found")
        // Whoever began before may read on or be told, but does not see half of it.
        do {
            try require(try await count(last) == 5010, "a dropped table is read in part")
        } catch let error as QueryError {
            try require(error.state == .undefinedTable, "reading a dropped table fails otherwise: \(error.state)")
        }
    }
}
