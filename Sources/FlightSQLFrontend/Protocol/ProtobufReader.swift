// Reads Protocol Buffers' wire format. Messages come from clients: every length is checked, and unknown fields are left out.

import Diagnostics

/// The fields of one message in their order. Valid as long as the bytes that it reads.
struct ProtobufReader {
    enum WireType: UInt64 { case varint = 0, fixed64, bytes, groupStart, groupEnd, fixed32 }

    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    /// Of the field that was read last.
    private(set) var wireType = WireType.varint

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    static func broken() -> QueryError { QueryError(.protocolViolation, "the peer sent a malformed message") }

    /// Number of the next field; `nil` at the end. Its value is to be read or skipped before the next one.
    mutating func next() throws -> Int? {
        guard at < bytes.count else { return nil }
        let key = try varint()
        guard let type = WireType(rawValue: key & 7), key >> 3 > 0, key >> 3 < 1 << 29 else {
            throw ProtobufReader.broken()
        }
        wireType = type
        return Int(key >> 3)
    }

    private mutating func varint() throws -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            guard at < bytes.count else { throw ProtobufReader.broken() }
            let byte = bytes[at]
            at += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
        throw ProtobufReader.broken()
    }

    private mutating func take(_ count: UInt64) throws -> UnsafeRawBufferPointer {
        guard count <= UInt64(bytes.count - at) else { throw ProtobufReader.broken() }
        defer { at += Int(count) }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<(at + Int(count))])
    }

    private func expect(_ type: WireType) throws {
        guard wireType == type else { throw ProtobufReader.broken() }
    }

    mutating func integer() throws -> UInt64 {
        try expect(.varint)
        return try varint()
    }

    mutating func boolean() throws -> Bool { try integer() != 0 }

    mutating func fixed64() throws -> UInt64 {
        try expect(.fixed64)
        return UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self))
    }

    /// Bytes where they lie.
    mutating func raw() throws -> UnsafeRawBufferPointer {
        try expect(.bytes)
        return try take(try varint())
    }

    mutating func data() throws -> [UInt8] { Array(try raw()) }

    mutating func string() throws -> String {
        guard let text = String(validating: try raw(), as: UTF8.self) else { throw ProtobufReader.broken() }
        return text
    }

    /// Numbers of a repeated field, packed or by themselves.
    mutating func integers(into list: inout [UInt64]) throws {
        if wireType == .bytes {
            var packed = ProtobufReader(try raw())
            while packed.at < packed.bytes.count { list.append(try packed.varint()) }
        } else {
            list.append(try integer())
        }
    }

    mutating func skip() throws {
        switch wireType {
        case .varint: _ = try varint()
        case .fixed64: _ = try take(8)
        case .bytes: _ = try take(try varint())
        case .fixed32: _ = try take(4)
        case .groupStart, .groupEnd: throw ProtobufReader.broken()
        }
    }
}

/// Writes Protocol Buffers' wire format.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    static func varintByteCount(_ value: UInt64) -> Int { max(1, (64 - value.leadingZeroBitCount + 6) / 7) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func key(_ field: Int, _ type: ProtobufReader.WireType) { varint(UInt64(field) << 3 | type.rawValue) }

    mutating func integer(_ field: Int, _ value: Int64) {
        key(field, .varint)
        varint(UInt64(bitPattern: value))
    }

    mutating func boolean(_ field: Int, _ value: Bool) { integer(field, value ? 1 : 0) }

    mutating func fixed64(_ field: Int, _ value: UInt64) {
        key(field, .fixed64)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func data(_ field: Int, _ value: some Collection<UInt8>) {
        key(field, .bytes)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func string(_ field: Int, _ value: String) { data(field, value.utf8) }

    mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        body(&inner)
        data(field, inner.bytes)
    }
}
