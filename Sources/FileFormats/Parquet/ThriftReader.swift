// Thrift's compact protocol, as far as Parquet needs it, over bytes that may be anything.

import Diagnostics

/// A bounds-checked reader. Every method throws `dataCorrupted` rather than read beyond the end.
struct ThriftReader {
    /// Field types of the compact protocol.
    enum Kind {
        static let booleanTrue: UInt8 = 1
        static let booleanFalse: UInt8 = 2
        static let byte: UInt8 = 3
        static let int16: UInt8 = 4
        static let int32: UInt8 = 5
        static let int64: UInt8 = 6
        static let double: UInt8 = 7
        static let binary: UInt8 = 8
        static let list: UInt8 = 9
        static let set: UInt8 = 10
        static let map: UInt8 = 11
        static let structure: UInt8 = 12
    }
    private static let depthMax = 48

    private(set) var cursor: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>

    init(_ start: UnsafeRawPointer, count: Int) {
        cursor = start.assumingMemoryBound(to: UInt8.self)
        end = cursor + count
    }

    var remaining: Int { end - cursor }

    /// Passes over `count` bytes, which must be there.
    mutating func advance(_ count: Int) { cursor += min(count, remaining) }

    private static func broken() -> QueryError { .corrupted("the metadata cannot be parsed") }

    mutating func byte() throws -> UInt8 {
        guard cursor < end else { throw ThriftReader.broken() }
        let value = cursor.pointee
        cursor += 1
        return value
    }

    mutating func varint() throws -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard cursor < end, shift < 70 else { throw ThriftReader.broken() }
            let byte = cursor.pointee
            cursor += 1
            result |= UInt64(byte & 127) &<< min(shift, 63)
            if byte < 128 { return result }
            shift &+= 7
        }
    }

    /// A signed integer of any width.
    mutating func integer() throws -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: raw &>> 1) ^ (0 &- Int64(bitPattern: raw & 1))
    }

    /// A signed integer that fits 32 bits.
    mutating func int32() throws -> Int {
        let value = try integer()
        guard Int32(exactly: value) != nil else { throw ThriftReader.broken() }
        return Int(value)
    }

    mutating func bytes() throws -> UnsafeBufferPointer<UInt8> {
        let count = try varint()
        guard count <= UInt64(remaining) else { throw ThriftReader.broken() }
        let result = UnsafeBufferPointer(start: cursor, count: Int(count))
        cursor += Int(count)
        return result
    }

    mutating func array() throws -> [UInt8] { Array(try bytes()) }
    mutating func string() throws -> String { String(decoding: try bytes(), as: UTF8.self) }

    /// Element type and count of a list; every element takes at least one byte.
    mutating func listHeader() throws -> (kind: UInt8, count: Int) {
        let header = try byte()
        var count = UInt64(header >> 4)
        if count == 15 { count = try varint() }
        guard count <= UInt64(remaining) else { throw ThriftReader.broken() }
        return (header & 15, Int(count))
    }

    /// The next field of a struct: its type, with the identifier in `identifier` (0 before the first field); `nil` at the
    /// end.
    mutating func field(_ identifier: inout Int) throws -> UInt8? {
        let header = try byte()
        if header == 0 { return nil }
        let delta = Int(header >> 4)
        if delta == 0 {
            identifier = try int32()
        } else {
            identifier += delta
        }
        return header & 15
    }

    mutating func skip(_ kind: UInt8, depth: Int = 0) throws {
        guard depth < ThriftReader.depthMax else { throw ThriftReader.broken() }
        switch kind {
        case Kind.booleanTrue, Kind.booleanFalse: break
        case Kind.byte: _ = try byte()
        case Kind.int16, Kind.int32, Kind.int64: _ = try varint()
        case Kind.double:
            guard remaining >= 8 else { throw ThriftReader.broken() }
            cursor += 8
        case Kind.binary: _ = try bytes()
        case Kind.list, Kind.set:
            let (element, count) = try listHeader()
            // In a list a boolean takes a byte; in a struct it takes none.
            let isBoolean = element == Kind.booleanTrue || element == Kind.booleanFalse
            for _ in 0..<count { try skip(isBoolean ? Kind.byte : element, depth: depth + 1) }
        case Kind.map:
            let count = try varint()
            if count == 0 { break }
            let kinds = try byte()
            guard count <= UInt64(remaining) else { throw ThriftReader.broken() }
            for _ in 0..<count {
                try skip(kinds >> 4, depth: depth + 1)
                try skip(kinds & 15, depth: depth + 1)
            }
        case Kind.structure:
            var identifier = 0
            while let kind = try field(&identifier) { try skip(kind, depth: depth + 1) }
        default: throw ThriftReader.broken()
        }
    }

    /// Reads a list of structs or values; `element` must consume one element of the given type.
    mutating func list(
        _ kind: UInt8, of expected: UInt8, _ element: (inout ThriftReader) throws -> Void
    ) throws {
        guard kind == Kind.list else { throw ThriftReader.broken() }
        let (elementKind, count) = try listHeader()
        guard count == 0 || elementKind == expected else { throw ThriftReader.broken() }
        for _ in 0..<count { try element(&self) }
    }

    /// Reads the fields of a struct; `body` gets identifier and type, and must consume the field.
    mutating func structure(
        _ kind: UInt8 = Kind.structure, _ body: (inout ThriftReader, Int, UInt8) throws -> Void
    ) throws {
        guard kind == Kind.structure else { throw ThriftReader.broken() }
        var identifier = 0
        while let kind = try field(&identifier) { try body(&self, identifier, kind) }
    }

    /// A field that must be an integer.
    mutating func integerField(_ kind: UInt8) throws -> Int64 {
        guard (Kind.int16...Kind.int64).contains(kind) else { throw ThriftReader.broken() }
        return try integer()
    }
    mutating func int32Field(_ kind: UInt8) throws -> Int {
        let value = try integerField(kind)
        guard Int32(exactly: value) != nil else { throw ThriftReader.broken() }
        return Int(value)
    }
    mutating func arrayField(_ kind: UInt8) throws -> [UInt8] {
        guard kind == Kind.binary else { throw ThriftReader.broken() }
        return try array()
    }
    mutating func booleanField(_ kind: UInt8) throws -> Bool {
        guard kind == Kind.booleanTrue || kind == Kind.booleanFalse else { throw ThriftReader.broken() }
        return kind == Kind.booleanTrue
    }
}
