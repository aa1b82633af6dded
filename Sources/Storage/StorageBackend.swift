// Storage is the interface that data stores are written against. This file: backends and tables.
//
//   StorageBackend   one opened catalogue: schemas and tables, DDL if it can
//   TableProvider    one table: schema, statistics, splits, readers, writers
//   ScanRequest      what a scan wants; Split: one piece of it, as plain data; BatchReader: the rows of a split
//   Catalog          all opened catalogues by name, and name resolution

import Columnar
import Diagnostics
import EngineConfiguration
import QueryPlan

/// An opened catalogue. The same configuration section opens the same catalogue on every node.
package protocol StorageBackend: AnyObject, Sendable {
    /// Whether only the coordinator's process holds the data: such scans and writes run there.
    var isCoordinatorOnly: Bool { get }

    func schemaNames() async throws -> [String]
    /// Names of tables, sorted. An unknown schema has none.
    func tableNames(schema: String) async throws -> [String]
    /// The table, or `nil` if there is none.
    func table(schema: String, name: String) async throws -> (any TableProvider)?

    /// A view that the backend itself defines.
    func view(schema: String, name: String) -> ViewDefinition?

    func createTable(schema: String, name: String, columns: [Field]) async throws
    func dropTable(schema: String, name: String) async throws
    func createSchema(_ name: String) async throws
    func dropSchema(_ name: String) async throws
}

extension StorageBackend {
    package var isCoordinatorOnly: Bool { false }
    package func view(schema: String, name: String) -> ViewDefinition? { nil }
    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        throw QueryError.notSupported("CREATE TABLE in this catalogue")
    }
    package func dropTable(schema: String, name: String) async throws {
        throw QueryError.notSupported("DROP TABLE in this catalogue")
    }
    package func createSchema(_ name: String) async throws {
        throw QueryError.notSupported("CREATE SCHEMA in this catalogue")
    }
    package func dropSchema(_ name: String) async throws {
        throw QueryError.notSupported("DROP SCHEMA in this catalogue")
    }
}

/// A table. Its schema does not change while the object lives.
package protocol TableProvider: AnyObject, Sendable {
    var schema: Schema { get }
    /// What is known without reading the data; asked once a plan.
    func statistics() async throws -> TableStatistics
    /// The pieces that a scan consists of, pruned by the request's predicates where that is cheap. Runs on the coordinator.
    func splits(for request: ScanRequest) async throws -> [Split]
    /// A reader for one split; runs on a worker's driver thread and may block for local I/O.
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader
    /// A writer that appends; rows become visible when it commits.
    func makeWriter() async throws -> any TableWriter
}

extension TableProvider {
    package func statistics() async throws -> TableStatistics {
        TableStatistics(columns: schema.fields.map { _ in .init() })
    }
    package func makeWriter() async throws -> any TableWriter { throw QueryError.notSupported("writing to this table") }
}

/// Appends batches to a table. Exactly one of `commit` and `abort` ends it.
package protocol TableWriter: AnyObject {
    /// The batch has the table's columns in order.
    func write(_ batch: Batch) throws
    /// Makes the rows visible, all or nothing.
    func commit() throws
    func abort()
}

/// What a scan wants from a table.
package struct ScanRequest: Sendable {
    /// Ordinals of the table's columns, in the order of the output. May be empty: only rows are counted.
    package var projection: [Int]
    /// Conjuncts over output positions. Providers may prune by them (they understand `column op literal`, IN lists and
    /// IS [NOT] NULL, and ignore the rest); exact filtering is `ScanContext.filters`' job.
    package var predicates: [Expression]
    /// Enough rows for a split, when there are no predicates.
    package var limit: Int?
    package init(projection: [Int], predicates: [Expression] = [], limit: Int? = nil) {
        self.projection = projection
        self.predicates = predicates
        self.limit = limit
    }
}

/// One piece of a scan, as plain data that any worker can open.
package struct Split: Hashable, Sendable {
    /// The provider's own description: a file and a row group, a range of keys, ….
    package var payload: [UInt8]
    package var estimatedRowCount: Int
    package var estimatedByteCount: Int
    package init(payload: [UInt8], estimatedRowCount: Int, estimatedByteCount: Int = 0) {
        self.payload = payload
        self.estimatedRowCount = estimatedRowCount
        self.estimatedByteCount = estimatedByteCount
    }
}

/// What the executing operator lends to a reader. Confined to the reader's thread.
package final class ScanContext {
    /// Predicates that the reader applies exactly, cheapest first: it decodes their columns, asks, and decodes the other
    /// columns only for rows that are left. Each conjunct of the request's predicates is one filter; more come from joins.
    package var filters: [any ScanFilter]
    /// Throws when the query was cancelled; asked at least once a batch.
    package var checkCancellation: () throws -> Void
    /// For metrics: bytes read from the store.
    package var bytesRead = 0
    package init(filters: [any ScanFilter] = [], checkCancellation: @escaping () throws -> Void = {}) {
        self.filters = filters
        self.checkCancellation = checkCancellation
    }
}

/// A predicate that a reader evaluates while it decodes.
package protocol ScanFilter: AnyObject {
    /// Positions in the request's projection that it reads.
    var positions: [Int] { get }
    /// The rows (positions among the batch's live rows) for which the predicate is true; `nil` means all of them. Only
    /// the columns at `positions` are set in `batch`; the others are empty placeholders that must not be read.
    func select(_ batch: Batch) throws -> Selection?
    /// What zone maps and dictionaries may be pruned by: a conjunct over output positions, if there is one. For a filter
    /// from a join this is a range that the build side's keys lie in.
    var prunable: Expression? { get }
}

/// Gives the rows of a split, batch by batch, filters applied. Confined to one thread at a time.
package protocol BatchReader: AnyObject {
    /// The next batch (never without rows), or `nil` at the end. Columns are in the order of the request's projection.
    func next() throws -> Batch?
}

/// What is known about a table.
package struct TableStatistics: Sendable {
    package var rowCount: Double?
    package var byteCount: Double?
    /// By table ordinal.
    package var columns: [ColumnStatistics]
    package init(rowCount: Double? = nil, byteCount: Double? = nil, columns: [ColumnStatistics]) {
        self.rowCount = rowCount
        self.byteCount = byteCount
        self.columns = columns
    }
}

package struct ColumnStatistics: Sendable {
    package var minimum: ScalarValue?
    package var maximum: ScalarValue?
    /// Share of rows that are null.
    package var nullFraction: Double?
    package var distinctCount: Double?
    /// Average length of strings, bytes.
    package var averageByteCount: Double?
    package init(
        minimum: ScalarValue? = nil, maximum: ScalarValue? = nil, nullFraction: Double? = nil,
        distinctCount: Double? = nil, averageByteCount: Double? = nil
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.nullFraction = nullFraction
        self.distinctCount = distinctCount
        self.averageByteCount = averageByteCount
    }
}
