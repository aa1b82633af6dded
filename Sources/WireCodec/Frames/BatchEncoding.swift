// The layout of one batch as a message: a head, a descriptor for every vector, then the vectors' buffers, each 64-byte
// aligned, little-endian, as they lie in memory.
//
//   head         0 u32 rows, 4 u32 columns, 8 u64 bytes of the message, 16 u32 descriptors, 20 12 bytes of zero
//   descriptor   0 u8 type, 1 u8 array depth, 2 u8 precision, 3 u8 scale, 4 i32 length (-1: none),
//                8 u8 encoding, 9 u8 flags (1 = has validity), 10 u16 zero, 12 u32 values,
//                16 u64 bytes of data, 24 u64 bytes of heap
//   buffers      of each descriptor in turn: validity (64-bit words), data, heap
//
// A dictionary vector's data are its codes (u32); the descriptor of its entries follows its own. A view of a long value
// holds, instead of an address, its offset in the heap.

import Columnar
import Diagnostics

enum BatchLayout {
    static let headByteCount = 32
    static let descriptorByteCount = 32
    static let alignment = 64

    @inline(__always)
    static func aligned(_ count: Int) -> Int { (count &+ 63) & ~63 }
}

/// A data type in the fixed form of a descriptor.
struct TypeTag {
    var tag: UInt8 = 0
    var arrayDepth: UInt8 = 0
    var precision: UInt8 = 0
    var scale: UInt8 = 0
    var length: Int32 = -1

    init(_ type: DataType) throws(QueryError) {
        var element = type
        while case .array(let inner) = element {
            guard arrayDepth < 255 else { throw QueryError(.programLimitExceeded, "too many array dimensions") }
            arrayDepth += 1
            element = inner
        }
        switch element {
        case .unknown: tag = 0
        case .boolean: tag = 1
        case .int8: tag = 2
        case .int16: tag = 3
        case .int32: tag = 4
        case .int64: tag = 5
        case .float32: tag = 6
        case .float64: tag = 7
        case .decimal(let precision, let scale):
            tag = 8
            self.precision = UInt8(truncatingIfNeeded: precision)
            self.scale = UInt8(truncatingIfNeeded: scale)
        case .numeric(let modifier):
            tag = 23
            if let modifier { length = Int32(modifier.precision << 16 | modifier.scale & 0xFFFF) }
        case .text: tag = 9
        case .varchar(let length):
            tag = 10
            self.length = length.map { Int32(clamping: $0) } ?? -1
        case .char(let length):
            tag = 11
            self.length = Int32(clamping: length)
        case .bytea: tag = 12
        case .date: tag = 13
        case .time: tag = 14
        case .timestamp: tag = 15
        case .timeTZ: tag = 24
        case .timestampTZ: tag = 16
        case .interval: tag = 17
        case .uuid: tag = 18
        case .json: tag = 19
        case .jsonb: tag = 20
        // The fields are for the reader to know.
        case .record: tag = 22
        case .jsonpath: tag = 40
        case .oid: tag = 30
        case .name: tag = 31
        case .internalChar: tag = 32
        case .registered(let kind):
            tag = 33
            precision = kind.rawValue
        case .indexVector(let element): tag = element == .oid ? 35 : 34
        case .bit(let length):
            tag = 41
            self.length = length.map { Int32(clamping: $0) } ?? -1
        case .varbit(let length):
            tag = 42
            self.length = length.map { Int32(clamping: $0) } ?? -1
        case .range(let kind):
            tag = 44
            precision = kind.rawValue
        // The labels are for the reader to know.
        case .enumeration: tag = 43
        case .array: throw .internalError("an array within an array type was not unwrapped")
        }
    }

    init(reading base: UnsafeRawPointer) {
        tag = base.load(as: UInt8.self)
        arrayDepth = base.load(fromByteOffset: 1, as: UInt8.self)
        precision = base.load(fromByteOffset: 2, as: UInt8.self)
        scale = base.load(fromByteOffset: 3, as: UInt8.self)
        length = base.load(fromByteOffset: 4, as: Int32.self)
    }

    func write(to base: UnsafeMutableRawPointer) {
        base.storeBytes(of: tag, as: UInt8.self)
        base.storeBytes(of: arrayDepth, toByteOffset: 1, as: UInt8.self)
        base.storeBytes(of: precision, toByteOffset: 2, as: UInt8.self)
        base.storeBytes(of: scale, toByteOffset: 3, as: UInt8.self)
        base.storeBytes(of: length, toByteOffset: 4, as: Int32.self)
    }

    func type() throws(QueryError) -> DataType {
        var type = try element()
        for _ in 0..<arrayDepth { type = .array(type) }
        return type
    }

    private func element() throws(QueryError) -> DataType {
        switch tag {
        case 0: return .unknown
        case 1: return .boolean
        case 2: return .int8
        case 3: return .int16
        case 4: return .int32
        case 5: return .int64
        case 6: return .float32
        case 7: return .float64
        case 8:
            guard (1...38).contains(precision), scale <= precision else { throw .corrupt("a numeric's precision") }
            return .decimal(precision: Int(precision), scale: Int(scale))
        case 9: return .text
        case 10: return .varchar(length: length < 0 ? nil : Int(length))
        case 11:
            guard length >= 0 else { throw .corrupt("a character type's length") }
            return .char(length: Int(length))
        case 12: return .bytea
        case 13: return .date
        case 14: return .time
        case 15: return .timestamp
        case 24: return .timeTZ
        case 16: return .timestampTZ
        case 17: return .interval
        case 18: return .uuid
        case 19: return .json
        case 20: return .jsonb
        case 22: return .record([])
        case 40: return .jsonpath
        case 23:
            if length < 0 { return .anyNumeric }
            let modifier = NumericModifier(
                precision: Int(length >> 16), scale: Int(Int16(truncatingIfNeeded: length)))
            guard (1...NumericModifier.precisionMax).contains(modifier.precision),
                abs(modifier.scale) <= NumericModifier.scaleMax
            else { throw .corrupt("a numeric's precision") }
            return .numeric(modifier)
        case 30: return .oid
        case 31: return .name
        case 32: return .internalChar
        case 33:
            guard let kind = RegisteredKind(rawValue: precision) else { throw .corrupt("an unknown type") }
            return .registered(kind)
        case 34: return .indexVector(.int16)
        case 35: return .indexVector(.oid)
        case 41: return .bit(length: length < 0 ? nil : Int(length))
        case 42: return .varbit(length: length < 0 ? nil : Int(length))
        case 43: return .enumeration(.unnamed)
        case 44:
            guard let kind = RangeKind(rawValue: precision) else { throw .corrupt("an unknown type") }
            return .range(kind)
        default: throw .corrupt("an unknown type")
        }
    }
}
