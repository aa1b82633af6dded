// Text in pieces of whole rows, with the positions of all fields.

import CKernels
import Columnar
import Diagnostics

/// Cuts a source into chunks and indexes their fields. Confined to its reader.
final class CSVChunk {
    /// Bytes of a chunk as a rule; longer rows make it grow.
    static let byteCount = 512 << 10
    private static let rowByteCountMax = 512 << 20

    private let source: any ByteSource
    private let dialect: CSVDialect
    private var pool = BufferPool()
    private(set) var buffer: Buffer
    /// Bytes in the buffer; the rows end at `rowsEnd`.
    private var filled = 0
    private var rowsEnd = 0
    private var isAtEnd = false
    private var fieldBuffer = Buffer(byteCount: 64)
    private var rowBuffer = Buffer(byteCount: 64)
    private(set) var state = ck_csv_state()
    /// Rows of earlier chunks, counted as lines for messages.
    private(set) var byteOffset = 0

    init(_ source: any ByteSource, _ dialect: CSVDialect) {
        self.source = source
        self.dialect = dialect
        buffer = Buffer(byteCount: 64)
    }

    var bytes: UnsafePointer<UInt8> { UnsafePointer(buffer.base.assumingMemoryBound(to: UInt8.self)) }
    /// Where fields end. The entry before the first is -1 in 32 bits.
    var fieldEnds: UnsafePointer<UInt32> { UnsafePointer(fieldBuffer.base.assumingMemoryBound(to: UInt32.self) + 1) }
    /// Per row: the number of fields up to its end.
    var rowEnds: UnsafePointer<UInt32> { UnsafePointer(rowBuffer.base.assumingMemoryBound(to: UInt32.self)) }
    var rowCount: Int { Int(state.rowCount) }
    var hasQuotes: Bool { state.quotes != 0 }
    /// Bytes of complete rows.
    var byteCount: Int { rowsEnd }
    var bytesRead: Int { source.bytesRead }

    /// Reads the next chunk; false at the end.
    func next() throws -> Bool {
        byteOffset += rowsEnd
        let carried = filled - rowsEnd
        if isAtEnd && carried == 0 { return false }
        var capacity = max(CSVChunk.byteCount, carried * 2)
        let next = pool.take(capacity)
        next.base.copyMemory(from: buffer.base + rowsEnd, byteCount: carried)
        buffer = next
        filled = carried
        rowsEnd = 0
        while true {
            while filled < capacity && !isAtEnd {
                let got = try source.read(into: buffer.base + filled, count: capacity - filled)
                if got == 0 { isAtEnd = true } else { filled += got }
            }
            if filled == 0 { return false }
            if isAtEnd && buffer.base.load(fromByteOffset: filled - 1, as: UInt8.self) != dialect.newline {
                // The last line may lack its end; the padding has room for it.
                buffer.base.storeBytes(of: dialect.newline, toByteOffset: filled, as: UInt8.self)
                filled += 1
            }
            index()
            if state.rowCount > 0 { break }
            if isAtEnd { throw QueryError(.badCopyFileFormat, "unterminated CSV quoted field") }
            guard capacity < CSVChunk.rowByteCountMax else {
                throw QueryError(.programLimitExceeded, "a row of a CSV file is too long")
            }
            capacity *= 2
            let larger = Buffer(byteCount: capacity)
            larger.base.copyMemory(from: buffer.base, byteCount: filled)
            buffer = larger
        }
        rowsEnd = Int(fieldEnds[Int(rowEnds[rowCount - 1]) - 1]) + 1
        if isAtEnd && rowsEnd < filled { throw QueryError(.badCopyFileFormat, "unterminated CSV quoted field") }
        return true
    }

    private func index() {
        let needed = (filled + 32) * 4
        if fieldBuffer.byteCount < needed {
            fieldBuffer = Buffer(byteCount: needed)
            rowBuffer = Buffer(byteCount: needed)
        }
        let fields = fieldBuffer.base.assumingMemoryBound(to: UInt32.self)
        fields[0] = .max
        state = ck_csv_state()
        if dialect.isParityBased {
            ck_csv_index(
                bytes, 0, filled, dialect.delimiter, dialect.quote, dialect.newline, fields + 1,
                rowBuffer.base.assumingMemoryBound(to: UInt32.self), &state)
        } else {
            ck_csv_index_escaped(
                bytes, 0, filled, dialect.delimiter, dialect.quote, dialect.escape, dialect.newline, fields + 1,
                rowBuffer.base.assumingMemoryBound(to: UInt32.self), &state)
        }
    }
}
