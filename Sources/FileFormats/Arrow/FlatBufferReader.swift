// Reading FlatBuffers that may be broken: every access is checked.

import Diagnostics

/// A table within a buffer.
struct FlatTable {
    private let bytes: [UInt8]
    private let position: Int
    private let fields: Range<Int>

    static func broken() -> QueryError { QueryError(.dataCorrupted, "invalid Arrow file: the metadata is broken") }

    /// The root of a buffer.
    init(root bytes: [UInt8]) throws {
        try self.init(bytes, at: Int(FlatTable.load(bytes, 0, as: UInt32.self)))
    }

    private init(_ bytes: [UInt8], at position: Int) throws {
        self.bytes = bytes
        self.position = position
        let table = position - Int(try FlatTable.load(bytes, position, as: Int32.self))
        let byteCount = Int(try FlatTable.load(bytes, table, as: UInt16.self))
        guard byteCount >= 4, table >= 0, table + byteCount <= bytes.count else { throw FlatTable.broken() }
        fields = (table + 4)..<(table + byteCount)
    }

    private static func load<T: FixedWidthInteger>(_ bytes: [UInt8], _ at: Int, as: T.Type) throws -> T {
        guard at >= 0, at <= bytes.count - MemoryLayout<T>.size else { throw broken() }
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
    }

    /// Where a field lies; `nil` if it is not there.
    private func place(_ slot: Int) throws -> Int? {
        let entry = fields.lowerBound + slot * 2
        guard entry + 2 <= fields.upperBound else { return nil }
        let offset = Int(try FlatTable.load(bytes, entry, as: UInt16.self))
        return offset == 0 ? nil : position + offset
    }

    func integer<T: FixedWidthInteger>(_ slot: Int, _: T.Type = T.self, default value: T = 0) throws -> T {
        try place(slot).map { try FlatTable.load(bytes, $0, as: T.self) } ?? value
    }

    private func target(_ slot: Int) throws -> Int? {
        try place(slot).map { $0 + Int(try FlatTable.load(bytes, $0, as: UInt32.self)) }
    }

    func table(_ slot: Int) throws -> FlatTable? { try target(slot).map { try FlatTable(bytes, at: $0) } }

    func string(_ slot: Int) throws -> String? {
        guard let start = try target(slot) else { return nil }
        let count = Int(try FlatTable.load(bytes, start, as: UInt32.self))
        guard count <= bytes.count - start - 4 else { throw FlatTable.broken() }
        return String(decoding: bytes[(start + 4)..<(start + 4 + count)], as: UTF8.self)
    }

    private func vector(_ slot: Int, width: Int) throws -> (start: Int, count: Int)? {
        guard let start = try target(slot) else { return nil }
        let count = Int(try FlatTable.load(bytes, start, as: UInt32.self))
        guard count <= (bytes.count - start - 4) / width else { throw FlatTable.broken() }
        return (start + 4, count)
    }

    func tables(_ slot: Int) throws -> [FlatTable] {
        guard let (start, count) = try vector(slot, width: 4) else { return [] }
        return try (0..<count).map { index in
            let at = start + index * 4
            return try FlatTable(bytes, at: at + Int(try FlatTable.load(bytes, at, as: UInt32.self)))
        }
    }

    /// Structs of 64-bit words.
    func structs(_ slot: Int, wordCount: Int) throws -> [[Int64]] {
        guard let (start, count) = try vector(slot, width: wordCount * 8) else { return [] }
        return try (0..<count).map { index in
            try (0..<wordCount).map { try FlatTable.load(bytes, start + (index * wordCount + $0) * 8, as: Int64.self) }
        }
    }
}
