// A table of the server for the planner and the workers.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

final class PostgresTable: TableProvider {
    let backend: PostgresBackend
    let description: TableDescription
    let schema: Schema
    let definition: TableDefinition
    private let known = Mutex<TableStatistics?>(nil)
    /// Outside of statements the object itself keeps the snapshot that it reads.
    private let ownView: StatementView?

    init(_ backend: PostgresBackend, _ description: TableDescription) {
        self.backend = backend
        self.description = description
        schema = Schema(description.fields)
        definition = DefinitionText.definition(description)
        ownView = StorageScope.current == nil ? StatementView() : nil
    }

    private var view: StatementView { StatementView.current(backend) ?? ownView ?? StatementView() }

    /// Reading a few rows would make the planner wait for the network.
    var allowsSampling: Bool { false }
    var isRemote: Bool { true }
    var identifiesRows: Bool { description.kind == .table && !description.hasChildren }

    var keepsRowsAsWritten: Bool { !description.changesRows }

    // MARK: Statistics

    func statistics() async throws -> TableStatistics {
        if let statistics = known.withLock({ $0 }) { return statistics }
        let description = self.description
        let statistics = try await backend.pool.withConnection { try ServerStatistics.load($0, description) }
        known.withLock { $0 = statistics }
        return statistics
    }

    // MARK: Reading

    func joinDescription(projection: [Int]) -> String? { description.joinText(projection) }

    /// By columns whose collation sees different texts as equal nothing is looked up: they are compared by their bytes.
    var indexedColumns: [[Int]] {
        description.indexes.filter { $0.first.map { description.columns[$0].isDeterministic } ?? false }
    }

    func absorbs(_ query: StoreQuery, projection: [Int]) -> Bool {
        let request = ScanRequest(projection: projection, storeQuery: query)
        return StoreQueryText(description, request, query) != nil
    }

    func storeText(for request: ScanRequest) -> String? {
        try? ScanText(description, request).select(predicates: request.predicates, limit: request.limit)
    }

    private static let pageByteCount = 8192

    func splits(for request: ScanRequest) async throws -> [Split] {
        let text = try ScanText(description, request)
        let lease = try await view.lease(backend.pool)
        func split(_ start: Int, _ end: Int?, rowCount: Double) -> Split {
            let place = ScanPlace(
                fingerprint: description.fingerprint, start: start, end: end, snapshot: lease.snapshot)
            return Split(payload: place.payload, estimatedRowCount: Int(max(0, min(rowCount, 1e15))))
        }
        let rowCount = max(0, description.rowEstimate)
        let isLimited = request.storeQuery != nil || request.limit != nil && request.predicates.isEmpty
        guard description.kind.hasPages, description.serverVersion >= 140_000, !isLimited else {
            return [split(0, nil, rowCount: rowCount)]
        }
        let pagesPerSplit = max(1, backend.options.splitByteCount / Self.pageByteCount)
        let hasConditions = !PredicateText(table: description, projection: request.projection)
            .conditions(request.predicates).isEmpty
        let select = text.select(predicates: request.predicates, limit: nil)
        let identifier = description.identifier
        let pageCount = try await backend.pool.withConnection { connection -> Int in
            let size = try connection.rows("SELECT pg_catalog.pg_relation_size(\(identifier)::oid::regclass)")
            let pages = (size.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0) / Self.pageByteCount
            guard hasConditions, pages > pagesPerSplit else { return pages }
            // Where an index answers, one question is enough.
            let plan = try connection.rows("EXPLAIN (COSTS OFF) " + select).first?.first.flatMap { $0 } ?? ""
            return plan.hasPrefix("Seq Scan") ? pages : 0
        }
        guard pageCount > pagesPerSplit else { return [split(0, nil, rowCount: rowCount)] }
        return stride(from: 0, to: pageCount, by: pagesPerSplit).map { start in
            // Rows that came later lie behind the last page, and are not of the snapshot.
            let end = start + pagesPerSplit < pageCount ? start + pagesPerSplit : nil
            return split(start, end, rowCount: rowCount * Double(pagesPerSplit) / Double(pageCount))
        }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let place = try ScanPlace(payload: split.payload)
        guard place.fingerprint == description.fingerprint else { throw PostgresReader.changed(description) }
        return PostgresReader(
            try ScanText(description, request), place: place, pool: backend.pool, catalog: backend.options.name,
            context: context)
    }

    // MARK: Writing

    func makeWriter() async throws -> any TableWriter {
        try backend.options.checkWritable()
        return PostgresWriter(self, snapshot: nil)
    }

    func makeModifier() async throws -> any TableModifier {
        try backend.options.checkWritable()
        return PostgresWriter(self, snapshot: try await view.lease(backend.pool))
    }
}

extension TableDescription {
    /// Differs where scans must: names and types of columns. The same on every node.
    var fingerprint: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        add("\(identifier)".utf8)
        for column in columns { add("\(column.name) \(column.typeIdentifier) \(column.typeModifier)".utf8) }
        return hash
    }
}

/// What a split says: a range of pages under a snapshot.
struct ScanPlace {
    var fingerprint: UInt64
    var start: Int
    /// `nil`: to the end of the table.
    var end: Int?
    var snapshot: String

    init(fingerprint: UInt64, start: Int, end: Int?, snapshot: String) {
        self.fingerprint = fingerprint
        self.start = start
        self.end = end
        self.snapshot = snapshot
    }

    private static let version: UInt8 = 1

    var payload: [UInt8] {
        var bytes = [Self.version]
        for number in [fingerprint, UInt64(start), end.map { UInt64($0) } ?? .max] {
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        return bytes + Array(snapshot.utf8)
    }

    init(payload: [UInt8]) throws {
        guard payload.count > 25, payload[0] == Self.version,
            let snapshot = String(validating: payload[25...], as: UTF8.self),
            snapshot.utf8.allSatisfy({ $0 == 0x2D || ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x46) })
        else { throw QueryError(.versionMismatch, "a split of a table of a server has an unknown layout") }
        func number(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(payload[1 + index * 8 + $1]) << UInt64($1 * 8) }
        }
        fingerprint = number(0)
        let (start, end) = (number(1), number(2))
        guard start <= UInt32.max, end == .max || end <= UInt32.max else {
            throw QueryError(.versionMismatch, "a split of a table of a server has an unknown layout")
        }
        self.start = Int(start)
        self.end = end == .max ? nil : Int(end)
        self.snapshot = snapshot
    }
}
