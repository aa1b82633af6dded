// Rows of COPY's binary form, in pages of as many rows as a batch has.

import Columnar
import Diagnostics

/// Bytes of rows one after the other, without the header and the end of the COPY.
final class RowPage {
    private(set) var buffer: Buffer
    private(set) var byteCount = 0
    private(set) var rowCount = 0

    init(capacity: Int) { buffer = Buffer(byteCount: capacity) }

    var isFull: Bool { rowCount == Batch.standardRowCount }

    func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        if byteCount + count > buffer.byteCount {
            let larger = Buffer(byteCount: max(byteCount + count, buffer.byteCount * 2))
            larger.base.copyMemory(from: buffer.base, byteCount: byteCount)
            buffer = larger
        }
        (buffer.base + byteCount).copyMemory(from: bytes, byteCount: count)
        byteCount += count
        rowCount += 1
    }
}

/// Takes the messages of a COPY apart. A message is a row, the first one with the header in front.
struct RowCollector {
    private static let signature: [UInt8] = [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00]
    private let catalog: String
    private var hasHeader = false
    private var hasEnd = false
    private var pageCapacity = 32 << 10
    private(set) var full: [RowPage] = []
    private var current: RowPage?
    private(set) var byteCount = 0

    init(catalog: String) { self.catalog = catalog }

    mutating func take(_ bytes: UnsafePointer<UInt8>, _ count: Int) throws {
        var at = 0
        if !hasHeader {
            // Signature, flags, and the length of an extension.
            guard count >= 19, (0..<11).allSatisfy({ bytes[$0] == Self.signature[$0] }) else {
                throw ConnectionErrors.malformed(catalog, "an unknown form of COPY")
            }
            let raw = UnsafeRawPointer(bytes)
            let flags = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 11, as: UInt32.self))
            let extra = Int(UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 15, as: UInt32.self)))
            guard flags & 0xFFFF_0000 == 0, 19 + extra <= count else {
                throw ConnectionErrors.malformed(catalog, "an unknown form of COPY")
            }
            at = 19 + extra
            hasHeader = true
        }
        guard at < count else { return }
        guard count - at >= 2, !hasEnd else { throw ConnectionErrors.malformed(catalog, "half a row") }
        if bytes[at] == 0xFF, bytes[at + 1] == 0xFF {
            hasEnd = true
            return
        }
        let page = current ?? RowPage(capacity: pageCapacity)
        page.append(bytes + at, count - at)
        byteCount += count - at
        current = page
        if page.isFull { seal() }
    }

    /// What is left over becomes a page.
    mutating func seal() {
        guard let page = current else { return }
        // The next page will need about as much.
        pageCapacity = max(pageCapacity, page.byteCount + page.byteCount / 8)
        full.append(page)
        current = nil
    }

    /// Whether all rows have come, by what the server says of the end.
    var isComplete: Bool { hasEnd }

    mutating func takePages() -> [RowPage] {
        defer { full = [] }
        byteCount = 0
        return full
    }
}

/// The places of a page's fields, column after column. A length of -1 is NULL.
struct PageFields {
    let page: RowPage
    let columnCount: Int
    private let places: Buffer

    /// Throws 08P01 if the bytes are not whole rows of so many fields.
    init(_ page: RowPage, columnCount: Int, catalog: String) throws {
        self.page = page
        self.columnCount = columnCount
        let rowCount = page.rowCount
        places = Buffer(byteCount: max(1, columnCount * rowCount) * 8)
        let starts = places.base.assumingMemoryBound(to: Int32.self)
        let lengths = starts + columnCount * rowCount
        let bytes = UnsafeRawPointer(page.buffer.base)
        let end = page.byteCount
        var at = 0
        var row = 0
        var isWhole = end <= Int(Int32.max)
        while row < rowCount, isWhole {
            guard at &+ 2 <= end,
                Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int16.self))) == columnCount
            else {
                isWhole = false
                break
            }
            at &+= 2
            var column = 0
            var place = row
            while column < columnCount {
                guard at &+ 4 <= end else {
                    isWhole = false
                    break
                }
                let length = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self))
                at &+= 4
                starts[place] = Int32(truncatingIfNeeded: at)
                lengths[place] = length
                guard length >= -1, at &+ max(0, Int(length)) <= end else {
                    isWhole = false
                    break
                }
                at &+= max(0, Int(length))
                place &+= rowCount
                column &+= 1
            }
            row &+= 1
        }
        guard isWhole, at == end else { throw ConnectionErrors.malformed(catalog, "rows of another form") }
    }

    func column(_ index: Int) -> FieldColumn {
        let starts = places.base.assumingMemoryBound(to: Int32.self)
        return FieldColumn(
            bytes: UnsafePointer(page.buffer.base.assumingMemoryBound(to: UInt8.self)),
            starts: UnsafePointer(starts + index * page.rowCount),
            lengths: UnsafePointer(starts + (columnCount + index) * page.rowCount), count: page.rowCount,
            owner: page.buffer)
    }
}

/// The fields of one column. Valid as long as what they were made from.
struct FieldColumn {
    var bytes: UnsafePointer<UInt8>
    var starts: UnsafePointer<Int32>
    var lengths: UnsafePointer<Int32>
    var count: Int
    /// Keeps `bytes`.
    var owner: Buffer
}
