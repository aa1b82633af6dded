// Lays a batch out as a message. First everything is measured, then written once into memory of exactly that size.

import Columnar
import Diagnostics

/// A batch, measured: what `write` will put down. The batch must not be changed in between.
struct BatchWriter {
    private struct Node {
        var vector: Vector
        /// Values that are written: rows, one for a constant, entries for a dictionary.
        var count: Int
        var heapByteCount: Int
        var hasValidity: Bool

        var dataByteCount: Int { count * (vector.encoding == .dictionary ? 4 : vector.physical.width) }
        var validityByteCount: Int { hasValidity ? Validity.wordCount(count) * 8 : 0 }
        var byteCount: Int {
            BatchLayout.aligned(validityByteCount) + BatchLayout.aligned(dataByteCount)
                + BatchLayout.aligned(heapByteCount)
        }
    }

    private var nodes: [Node] = []
    private let columnCount: Int
    let rowCount: Int
    /// Bytes of the message, a multiple of 64.
    let byteCount: Int

    init(_ batch: Batch) {
        rowCount = batch.rowCount
        columnCount = batch.columnCount
        nodes.reserveCapacity(columnCount)
        for index in 0..<columnCount {
            let vector = BatchWriter.chosenEncoding(batch.column(index), rows: rowCount)
            switch vector.encoding {
            case .flat: nodes.append(BatchWriter.measure(vector, count: rowCount))
            case .constant: nodes.append(BatchWriter.measure(vector, count: 1))
            case .dictionary:
                nodes.append(
                    Node(vector: vector, count: rowCount, heapByteCount: 0, hasValidity: vector.validity != nil))
                let entries = vector.dictionary.unsafelyUnwrapped
                nodes.append(BatchWriter.measure(entries, count: entries.count))
            }
        }
        var total = BatchLayout.aligned(
            BatchLayout.headByteCount + nodes.count * BatchLayout.descriptorByteCount)
        for node in nodes { total += node.byteCount }
        byteCount = total
    }

    /// A dictionary travels only when that is shorter than the values: when it has fewer entries than half the rows.
    private static func chosenEncoding(_ vector: Vector, rows: Int) -> Vector {
        guard vector.encoding == .dictionary, let entries = vector.dictionary else { return vector }
        if entries.count > 0, entries.count <= rows / 2, entries.encoding == .flat { return vector }
        return vector.flattened()
    }

    private static func measure(_ vector: Vector, count: Int) -> Node {
        let heap = vector.physical == .view ? heapByteCount(vector, count: count) : 0
        return Node(vector: vector, count: count, heapByteCount: heap, hasValidity: vector.validity != nil)
    }

    /// Bytes of the long values; equal neighbours share theirs. Values may begin at the same place and differ in length.
    private static func heapByteCount(_ vector: Vector, count: Int) -> Int {
        let views = vector.views
        var total = 0
        var last = StringView()
        var row = 0
        if let validity = vector.validity {
            while row < count {
                let view = views[row]
                if Validity.isValid(validity, row), !view.isInline, view.tail != last.tail || view.count != last.count {
                    total &+= view.count
                    last = view
                }
                row &+= 1
            }
        } else {
            while row < count {
                let view = views[row]
                if !view.isInline, view.tail != last.tail || view.count != last.count {
                    total &+= view.count
                    last = view
                }
                row &+= 1
            }
        }
        return total
    }

    /// Writes the message; `base` is 64-byte aligned and has room for `byteCount`.
    func write(to base: UnsafeMutableRawPointer) throws(QueryError) {
        let headEnd = BatchLayout.headByteCount + nodes.count * BatchLayout.descriptorByteCount
        var offset = BatchLayout.aligned(headEnd)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: offset)
        base.storeBytes(of: UInt32(rowCount), as: UInt32.self)
        base.storeBytes(of: UInt32(columnCount), toByteOffset: 4, as: UInt32.self)
        base.storeBytes(of: UInt64(byteCount), toByteOffset: 8, as: UInt64.self)
        base.storeBytes(of: UInt32(nodes.count), toByteOffset: 16, as: UInt32.self)
        var descriptor = base + BatchLayout.headByteCount
        for node in nodes {
            try TypeTag(node.vector.type).write(to: descriptor)
            descriptor.storeBytes(of: node.vector.encoding.rawValue, toByteOffset: 8, as: UInt8.self)
            descriptor.storeBytes(of: node.hasValidity ? 1 : 0, toByteOffset: 9, as: UInt8.self)
            descriptor.storeBytes(of: UInt32(node.count), toByteOffset: 12, as: UInt32.self)
            descriptor.storeBytes(of: UInt64(node.dataByteCount), toByteOffset: 16, as: UInt64.self)
            descriptor.storeBytes(of: UInt64(node.heapByteCount), toByteOffset: 24, as: UInt64.self)
            descriptor += BatchLayout.descriptorByteCount
            write(node, at: base, &offset)
        }
    }

    private func write(_ node: Node, at base: UnsafeMutableRawPointer, _ offset: inout Int) {
        let vector = node.vector
        if node.hasValidity, let validity = vector.validity {
            let words = Validity.wordCount(node.count)
            (base + offset).copyMemory(from: validity, byteCount: words * 8)
            if node.count & 63 != 0 {
                let last = (base + offset).assumingMemoryBound(to: UInt64.self) + (words - 1)
                last.pointee &= (1 &<< UInt64(node.count & 63)) &- 1
            }
            BatchWriter.pad(base, &offset, words * 8)
        }
        let data = base + offset
        BatchWriter.pad(base, &offset, node.dataByteCount)
        if vector.encoding == .dictionary {
            writeCodes(node, to: data.assumingMemoryBound(to: UInt32.self))
        } else if vector.physical == .view {
            writeViews(node, to: data.assumingMemoryBound(to: StringView.self), heap: base + offset)
            BatchWriter.pad(base, &offset, node.heapByteCount)
        } else {
            data.copyMemory(from: vector.data, byteCount: node.dataByteCount)
        }
    }

    /// Zeroes the rest of a buffer's last 64 bytes and goes past it.
    private static func pad(_ base: UnsafeMutableRawPointer, _ offset: inout Int, _ count: Int) {
        let end = offset + BatchLayout.aligned(count)
        (base + offset + count).initializeMemory(as: UInt8.self, repeating: 0, count: end - offset - count)
        offset = end
    }

    /// Codes of null rows may be anything in memory; they travel as 0.
    private func writeCodes(_ node: Node, to target: UnsafeMutablePointer<UInt32>) {
        let codes = node.vector.codes
        guard let validity = node.vector.validity else {
            target.update(from: codes, count: node.count)
            return
        }
        var row = 0
        while row < node.count {
            target[row] = Validity.isValid(validity, row) ? codes[row] : 0
            row &+= 1
        }
    }

    private func writeViews(_ node: Node, to target: UnsafeMutablePointer<StringView>, heap: UnsafeMutableRawPointer) {
        let views = node.vector.views
        let validity = node.vector.validity
        var used = 0
        var last = StringView()
        var lastOffset = 0
        var row = 0
        while row < node.count {
            let view = views[row]
            if let validity, !Validity.isValid(validity, row) {
                target[row] = StringView()
            } else if view.isInline {
                target[row] = view
            } else {
                if view.tail != last.tail || view.count != last.count {
                    (heap + used).copyMemory(from: view.pointer, byteCount: view.count)
                    last = view
                    lastOffset = used
                    used &+= view.count
                }
                target[row] = StringView(head: view.head, tail: UInt64(lastOffset))
            }
            row &+= 1
        }
    }
}
