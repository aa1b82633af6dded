// Arrays as bytes, carried by views.

/// Layout, little endian: u32 element count; u32 flags (bit 0: has nulls; bit 1: has dimensions); with dimensions, which are
/// left out where there is one with subscripts from 1, their u32 number and length and lower bound of each; with nulls, a bitmap of (count + 7) / 8 bytes,
/// 1 = not null; then the elements: fixed-width values, or for views count + 1 u32 offsets and the bytes behind them.
/// Null elements are zeros or empty, so that equal arrays have equal bytes.
package enum ArrayBlob {
    package static func encode(_ elements: [ScalarValue], elementType: DataType) -> [UInt8] {
        let builder = VectorBuilder(type: elementType, capacity: max(1, elements.count))
        for element in elements { builder.append(element) }
        return encode(builder.finish())
    }

    /// All rows of a vector as one array.
    package static func encode(_ source: Vector) -> [UInt8] { encode(source, shape: ArrayShape(count: source.count)) }

    package static func encode(_ elements: [ScalarValue], elementType: DataType, shape: ArrayShape) -> [UInt8] {
        let builder = VectorBuilder(type: elementType, capacity: max(1, elements.count))
        for element in elements { builder.append(element) }
        return encode(builder.finish(), shape: shape)
    }

    /// The rows of a vector in the order of the shape's elements, of which there are as many.
    package static func encode(_ source: Vector, shape: ArrayShape) -> [UInt8] {
        let vector = source.flattened()
        let count = vector.count
        var bytes: [UInt8] = []
        func append32(_ value: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: value)) { bytes.append(contentsOf: $0) }
        }
        var hasNulls = false
        if vector.validity != nil {
            for row in 0..<count where vector.isNull(row) { hasNulls = true }
        }
        append32(count)
        append32((hasNulls ? 1 : 0) | (shape.isPlain ? 0 : 2))
        if !shape.isPlain {
            append32(shape.dimensions.count)
            for dimension in shape.dimensions {
                append32(dimension.length)
                append32(dimension.lower)
            }
        }
        if hasNulls {
            var bitmap = [UInt8](repeating: 0, count: (count + 7) / 8)
            for row in 0..<count where !vector.isNull(row) { bitmap[row / 8] |= 1 << UInt8(row % 8) }
            bytes.append(contentsOf: bitmap)
        }
        if vector.physical == .view {
            var offset = 0
            for row in 0..<count {
                append32(offset)
                if !vector.isNull(row) { offset += vector.views[row].count }
            }
            append32(offset)
            for row in 0..<count where !vector.isNull(row) {
                bytes.append(
                    contentsOf: UnsafeBufferPointer(
                        start: StringView.bytes(at: vector.views + row), count: vector.views[row].count))
            }
        } else {
            let width = vector.physical.width
            for row in 0..<count {
                if vector.isNull(row) {
                    bytes.append(contentsOf: repeatElement(0, count: width))
                } else {
                    bytes.append(contentsOf: UnsafeRawBufferPointer(start: vector.data + row * width, count: width))
                }
            }
        }
        return bytes
    }

    /// Number of elements of the array at `bytes`.
    package static func count(_ bytes: UnsafePointer<UInt8>, byteCount: Int) -> Int {
        byteCount < 8 ? 0 : Int(UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self))
    }

    package static func shape(_ bytes: UnsafePointer<UInt8>, byteCount: Int) -> ArrayShape {
        let raw = UnsafeRawPointer(bytes)
        let count = count(bytes, byteCount: byteCount)
        guard count > 0, raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self) & 2 != 0 else {
            return ArrayShape(count: count)
        }
        return ArrayShape(
            (0..<Int(raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self))).map { index in
                ArrayShape.Dimension(
                    length: Int(raw.loadUnaligned(fromByteOffset: 12 + index * 8, as: UInt32.self)),
                    lower: Int(raw.loadUnaligned(fromByteOffset: 16 + index * 8, as: Int32.self)))
            })
    }

    package static func shape(_ view: UnsafePointer<StringView>) -> ArrayShape {
        shape(StringView.bytes(at: view), byteCount: view.pointee.count)
    }

    /// The elements as a flat vector that owns its memory.
    package static func decode(_ bytes: UnsafePointer<UInt8>, byteCount: Int, elementType: DataType) -> Vector {
        let raw = UnsafeRawPointer(bytes)
        let count = count(bytes, byteCount: byteCount)
        let vector = Vector(flat: elementType, capacity: count)
        guard count > 0 else { return vector }
        var at = 8
        let flags = raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        if flags & 2 != 0 { at += 4 + Int(raw.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) * 8 }
        if flags & 1 != 0 {
            let words = vector.ensureValidity()
            for row in 0..<count where bytes[at + row / 8] >> UInt8(row % 8) & 1 == 0 { Validity.setNull(words, row) }
            at += (count + 7) / 8
        }
        if vector.physical == .view {
            let heap = StringHeap(chunkByteCount: 256)
            let base = at + (count + 1) * 4
            for row in 0..<count {
                let from = Int(raw.loadUnaligned(fromByteOffset: at + row * 4, as: UInt32.self))
                let to = Int(raw.loadUnaligned(fromByteOffset: at + row * 4 + 4, as: UInt32.self))
                vector.views[row] = heap.copy(bytes + base + from, count: to - from)
            }
            vector.pinned = heap.buffers
        } else {
            vector.data.copyMemory(from: raw + at, byteCount: count * vector.physical.width)
        }
        return vector
    }

    package static func elements(_ bytes: [UInt8], elementType: DataType) -> [ScalarValue] {
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return [] }
            let vector = decode(base, byteCount: buffer.count, elementType: elementType)
            return (0..<vector.count).map { vector.value(at: $0) }
        }
    }
}
