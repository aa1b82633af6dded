// Storage is the interface that data stores are written against. This file: backends and tables.
//
//   StorageBackend   one opened catalogue: schemas and tables, DDL if it can
//   TableProvider    one table: schema, statistics, splits, readers, writers
//   ScanRequest      what a scan wants; Split: one piece of it, as plain data; BatchReader: the rows of a split
//   TableSample      rows that the planner looks at
//   TableDefinition  defaults, keys, checks and references, as text
//   StorageTransaction, StorageScope, TransactionLocks   who reads what, and when changes are seen
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
    /// A table with defaults, keys and checks. A back end that only has columns refuses the rest.
    func createTable(schema: String, name: String, definition: TableDefinition) async throws
    /// A table for CREATE TABLE AS: rows follow by a writer. Where nothing can be rolled back, others see it when that writer
    /// commits, and `dropTable` forgets it before.
    func prepareTable(schema: String, name: String, definition: TableDefinition) async throws
    func dropTable(schema: String, name: String) async throws
    /// A writer whose commit gives the table another definition and just the rows that were written: ALTER TABLE and
    /// TRUNCATE.
    func makeReplacement(schema: String, name: String, definition: TableDefinition) async throws -> any TableWriter
    /// Another definition for the same rows: columns keep their types and places. Throws if rows break a new rule.
    func changeDefinition(schema: String, name: String, to definition: TableDefinition) async throws
    func moveTable(schema: String, name: String, toSchema: String, toName: String) async throws
    func createSchema(_ name: String) async throws
    func dropSchema(_ name: String) async throws
}

extension StorageBackend {
    package var isCoordinatorOnly: Bool { false }
    package func view(schema: String, name: String) -> ViewDefinition? { nil }
    package func createTable(schema: String, name: String, columns: [Field]) async throws {
        throw QueryError.notSupported("CREATE TABLE in this catalogue")
    }
    package func createTable(schema: String, name: String, definition: TableDefinition) async throws {
        guard definition.isPlain else {
            throw QueryError.notSupported("defaults and constraints of tables in this catalogue")
        }
        try await createTable(schema: schema, name: name, columns: definition.schema.fields)
    }
    package func prepareTable(schema: String, name: String, definition: TableDefinition) async throws {
        try await createTable(schema: schema, name: name, definition: definition)
    }
    package func makeReplacement(schema: String, name: String, definition: TableDefinition) async throws
        -> any TableWriter
    {
        throw QueryError.notSupported("changing all rows of a table in this catalogue")
    }
    package func changeDefinition(schema: String, name: String, to definition: TableDefinition) async throws {
        throw QueryError.notSupported("changing tables in this catalogue")
    }
    package func moveTable(schema: String, name: String, toSchema: String, toName: String) async throws {
        throw QueryError.notSupported("renaming tables in this catalogue")
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

/// A table as a statement sees it. Its definition does not change while the object lives; a back end with transactions gives
/// another object for every committed state.
package protocol TableProvider: AnyObject, Sendable {
    var schema: Schema { get }
    /// Defaults, keys and checks; the binder applies defaults and checks, `commit` of a writer refuses duplicate keys.
    var definition: TableDefinition { get }
    /// Whether scans give row identifiers (int64) under the ordinal `schema.count`, for UPDATE and DELETE. They are valid for
    /// this object.
    var identifiesRows: Bool { get }
    /// Whether rows are stored just as they are written: what RETURNING gives is what the statement wrote.
    var keepsRowsAsWritten: Bool { get }
    /// What is known without reading the data; asked once a plan.
    func statistics() async throws -> TableStatistics
    /// Whether the planner may read a few rows to estimate by. Not where rows are made when they are asked for.
    var allowsSampling: Bool { get }
    /// Whether another program or library answers scans: readers may wait for it, and it may compute more than plain rows.
    var isRemote: Bool { get }
    /// Whether readers ask a server for their bytes when they are made: then a scan makes the next one while it reads.
    var startsReadersEarly: Bool { get }
    /// What the providers of other tables of the catalogue must know of the columns to join this table in the store; `nil` where
    /// the store joins no tables. Given back as `StoreQuery.Table.description`.
    func joinDescription(projection: [Int]) -> String?
    /// The columns of each index, in order: by equality with the first ones the store finds rows without reading all.
    var indexedColumns: [[Int]] { get }
    /// Whether the store computes the query over the columns of the projection with exactly the engine's results.
    func absorbs(_ query: StoreQuery, projection: [Int]) -> Bool
    /// What the store is asked for a scan, in its own language, for EXPLAIN.
    func storeText(for request: ScanRequest) -> String?
    /// The pieces that a scan consists of, pruned by the request's predicates where that is cheap. Runs on the coordinator.
    func splits(for request: ScanRequest) async throws -> [Split]
    /// A reader for one split; runs on a worker's driver thread and may block for local I/O.
    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader
    /// The rows that may fulfil the request's predicates, if they are in memory and found without a scan, or if the table has
    /// no more than `rowLimit` rows; else `nil`. Columns are those of the projection; predicates and limit are not applied.
    func rowsAtHand(for request: ScanRequest, rowLimit: Int) throws -> [Batch]?
    /// A writer that appends; rows become visible when it commits.
    func makeWriter() async throws -> any TableWriter
    /// A writer that also deletes rows.
    func makeModifier() async throws -> any TableModifier
}

extension TableProvider {
    package var definition: TableDefinition { TableDefinition(schema) }
    package var identifiesRows: Bool { false }
    package var keepsRowsAsWritten: Bool { true }
    package var allowsSampling: Bool { true }
    package var isRemote: Bool { false }
    package var startsReadersEarly: Bool { false }
    package func joinDescription(projection: [Int]) -> String? { nil }
    package var indexedColumns: [[Int]] { [] }
    package func absorbs(_ query: StoreQuery, projection: [Int]) -> Bool { false }
    package func storeText(for request: ScanRequest) -> String? { nil }
    package func rowsAtHand(for request: ScanRequest, rowLimit: Int) throws -> [Batch]? { nil }
    package func makeModifier() async throws -> any TableModifier {
        throw QueryError.notSupported("changing rows of this table")
    }
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
    /// Takes the rows back without waiting for that.
    func abort()
    /// Waits until the store has room for more. Writers of stores behind a network do their waiting here and in `finish`
    /// for callers that must not keep their thread; for others `write` and `commit` wait.
    func drain() async throws
    /// `commit` for callers that must not keep their thread.
    func finish() async throws
    /// Memory that rows take on their way, without what parts hold. Asked after each write and charged to the query.
    var heldByteCount: Int { get }
}

extension TableWriter {
    package func drain() async throws {}
    package func finish() async throws { try commit() }
    package var heldByteCount: Int { 0 }
}

/// A writer that several threads may feed, each through a part of its own. Rows of one part keep their order; between parts
/// there is none.
package protocol PartitionedTableWriter: TableWriter {
    /// Whether parts may be made for what is written.
    var acceptsParts: Bool { get }
    func makePart() throws -> any TableWriterPart
}

/// A thread's share of a writer's rows. A part that is not finished when its writer aborts is dropped.
package protocol TableWriterPart: AnyObject {
    func write(_ batch: Batch) throws
    /// Called before the writer's `commit`, on the part's thread.
    func finish() throws
    /// Memory that the part's rows take on their way.
    var heldByteCount: Int { get }
}

extension TableWriterPart {
    package var heldByteCount: Int { 0 }
}

/// Deletes rows, changes them and appends others. All or nothing, as `TableWriter`.
package protocol TableModifier: TableWriter {
    /// Rows by the identifiers that scans of the same provider gave; each at most once over all calls.
    func delete(_ identifiers: [Int64]) throws
    /// Rows in place of others: one for each identifier, in order.
    func update(_ identifiers: [Int64], with rows: Batch) throws
}

extension TableModifier {
    /// For stores to which an update is a deletion and a new row.
    package func update(_ identifiers: [Int64], with rows: Batch) throws {
        try delete(identifiers)
        try write(rows)
    }
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
    /// A query that the table has said it absorbs: the scan gives its result in one split, and `predicates` are none.
    package var storeQuery: StoreQuery?
    /// Ordinals of columns of which each must have all rows of a value in one split. Only columns whose statistics say that they
    /// are apart; a table that has changed since then has to see to it in another way.
    package var keptTogether: [Int]
    package init(
        projection: [Int], predicates: [Expression] = [], limit: Int? = nil, storeQuery: StoreQuery? = nil,
        keptTogether: [Int] = []
    ) {
        self.projection = projection
        self.predicates = predicates
        self.limit = limit
        self.storeQuery = storeQuery
        self.keptTogether = keptTogether
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
    /// For metrics: rows that the store sent, before `filters`, where it is another program that sends them.
    package var rowsRead = 0
    /// What one reader leaves to the next of the same scan: contexts of codecs, buffers. The back end's own business.
    package var reusable: (any AnyObject)?
    /// Bytes that readers of the scan hold beyond the batch that they work on, and who is told when there are more: it
    /// throws 53200 when the query may not have them.
    package var heldByteCount = 0
    package var chargeMemory: (_ heldByteCount: Int) throws -> Void = { _ in }
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
    /// The values that a column must have one of, where they are known one by one. For stores that can look them up.
    var members: ScanMembers? { get }
}

extension ScanFilter {
    package var members: ScanMembers? { nil }
}

/// A set of integers that one column of a scan is tested against, as a bitmap.
package struct ScanMembers {
    /// In the request's projection.
    package let position: Int
    package let type: DataType
    /// The value of the first bit.
    package let minimum: Int64
    /// The last bit's distance from the first.
    package let span: UInt64
    package let words: UnsafePointer<UInt64>
    /// Keeps `words`.
    private let owner: AnyObject

    package init(
        position: Int, type: DataType, minimum: Int64, span: UInt64, words: UnsafePointer<UInt64>, owner: AnyObject
    ) {
        self.position = position
        self.type = type
        self.minimum = minimum
        self.span = span
        self.words = words
        self.owner = owner
    }

    private var wordCount: Int { Int(span / 64) + 1 }

    /// The same of another column.
    package func at(_ position: Int) -> ScanMembers {
        ScanMembers(position: position, type: type, minimum: minimum, span: span, words: words, owner: owner)
    }

    package var count: Int {
        defer { withExtendedLifetime(owner) {} }
        return (0..<wordCount).reduce(0) { $0 + words[$1].nonzeroBitCount }
    }

    /// Ascending.
    package func forEach(_ body: (Int64) -> Void) {
        defer { withExtendedLifetime(owner) {} }
        for index in 0..<wordCount {
            var rest = words[index]
            while rest != 0 {
                body(minimum &+ Int64(index * 64 + rest.trailingZeroBitCount))
                rest &= rest &- 1
            }
        }
    }
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
    /// Whether no value, NULL included, is in two splits: a scan can be asked to keep it so (`ScanRequest.keptTogether`).
    package var isApart: Bool
    package init(
        minimum: ScalarValue? = nil, maximum: ScalarValue? = nil, nullFraction: Double? = nil,
        distinctCount: Double? = nil, averageByteCount: Double? = nil, isApart: Bool = false
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.nullFraction = nullFraction
        self.distinctCount = distinctCount
        self.averageByteCount = averageByteCount
        self.isApart = isApart
    }
}
