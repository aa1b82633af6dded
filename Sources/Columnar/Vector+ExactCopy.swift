// Copies of vectors for keeping: in memory of just their size, apart from everything that the original shares.

/// Memory of just the size that is needed; buffers come in blocks of up to twice of that.
private final class ExactBytes {
    let base: UnsafeMutableRawPointer
    init(byteCount: Int) { base = .allocate(byteCount: byteCount + Buffer.padding, alignment: 64) }
    deinit { base.deallocate() }
}

extension Vector {
    private var rowsInData: Int { encoding == .constant ? 1 : count }
    private var widthInData: Int { encoding == .dictionary ? 4 : physical.width }
    private var validityByteCount: Int { validity == nil ? 0 : (rowsInData + 63) / 64 * 8 }

    /// Bytes of the strings that do not lie inside their views.
    private var longByteCount: Int {
        guard physical == .view, encoding != .dictionary else { return 0 }
        var total = 0
        for row in 0..<rowsInData where !views[row].isInline { total += views[row].count }
        return total
    }

    /// Bytes that a copy of the vector takes.
    package var exactByteCount: Int {
        rowsInData * widthInData + longByteCount + validityByteCount + (dictionary?.exactByteCount ?? 0)
    }

    /// The same values in the same encoding.
    package func exactCopy() -> Vector {
        let dataByteCount = rowsInData * widthInData
        let byteCount = dataByteCount + longByteCount
        let bytes = ExactBytes(byteCount: byteCount)
        bytes.base.copyMemory(from: data, byteCount: dataByteCount)
        if byteCount > dataByteCount {
            let views = bytes.base.assumingMemoryBound(to: StringView.self)
            var target = (bytes.base + dataByteCount).assumingMemoryBound(to: UInt8.self)
            for row in 0..<rowsInData where !views[row].isInline {
                let length = views[row].count
                UnsafeMutableRawPointer(target).copyMemory(from: views[row].pointer, byteCount: length)
                views[row].tail = UInt64(UInt(bitPattern: target))
                target += length
            }
        }
        var validityCopy: Buffer?
        if let validity {
            let owner = ExactBytes(byteCount: validityByteCount)
            owner.base.copyMemory(from: validity, byteCount: validityByteCount)
            validityCopy = Buffer(borrowing: owner.base, byteCount: validityByteCount, owner: owner)
        }
        return Vector(
            type: type, encoding: encoding, count: count, data: bytes.base,
            dataOwner: Buffer(borrowing: bytes.base, byteCount: byteCount, owner: bytes), validity: validityCopy,
            dictionary: dictionary?.exactCopy())
    }
}
