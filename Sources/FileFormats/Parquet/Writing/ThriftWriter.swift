// Writing Thrift's compact protocol, as far as Parquet's metadata needs it.

/// Appends fields to bytes. Structs nest by `structure`; identifiers must ascend within a struct.
struct ThriftWriter {
    private(set) var bytes: [UInt8] = []
    private var lastIdentifier = 0

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 128 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    private mutating func header(_ identifier: Int, _ kind: UInt8) {
        let delta = identifier - lastIdentifier
        if (1...15).contains(delta) {
            bytes.append(UInt8(delta) << 4 | kind)
        } else {
            bytes.append(kind)
            zigzag(Int64(identifier))
        }
        lastIdentifier = identifier
    }

    mutating func int32(_ identifier: Int, _ value: Int) {
        header(identifier, ThriftReader.Kind.int32)
        zigzag(Int64(value))
    }
    mutating func int64(_ identifier: Int, _ value: Int) {
        header(identifier, ThriftReader.Kind.int64)
        zigzag(Int64(value))
    }
    mutating func int8(_ identifier: Int, _ value: UInt8) {
        header(identifier, ThriftReader.Kind.byte)
        bytes.append(value)
    }
    mutating func boolean(_ identifier: Int, _ value: Bool) {
        header(identifier, value ? ThriftReader.Kind.booleanTrue : ThriftReader.Kind.booleanFalse)
    }
    mutating func binary(_ identifier: Int, _ value: [UInt8]) {
        header(identifier, ThriftReader.Kind.binary)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }
    mutating func string(_ identifier: Int, _ value: String) { binary(identifier, Array(value.utf8)) }

    mutating func structure(_ identifier: Int, _ body: (inout ThriftWriter) -> Void) {
        header(identifier, ThriftReader.Kind.structure)
        element(body)
    }

    /// A struct without a field's header: an element of a list, or the outermost one.
    mutating func element(_ body: (inout ThriftWriter) -> Void) {
        let outer = lastIdentifier
        lastIdentifier = 0
        body(&self)
        bytes.append(0)
        lastIdentifier = outer
    }

    private mutating func list(_ identifier: Int, _ kind: UInt8, count: Int) {
        header(identifier, ThriftReader.Kind.list)
        if count < 15 {
            bytes.append(UInt8(count) << 4 | kind)
        } else {
            bytes.append(0xF0 | kind)
            varint(UInt64(count))
        }
    }

    mutating func structures<T>(_ identifier: Int, _ elements: [T], _ body: (inout ThriftWriter, T) -> Void) {
        list(identifier, ThriftReader.Kind.structure, count: elements.count)
        for part in elements { element { body(&$0, part) } }
    }
    mutating func integers(_ identifier: Int, _ values: [Int]) {
        list(identifier, ThriftReader.Kind.int32, count: values.count)
        for value in values { zigzag(Int64(value)) }
    }
    mutating func longIntegers(_ identifier: Int, _ values: [Int]) {
        list(identifier, ThriftReader.Kind.int64, count: values.count)
        for value in values { zigzag(Int64(value)) }
    }
    mutating func booleans(_ identifier: Int, _ values: [Bool]) {
        list(identifier, ThriftReader.Kind.booleanTrue, count: values.count)
        for value in values { bytes.append(value ? 1 : 2) }
    }
    mutating func binaries(_ identifier: Int, _ values: [[UInt8]]) {
        list(identifier, ThriftReader.Kind.binary, count: values.count)
        for value in values {
            varint(UInt64(value.count))
            bytes.append(contentsOf: value)
        }
    }
    mutating func strings(_ identifier: Int, _ values: [String]) {
        binaries(identifier, values.map { Array($0.utf8) })
    }
}
