// A table of the file for the planner and for scans.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

final class SQLiteTable: TableProvider {
    let backend: SQLiteBackend
    let description: TableDescription
    let schema: Schema
    let definition: TableDefinition
    /// CREATE TABLE of a table that its first writer makes.
    let creation: String?
    private let known = Mutex<TableStatistics?>(nil)
    /// Outside of statements the object itself keeps the state that it reads.
    private let ownView: StatementView?

    init(_ backend: SQLiteBackend, _ description: TableDescription, creation: String? = nil) {
        self.backend = backend
        self.description = description
        self.creation = creation
        schema = Schema(description.fields)
        definition = DefinitionText.definition(description)
        ownView = StorageScope.current == nil ? StatementView() : nil
    }

    private var view: StatementView { StatementView.current(backend) ?? ownView ?? StatementView() }

    /// The file answers conditions and aggregates itself.
    var isRemote: Bool { true }
    var identifiesRows: Bool { description.rowName != nil }
    /// Not where SQLite numbers rows, computes columns or runs triggers.
    var keepsRowsAsWritten: Bool {
        !description.hasTriggers && description.rowColumn == nil && !description.columns.contains(where: \.isGenerated)
    }

    // MARK: Statistics

    func statistics() async throws -> TableStatistics {
        if let statistics = known.withLock({ $0 }) { return statistics }
        if creation != nil { return TableStatistics(rowCount: 0, columns: schema.fields.map { _ in .init() }) }
        let description = self.description
        let statistics = try await backend.shelf.withConnection { try FileStatistics.load($0, description) }
        known.withLock { $0 = statistics }
        return statistics
    }

    // MARK: Reading

    func absorbs(_ query: StoreQuery, projection: [Int]) -> Bool {
        creation == nil
            && StoreQueryText(description, ScanRequest(projection: projection, storeQuery: query), query) != nil
    }

    func storeText(for request: ScanRequest) -> String? {
        try? ScanText(description, request).select(predicates: request.predicates, limit: request.limit).shown
    }

    func splits(for request: ScanRequest) async throws -> [Split] {
        if creation != nil { return [] }
        let text = try ScanText(description, request)
        let lease = try await view.lease(backend)
        let (backend, description) = (backend, description)
        let isLimited = request.storeQuery != nil || request.limit != nil && request.predicates.isEmpty
        return try await backend.shelf.onThread {
            func split(_ range: ClosedRange<Int64>?, _ rowCount: Int) -> Split {
                let place = ScanPlace(fingerprint: description.fingerprint, lease: lease.number, range: range)
                return Split(payload: place.payload, estimatedRowCount: rowCount)
            }
            var ends: (first: Int64, last: Int64)?
            let connection = try lease.connection()
            var plan = ""
            try connection.lock.withLock { _ in
                guard let found = try TableDescription.load(connection, name: description.name) else {
                    throw QueryError(
                        .undefinedTable, "relation \"\(description.name)\" does not exist", object: description.name)
                }
                guard found.fingerprint == description.fingerprint else { throw SQLiteReader.changed(description) }
                guard let row = description.rowName, !isLimited else { return }
                let name = SQLText.name(description.name)
                let limits = try connection.rows(
                    "SELECT (SELECT min(\(row)) FROM \(name)), (SELECT max(\(row)) FROM \(name))")
                if let first = limits[0][0].integer, let last = limits[0][1].integer { ends = (first, last) }
                let select = text.select(predicates: request.predicates, limit: nil)
                plan = try connection.rows("EXPLAIN QUERY PLAN " + select.text, select.values).first?[3].string ?? ""
            }
            guard let ends else { return [split(nil, isLimited ? 1 : 0)] }
            // Where an index answers, one question is enough.
            guard plan.hasPrefix("SCAN") else { return [split(nil, 1000)] }
            let rows = backend.options.rowsPerSplit
            let width = ends.last.subtractingReportingOverflow(ends.first)
            let span = width.overflow ? Double(UInt64.max) : Double(width.partialValue)
            let count = Int(min(Double(Self.splitCountMax), (span / Double(rows)).rounded(.up)))
            guard count > 1 else { return [split(nil, Int(min(span + 1, Double(rows))))] }
            lease.grow(to: count)
            let step = (UInt64(bitPattern: ends.last &- ends.first) / UInt64(count)) &+ 1
            return (0..<count).map { index in
                let start = ends.first &+ Int64(bitPattern: step &* UInt64(index))
                let isLast = index == count - 1
                return split(start...(isLast ? ends.last : start &+ Int64(bitPattern: step) &- 1), rows)
            }
        }
    }

    /// Numbers of rows may have gaps of any width.
    private static let splitCountMax = 256

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let place = try ScanPlace(payload: split.payload)
        guard place.fingerprint == description.fingerprint else { throw SQLiteReader.changed(description) }
        guard let lease = backend.lease(place.lease) else { throw ReadLease.passed(backend.options) }
        return SQLiteReader(
            try ScanText(description, request), place: place, lease: lease, connection: try lease.connection(),
            context: context)
    }

    // MARK: Writing

    private func checkWritable() throws {
        try backend.options.checkWritable()
        guard description.kind == .table else {
            throw QueryError.notSupported("changing rows of \"\(description.name)\", which is no table of its own")
        }
    }

    func makeWriter() async throws -> any TableWriter {
        try checkWritable()
        return SQLiteWriter(self, session: view.session(backend), isModifier: false)
    }

    func makeModifier() async throws -> any TableModifier {
        try checkWritable()
        // Rows are found by their numbers in the state that the statement reads.
        _ = try await view.lease(backend)
        return SQLiteWriter(self, session: view.session(backend), isModifier: true)
    }
}

/// What a split says: a range of rows in a state that a lease keeps.
struct ScanPlace {
    var fingerprint: UInt64
    var lease: UInt64
    /// `nil`: all rows.
    var range: ClosedRange<Int64>?

    init(fingerprint: UInt64, lease: UInt64, range: ClosedRange<Int64>?) {
        self.fingerprint = fingerprint
        self.lease = lease
        self.range = range
    }

    private static let version: UInt8 = 1

    var payload: [UInt8] {
        var bytes = [Self.version, range == nil ? 0 : 1]
        let ends = [range?.lowerBound ?? 0, range?.upperBound ?? 0].map { UInt64(bitPattern: $0) }
        for number in [fingerprint, lease] + ends {
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        return bytes
    }

    init(payload: [UInt8]) throws {
        func number(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(payload[2 + index * 8 + $1]) << UInt64($1 * 8) }
        }
        guard payload.count == 34, payload[0] == Self.version, payload[1] <= 1 else {
            throw QueryError(.versionMismatch, "a split of a table of a file has an unknown layout")
        }
        fingerprint = number(0)
        lease = number(1)
        let (first, last) = (Int64(bitPattern: number(2)), Int64(bitPattern: number(3)))
        guard payload[1] == 0 || first <= last else {
            throw QueryError(.versionMismatch, "a split of a table of a file has an unknown layout")
        }
        range = payload[1] == 1 ? first...last : nil
    }
}
