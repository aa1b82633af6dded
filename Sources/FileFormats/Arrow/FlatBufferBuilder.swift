// Building FlatBuffers, as far as Arrow's metadata needs them: from the end to the beginning.

/// Bytes grow downwards; offsets count from the end, so that they stay valid while it grows.
struct FlatBufferBuilder {
    /// The offset of an object that is written.
    struct Offset { fileprivate var fromEnd: Int }

    private var memory = [UInt8](repeating: 0, count: 1024)
    private var head = 1024
    private var fields: [(slot: Int, offset: Int)] = []
    private var tableStart = 0
    private var alignment = 1

    private var size: Int { memory.count - head }

    private mutating func grow(_ more: Int) {
        while head < more {
            let old = memory.count
            memory = [UInt8](repeating: 0, count: old) + memory
            head += old
        }
    }

    /// Pads so that, after `additional` bytes, an object of `align` bytes is aligned.
    private mutating func prepare(_ align: Int, _ additional: Int) {
        alignment = max(alignment, align)
        let padding = (align - (size + additional) % align) % align
        grow(padding + additional + align)
        head -= padding
    }

    private mutating func push<T: FixedWidthInteger>(_ value: T) {
        grow(MemoryLayout<T>.size)
        head -= MemoryLayout<T>.size
        withUnsafeBytes(of: value.littleEndian) { bytes in
            for (index, byte) in bytes.enumerated() { memory[head + index] = byte }
        }
    }

    private mutating func pushReference(_ target: Offset) {
        prepare(4, 4)
        push(UInt32(size + 4 - target.fromEnd))
    }

    mutating func string(_ text: String) -> Offset {
        let bytes = Array(text.utf8)
        prepare(4, bytes.count + 1 + 4)
        grow(bytes.count + 8)
        head -= 1
        memory[head] = 0
        head -= bytes.count
        for (index, byte) in bytes.enumerated() { memory[head + index] = byte }
        push(UInt32(bytes.count))
        return Offset(fromEnd: size)
    }

    mutating func vector(of offsets: [Offset]) -> Offset {
        prepare(4, offsets.count * 4 + 4)
        for offset in offsets.reversed() { pushReference(offset) }
        push(UInt32(offsets.count))
        return Offset(fromEnd: size)
    }

    /// Structs of 64-bit words.
    mutating func vector(ofStructs structs: [[Int64]]) -> Offset {
        let width = (structs.first?.count ?? 0) * 8
        prepare(4, structs.count * width + 4)
        prepare(8, structs.count * width)
        for words in structs.reversed() { for word in words.reversed() { push(word) } }
        push(UInt32(structs.count))
        return Offset(fromEnd: size)
    }

    mutating func table(_ body: (inout FlatBufferBuilder) -> Void) -> Offset {
        fields = []
        tableStart = size
        body(&self)
        prepare(4, 4)
        push(Int32(0))
        let table = size
        let slots = (fields.map(\.slot).max() ?? -1) + 1
        for slot in (0..<slots).reversed() {
            let offset = fields.first { $0.slot == slot }?.offset
            push(UInt16(offset.map { table - $0 } ?? 0))
        }
        push(UInt16(table - tableStart))
        push(UInt16((slots + 2) * 2))
        let distance = Int32(size - table)
        withUnsafeBytes(of: distance.littleEndian) { bytes in
            for (index, byte) in bytes.enumerated() { memory[memory.count - table + index] = byte }
        }
        return Offset(fromEnd: table)
    }

    mutating func field<T: FixedWidthInteger>(_ slot: Int, _ value: T) {
        prepare(MemoryLayout<T>.size, MemoryLayout<T>.size)
        push(value)
        fields.append((slot, size))
    }
    mutating func field(_ slot: Int, _ target: Offset) {
        pushReference(target)
        fields.append((slot, size))
    }

    /// The finished buffer.
    mutating func finish(_ root: Offset) -> [UInt8] {
        prepare(max(alignment, 8), 4)
        pushReference(root)
        return Array(memory[head...])
    }
}
