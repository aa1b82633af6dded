// Rows as the library gives them: one at a time, each value with its own storage class. They are laid out by column here,
// so that decoding is one loop for each column.

import CSQLite
import Columnar

/// Up to a batch of rows. Confined to one reader.
final class RowStage {
    /// Storage classes, as the library numbers them.
    let kinds: UnsafeMutablePointer<UInt8>
    /// Integers, bits of doubles, or places in `bytes`.
    let numbers: UnsafeMutablePointer<Int64>
    /// Of texts and blobs.
    let lengths: UnsafeMutablePointer<Int32>
    /// Texts and blobs, each with the padding that views need behind it.
    private(set) var bytes = Buffer(byteCount: 0)
    private var byteCapacity = 0
    private var byteCount = 0
    private(set) var count = 0
    let columnCount: Int
    let capacity: Int
    /// The size of a batch's texts; rows beyond it begin another batch.
    private static let byteCountMax = 8 << 20

    init(columnCount: Int, capacity: Int) {
        self.columnCount = columnCount
        self.capacity = capacity
        let cells = max(1, columnCount * capacity)
        kinds = .allocate(capacity: cells)
        numbers = .allocate(capacity: cells)
        lengths = .allocate(capacity: cells)
    }

    deinit {
        kinds.deallocate()
        numbers.deallocate()
        lengths.deallocate()
    }

    var isFull: Bool { count == capacity || byteCount > Self.byteCountMax }

    /// Vectors of the last batch keep the bytes that they point into.
    func restart() {
        count = 0
        byteCount = 0
        byteCapacity = 0
        bytes = Buffer(byteCount: 0)
    }

    private func reserve(_ more: Int) {
        let wanted = byteCount + more
        if wanted <= byteCapacity { return }
        let larger = Buffer(byteCount: max(wanted, max(16 << 10, byteCapacity * 2)))
        larger.base.copyMemory(from: bytes.base, byteCount: byteCount)
        bytes = larger
        byteCapacity = larger.byteCount
    }

    /// Takes the row that the statement stands on.
    func take(_ statement: OpaquePointer) {
        var cell = count
        var column: Int32 = 0
        while column < Int32(columnCount) {
            let kind = sqlite3_column_type(statement, column)
            kinds[cell] = UInt8(truncatingIfNeeded: kind)
            switch kind {
            case SQLITE_INTEGER: numbers[cell] = sqlite3_column_int64(statement, column)
            case SQLITE_FLOAT: numbers[cell] = Int64(bitPattern: sqlite3_column_double(statement, column).bitPattern)
            case SQLITE_TEXT:
                let text = sqlite3_column_text(statement, column)
                let length = sqlite3_column_bytes(statement, column)
                keep(UnsafeRawPointer(text), length, cell)
            case SQLITE_BLOB:
                let blob = sqlite3_column_blob(statement, column)
                let length = sqlite3_column_bytes(statement, column)
                keep(blob, length, cell)
            default: break
            }
            cell &+= capacity
            column &+= 1
        }
        count &+= 1
    }

    @inline(__always)
    private func keep(_ source: UnsafeRawPointer?, _ length: Int32, _ cell: Int) {
        numbers[cell] = Int64(byteCount)
        lengths[cell] = length
        guard let source, length > 0 else { return }
        reserve(Int(length))
        (bytes.base + byteCount).copyMemory(from: source, byteCount: Int(length))
        byteCount &+= Int(length)
    }

    /// The values of a column.
    func column(_ index: Int) -> StagedColumn {
        let start = index * capacity
        return StagedColumn(
            kinds: kinds + start, numbers: numbers + start, lengths: lengths + start,
            bytes: bytes.base.assumingMemoryBound(to: UInt8.self), count: count, owner: bytes)
    }
}

struct StagedColumn {
    let kinds: UnsafeMutablePointer<UInt8>
    let numbers: UnsafeMutablePointer<Int64>
    let lengths: UnsafeMutablePointer<Int32>
    let bytes: UnsafeMutablePointer<UInt8>
    let count: Int
    let owner: Buffer

    static let integer = UInt8(truncatingIfNeeded: SQLITE_INTEGER)
    static let real = UInt8(truncatingIfNeeded: SQLITE_FLOAT)
    static let text = UInt8(truncatingIfNeeded: SQLITE_TEXT)
    static let blob = UInt8(truncatingIfNeeded: SQLITE_BLOB)
    static let null = UInt8(truncatingIfNeeded: SQLITE_NULL)

    func real(_ row: Int) -> Double { Double(bitPattern: UInt64(bitPattern: numbers[row])) }
    func value(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes + Int(numbers[row]), count: Int(lengths[row]))
    }
}
