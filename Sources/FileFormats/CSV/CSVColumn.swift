// One column of a run of rows: from the positions of its fields to a vector.

import Columnar
import Diagnostics
import Glibc

/// The rows of a batch within a chunk.
struct CSVRows {
    let bytes: UnsafePointer<UInt8>
    let fieldEnds: UnsafePointer<UInt32>
    /// Index of each row's first field.
    let firstFields: UnsafePointer<UInt32>
    let count: Int
    let columnCount: Int
    let hasQuotes: Bool
}

/// A field that is no value of its column's type.
struct CSVFieldError: Error {
    var row: Int
    var text: String
}

/// Parses one column. Holds what parsing needs besides the rows.
struct CSVColumnParser {
    let dialect: CSVDialect
    let type: DataType
    /// Position within the row.
    let column: Int

    /// Calls `body` with the row, start and length of each field: of the selected rows, or of all.
    @inline(__always)
    private func fields(
        _ rows: CSVRows, _ selection: Selection?, _ body: (Int, UnsafePointer<UInt8>, Int) throws -> Void
    ) rethrows {
        let bytes = rows.bytes
        let ends = rows.fieldEnds
        let firsts = rows.firstFields
        let isLast = column == rows.columnCount &- 1
        let count = selection?.count ?? rows.count
        let picks = selection?.rows
        var index = 0
        while index < count {
            let row = picks.map { Int($0[index]) } ?? index
            let field = Int(firsts[row]) &+ column
            let start = Int(ends[field &- 1] &+ 1)
            var end = Int(ends[field])
            // Lines may end with a carriage return too.
            if isLast && end > start && bytes[end &- 1] == 13 { end &-= 1 }
            try body(row, bytes + start, end &- start)
            index &+= 1
        }
    }

    @inline(__always)
    private func isNull(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        if dialect.null.isEmpty { return count == 0 }
        return count == dialect.null.count
            && dialect.null.withUnsafeBufferPointer { memcmp($0.baseAddress!, bytes, count) } == 0
    }

    /// Parses values of a type of fixed width.
    @inline(__always)
    private func parse<T: BitwiseCopyable>(
        _ rows: CSVRows, _ selection: Selection?, _ vector: Vector, zero: T,
        _ value: (UnsafePointer<UInt8>, Int) -> T?
    ) throws {
        let values = vector.values(T.self)
        if selection != nil { values.update(repeating: zero, count: rows.count) }
        let emptyIsNull = dialect.null.isEmpty
        var validity: UnsafeMutablePointer<UInt64>?
        try fields(rows, selection) { row, bytes, count in
            if count > 0, let parsed = value(bytes, count) {
                values[row] = parsed
                return
            }
            if (count == 0 && emptyIsNull) || isNull(bytes, count) {
                values[row] = zero
                if validity == nil { validity = vector.ensureValidity() }
                Validity.setNull(validity.unsafelyUnwrapped, row)
                return
            }
            values[row] = try slow(row, bytes, count, value)
        }
    }

    /// A field with quotes or blanks around the value.
    @inline(never)
    private func slow<T>(
        _ row: Int, _ bytes: UnsafePointer<UInt8>, _ count: Int, _ value: (UnsafePointer<UInt8>, Int) -> T?
    ) throws -> T {
        let buffer = Buffer(byteCount: count + 32)
        let target = buffer.base.assumingMemoryBound(to: UInt8.self)
        var length = CSVText.unquote(bytes, count, dialect, into: target)
        var start = UnsafePointer(target)
        while length > 0 && start[0] == 32 {
            start += 1
            length -= 1
        }
        while length > 0 && start[length - 1] == 32 { length -= 1 }
        if length > 0, let parsed = value(start, length) { return parsed }
        let text = String(decoding: UnsafeBufferPointer(start: bytes, count: min(count, 100)), as: UTF8.self)
        throw CSVFieldError(row: row, text: text)
    }

    /// The column of all rows; those outside of `selection` come as zeros. Long strings point into `owner`.
    func vector(_ rows: CSVRows, selection: Selection?, owner: Buffer, pool: inout BufferPool) throws -> Vector {
        let buffer = pool.take(max(1, rows.count) * type.physical.width)
        let vector = Vector(type: type, encoding: .flat, count: rows.count, data: buffer.base, dataOwner: buffer)
        switch type {
        case .boolean:
            try parse(rows, selection, vector, zero: UInt8(0)) { CSVText.boolean($0, $1).map { $0 ? 1 : 0 } }
        case .int64: try parse(rows, selection, vector, zero: Int64(0)) { CSVText.integer($0, $1) }
        case .float64:
            let powers = CSVText.powersOfTen
            try parse(rows, selection, vector, zero: Double(0)) { CSVText.double($0, $1, powers) }
        case .date: try parse(rows, selection, vector, zero: Int32(0)) { CSVText.date($0, $1) }
        case .time: try parse(rows, selection, vector, zero: Int64(0)) { CSVText.time($0, $1) }
        case .timestamp, .timestampTZ:
            try parse(rows, selection, vector, zero: Int64(0)) { CSVText.timestamp($0, $1)?.value }
        default: text(rows, selection, vector, owner)
        }
        return vector
    }

    private func text(_ rows: CSVRows, _ selection: Selection?, _ vector: Vector, _ owner: Buffer) {
        let views = vector.views
        if selection != nil { views.update(repeating: StringView(), count: rows.count) }
        let emptyIsNull = dialect.null.isEmpty
        let quote = dialect.quote
        let mayBeQuoted = rows.hasQuotes
        var validity: UnsafeMutablePointer<UInt64>?
        var heap: StringHeap?
        fields(rows, selection) { row, bytes, count in
            if (count == 0 && emptyIsNull) || (!emptyIsNull && isNull(bytes, count)) {
                views[row] = StringView()
                if validity == nil { validity = vector.ensureValidity() }
                Validity.setNull(validity.unsafelyUnwrapped, row)
                return
            }
            if mayBeQuoted && memchr(bytes, Int32(quote), count) != nil {
                let isSimple =
                    count >= 2 && bytes[0] == quote && bytes[count &- 1] == quote
                    && isPlain(bytes + 1, count &- 2)
                if isSimple {
                    views[row] = StringView(padded: bytes + 1, count: count &- 2)
                } else {
                    if heap == nil { heap = StringHeap() }
                    views[row] = unquoted(bytes, count, heap.unsafelyUnwrapped)
                }
                return
            }
            views[row] = StringView(padded: bytes, count: count)
        }
        vector.pinned = [owner]
        if let heap { vector.pinned += heap.buffers as [any AnyObject] }
    }

    /// Text between quotes that stands for itself.
    @inline(__always)
    private func isPlain(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        memchr(bytes, Int32(dialect.quote), count) == nil
            && (dialect.escape == dialect.quote || memchr(bytes, Int32(dialect.escape), count) == nil)
    }

    @inline(never)
    private func unquoted(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ heap: StringHeap) -> StringView {
        let room = heap.reserve(count)
        return StringView(room, count: CSVText.unquote(bytes, count, dialect, into: room))
    }
}
