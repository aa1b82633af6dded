// A table in memory: batches that are only ever appended.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

/// A table. Committed batches never change, so a scan that knows how many there were when it began sees a snapshot.
final class MemoryTable: TableProvider {
    /// What was committed.
    private struct State {
        var batches: [Batch] = []
        var rowCount = 0
        var byteCount = 0
        var columns: [ColumnSummary]
        var isDropped = false
    }

    /// Exact facts about one column, kept up to date by commits.
    struct ColumnSummary {
        var minimum: ScalarValue?
        var maximum: ScalarValue?
        var nullCount = 0
        var textByteCount = 0
    }

    let name: String
    let schema: Schema
    /// Tells this table from one of the same name that was dropped.
    private let number = MemoryTable.nextNumber.wrappingAdd(1, ordering: .relaxed).oldValue
    private let state: Mutex<State>

    private static let nextNumber = Atomic<UInt64>(1)

    init(name: String, schema: Schema) {
        self.name = name
        self.schema = schema
        state = Mutex(State(columns: schema.fields.map { _ in ColumnSummary() }))
    }

    func drop() {
        state.withLock { state in
            state.isDropped = true
            state.batches = []
        }
    }

    func statistics() async throws -> TableStatistics {
        state.withLock { state in
            let rows = Double(state.rowCount)
            return TableStatistics(
                rowCount: rows, byteCount: Double(state.byteCount),
                columns: state.columns.map { column in
                    let notNull = state.rowCount - column.nullCount
                    return ColumnStatistics(
                        minimum: column.minimum, maximum: column.maximum,
                        nullFraction: state.rowCount > 0 ? Double(column.nullCount) / rows : nil,
                        averageByteCount: notNull > 0 && column.textByteCount > 0
                            ? Double(column.textByteCount) / Double(notNull) : nil)
                })
        }
    }

    /// Batches a split.
    private static let batchesPerSplit = 50

    func splits(for request: ScanRequest) async throws -> [Split] {
        let rows = state.withLock { $0.batches.map(\.rowCount) }
        return stride(from: 0, to: rows.count, by: MemoryTable.batchesPerSplit).map { start in
            let end = min(start + MemoryTable.batchesPerSplit, rows.count)
            return Split(
                payload: MemorySplit(table: number, start: start, end: end).payload,
                estimatedRowCount: rows[start..<end].reduce(0, +))
        }
    }

    func makeReader(for split: Split, request: ScanRequest, context: ScanContext) throws -> any BatchReader {
        let part = try MemorySplit(payload: split.payload)
        let batches = try state.withLock { state in
            guard !state.isDropped else {
                throw QueryError(.undefinedTable, "relation \"\(name)\" does not exist", object: name)
            }
            guard part.table == number, part.start >= 0, part.start <= part.end,
                part.end <= state.batches.count
            else {
                throw QueryError(
                    .undefinedTable, "relation \"\(name)\" was dropped and made again while the query ran",
                    object: name)
            }
            return Array(state.batches[part.start..<part.end])
        }
        return MemoryReader(batches, request: request, context: context)
    }

    func makeWriter() async throws -> any TableWriter { MemoryWriter(self) }

    /// Makes batches visible at once. Summaries come from the writer.
    func append(_ batches: [Batch], rowCount: Int, byteCount: Int, columns: [ColumnSummary]) throws {
        try state.withLock { state in
            guard !state.isDropped else {
                throw QueryError(.undefinedTable, "relation \"\(name)\" does not exist", object: name)
            }
            state.batches += batches
            state.rowCount += rowCount
            state.byteCount += byteCount
            for index in columns.indices { state.columns[index].merge(columns[index]) }
        }
    }
}

/// A range of batches of one table object.
private struct MemorySplit {
    var table: UInt64
    var start: Int
    var end: Int

    init(table: UInt64, start: Int, end: Int) {
        self.table = table
        self.start = start
        self.end = end
    }

    var payload: [UInt8] {
        var bytes: [UInt8] = []
        for number in [table, UInt64(start), UInt64(end)] {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    init(payload: [UInt8]) throws {
        guard payload.count == 24 else {
            throw QueryError(.versionMismatch, "a split of a table in memory has an unknown layout")
        }
        func number(_ index: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(payload[index * 8 + $1]) << UInt64($1 * 8) }
        }
        table = number(0)
        start = Int(truncatingIfNeeded: number(1))
        end = Int(truncatingIfNeeded: number(2))
    }
}

extension MemoryTable.ColumnSummary {
    mutating func merge(_ other: MemoryTable.ColumnSummary) {
        if let low = other.minimum, minimum.map({ Self.precedes(low, $0) }) ?? true { minimum = low }
        if let high = other.maximum, maximum.map({ Self.precedes($0, high) }) ?? true { maximum = high }
        nullCount += other.nullCount
        textByteCount += other.textByteCount
    }

    private static func precedes(_ a: ScalarValue, _ b: ScalarValue) -> Bool {
        switch (a, b) {
        case (.integer(let x), .integer(let y)): x < y
        case (.decimal(let x), .decimal(let y)): x < y
        case (.float(let x), .float(let y)): x < y
        default: false
        }
    }

    /// Adds the values of a flat vector.
    mutating func add(_ vector: Vector) {
        let count = vector.count
        if let validity = vector.validity { nullCount += count - Validity.validCount(validity, rows: count) }
        switch vector.physical {
        case .int16: addIntegers(vector, Int16.self) { .integer(Int64($0)) }
        case .int32: addIntegers(vector, Int32.self) { .integer(Int64($0)) }
        case .int64:
            let isDecimal = vector.type.isDecimal
            addIntegers(vector, Int64.self) { isDecimal ? .decimal(Int128($0)) : .integer($0) }
        case .int128: addIntegers(vector, Int128.self) { .decimal($0) }
        case .float64: addFloats(vector)
        case .view:
            let views = vector.views
            for row in 0..<count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
                textByteCount += views[row].count
            }
        default: break
        }
    }

    private mutating func addIntegers<T: FixedWidthInteger>(
        _ vector: Vector, _: T.Type, _ wrap: (T) -> ScalarValue
    ) {
        let values = vector.values(T.self)
        var low = T.max
        var high = T.min
        var found = false
        for row in 0..<vector.count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
            low = min(low, values[row])
            high = max(high, values[row])
            found = true
        }
        guard found else { return }
        merge(MemoryTable.ColumnSummary(minimum: wrap(low), maximum: wrap(high)))
    }

    private mutating func addFloats(_ vector: Vector) {
        let values = vector.values(Double.self)
        var low = Double.infinity
        var high = -Double.infinity
        var found = false
        for row in 0..<vector.count where vector.validity.map({ Validity.isValid($0, row) }) ?? true {
            // NaN sorts above all numbers.
            high = values[row].isNaN ? .infinity : max(high, values[row])
            low = values[row].isNaN ? low : min(low, values[row])
            found = true
        }
        guard found else { return }
        merge(MemoryTable.ColumnSummary(minimum: .float(low), maximum: .float(high)))
    }
}
