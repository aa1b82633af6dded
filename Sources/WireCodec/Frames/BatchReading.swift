// Reads messages back into batches whose vectors point into the received memory. Nothing is trusted: every length,
// code and offset is checked, so that no kernel can be led outside the buffer.

import Columnar
import Diagnostics

enum BatchReading {
    private struct Node {
        var type: DataType
        var encoding: Vector.Encoding
        var hasValidity: Bool
        var count: Int
        var dataByteCount: Int
        var heapByteCount: Int
    }

    /// The batches of `byteCount` bytes from `start` in `buffer`; the vectors keep `buffer` alive.
    static func batches(
        in buffer: Buffer, start: Int, byteCount: Int, types: [DataType]?
    ) throws(QueryError) -> [Batch] {
        var batches: [Batch] = []
        var offset = start
        let end = start + byteCount
        while offset < end {
            let base = buffer.base + offset
            guard end - offset >= BatchLayout.headByteCount else { throw .corrupt("a message ends in its head") }
            let size = base.load(fromByteOffset: 8, as: UInt64.self)
            guard size <= UInt64(end - offset), size >= UInt64(BatchLayout.headByteCount), size % 64 == 0 else {
                throw .corrupt("a message has a wrong length")
            }
            batches.append(try batch(at: base, byteCount: Int(size), owner: buffer, types: types))
            offset += Int(size)
        }
        return batches
    }

    private static func batch(
        at base: UnsafeMutableRawPointer, byteCount: Int, owner: Buffer, types: [DataType]?
    ) throws(QueryError) -> Batch {
        let rowCount = Int(base.load(as: UInt32.self))
        let columnCount = Int(base.load(fromByteOffset: 4, as: UInt32.self))
        let nodeCount = Int(base.load(fromByteOffset: 16, as: UInt32.self))
        guard rowCount <= Batch.rowCountMax else { throw .corrupt("a batch has too many rows") }
        guard columnCount <= nodeCount, nodeCount <= 2 * columnCount,
            nodeCount <= (byteCount - BatchLayout.headByteCount) / BatchLayout.descriptorByteCount
        else { throw .corrupt("a batch has a wrong number of vectors") }
        if let types, types.count != columnCount { throw .corrupt("a batch has a wrong number of columns") }
        var offset = BatchLayout.aligned(
            BatchLayout.headByteCount + nodeCount * BatchLayout.descriptorByteCount)
        var columns: [Vector] = []
        columns.reserveCapacity(columnCount)
        var index = 0
        while columns.count < columnCount {
            guard index < nodeCount else { throw .corrupt("a batch lacks a vector") }
            let node = try node(at: base, index)
            index += 1
            let vector: Vector
            switch node.encoding {
            case .flat, .constant:
                guard node.count == (node.encoding == .flat ? rowCount : 1) else {
                    throw .corrupt("a vector has a wrong number of values")
                }
                vector = try flat(node, rows: rowCount, base, byteCount, &offset, owner)
            case .dictionary:
                guard node.count == rowCount, index < nodeCount else { throw .corrupt("a dictionary vector") }
                let entries = try self.node(at: base, index)
                index += 1
                guard entries.encoding == .flat, entries.type == node.type, entries.count > 0 else {
                    throw .corrupt("a dictionary is not what its vector says")
                }
                vector = try dictionary(node, entries, base, byteCount, &offset, owner)
            }
            if let types, types[columns.count] != vector.type {
                throw .corrupt("column \(columns.count + 1) has type \(vector.type.sqlName)")
            }
            columns.append(vector)
        }
        guard index == nodeCount, offset == byteCount else { throw .corrupt("a batch is longer than its vectors") }
        return Batch(columns: columns, rowCount: rowCount)
    }

    private static func node(at base: UnsafeRawPointer, _ index: Int) throws(QueryError) -> Node {
        let descriptor = base + BatchLayout.headByteCount + index * BatchLayout.descriptorByteCount
        let type = try TypeTag(reading: descriptor).type()
        let flags = descriptor.load(fromByteOffset: 9, as: UInt8.self)
        guard let encoding = Vector.Encoding(rawValue: descriptor.load(fromByteOffset: 8, as: UInt8.self)),
            flags < 2
        else { throw .corrupt("a vector has an unknown encoding") }
        let count = Int(descriptor.load(fromByteOffset: 12, as: UInt32.self))
        let data = descriptor.load(fromByteOffset: 16, as: UInt64.self)
        let heap = descriptor.load(fromByteOffset: 24, as: UInt64.self)
        let width = encoding == .dictionary ? 4 : type.physical.width
        guard data == UInt64(count) * UInt64(width), heap <= UInt64(FrameOptions.messageByteLimit),
            heap == 0 || (type.physical == .view && encoding != .dictionary)
        else { throw .corrupt("a vector's buffers have wrong lengths") }
        return Node(
            type: type, encoding: encoding, hasValidity: flags == 1, count: count, dataByteCount: Int(data),
            heapByteCount: Int(heap))
    }

    /// The next buffer of the message, or an error when it does not lie within.
    private static func take(
        _ count: Int, _ base: UnsafeMutableRawPointer, _ byteCount: Int, _ offset: inout Int
    ) throws(QueryError) -> UnsafeMutableRawPointer {
        let size = BatchLayout.aligned(count)
        guard size <= byteCount - offset else { throw .corrupt("a buffer reaches beyond its message") }
        defer { offset += size }
        return base + offset
    }

    private static func flat(
        _ node: Node, rows: Int, _ base: UnsafeMutableRawPointer, _ byteCount: Int, _ offset: inout Int,
        _ owner: Buffer
    ) throws(QueryError) -> Vector {
        var validity: UnsafeMutableRawPointer?
        if node.hasValidity { validity = try take(Validity.wordCount(node.count) * 8, base, byteCount, &offset) }
        let data = try take(node.dataByteCount, base, byteCount, &offset)
        switch node.type.physical {
        case .view:
            let heap = try take(node.heapByteCount, base, byteCount, &offset)
            try resolve(
                data.assumingMemoryBound(to: StringView.self), count: node.count, heap: heap,
                heapByteCount: node.heapByteCount)
        case .boolean:
            try checkBooleans(data.assumingMemoryBound(to: UInt8.self), count: node.count)
        case .int8, .int16, .int32, .int64, .int128, .float32, .float64, .interval, .uuid:
            break
        }
        let vector = Vector(
            type: node.type, encoding: node.encoding, count: rows, data: data, dataOwner: owner,
            pinned: node.type.physical == .view ? [owner] : [])
        if let validity {
            vector.validity = validity.assumingMemoryBound(to: UInt64.self)
            vector.validityOwner = owner
        }
        return vector
    }

    private static func dictionary(
        _ node: Node, _ entries: Node, _ base: UnsafeMutableRawPointer, _ byteCount: Int, _ offset: inout Int,
        _ owner: Buffer
    ) throws(QueryError) -> Vector {
        var validity: UnsafeMutableRawPointer?
        if node.hasValidity { validity = try take(Validity.wordCount(node.count) * 8, base, byteCount, &offset) }
        let data = try take(node.dataByteCount, base, byteCount, &offset)
        let codes = data.assumingMemoryBound(to: UInt32.self)
        var largest: UInt32 = 0
        var row = 0
        while row < node.count {
            largest = max(largest, codes[row])
            row &+= 1
        }
        guard Int(largest) < entries.count else { throw .corrupt("a code lies beyond its dictionary") }
        let dictionary = try flat(entries, rows: entries.count, base, byteCount, &offset, owner)
        let vector = Vector(
            type: node.type, encoding: .dictionary, count: node.count, data: data, dataOwner: owner,
            dictionary: dictionary)
        if let validity {
            vector.validity = validity.assumingMemoryBound(to: UInt64.self)
            vector.validityOwner = owner
        }
        return vector
    }

    /// Turns offsets of long values into addresses, in place.
    private static func resolve(
        _ views: UnsafeMutablePointer<StringView>, count: Int, heap: UnsafeMutableRawPointer, heapByteCount: Int
    ) throws(QueryError) {
        let limit = UInt64(heapByteCount)
        let address = UInt64(UInt(bitPattern: heap))
        var isValid = true
        var row = 0
        while row < count {
            let view = views[row]
            if !view.isInline {
                let length = UInt64(view.count)
                guard length <= limit, view.tail <= limit &- length else {
                    isValid = false
                    break
                }
                let prefix = heap.loadUnaligned(fromByteOffset: Int(view.tail), as: UInt32.self)
                isValid = isValid && prefix == UInt32(truncatingIfNeeded: view.head &>> 32)
                views[row].tail = address &+ view.tail
            }
            row &+= 1
        }
        if !isValid { throw .corrupt("a string lies beyond its buffer") }
    }

    private static func checkBooleans(_ values: UnsafePointer<UInt8>, count: Int) throws(QueryError) {
        var all: UInt8 = 0
        var row = 0
        while row < count {
            all |= values[row]
            row &+= 1
        }
        if all > 1 { throw .corrupt("a boolean is neither true nor false") }
    }
}
