// Rows as values: the fields of a record as bytes, carried by views.

/// Layout, little endian: u32 field count; a bitmap of (count + 7) / 8 bytes, 1 = not null; count + 1 u32 offsets; then the
/// fields' values, fixed-width ones as they lie in memory and views as their bytes. Null fields are empty, so that equal
/// records have equal bytes.
package enum RecordBlob {
    /// Row `row` of the fields' flat vectors.
    package static func append(_ fields: [Vector], row: Int, into bytes: inout [UInt8]) {
        func append32(_ value: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian) { bytes.append(contentsOf: $0) }
        }
        append32(fields.count)
        var bitmap = [UInt8](repeating: 0, count: (fields.count + 7) / 8)
        for (index, field) in fields.enumerated() where !field.isNull(row) {
            bitmap[index / 8] |= 1 << UInt8(index % 8)
        }
        bytes.append(contentsOf: bitmap)
        var offset = 0
        append32(0)
        for field in fields {
            if !field.isNull(row) {
                offset += field.physical == .view ? field.views[row].count : field.physical.width
            }
            append32(offset)
        }
        for field in fields where !field.isNull(row) {
            if field.physical == .view {
                bytes.append(
                    contentsOf: UnsafeBufferPointer(
                        start: StringView.bytes(at: field.views + row), count: field.views[row].count))
            } else {
                let width = field.physical.width
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: field.data + row * width, count: width))
            }
        }
    }

    /// The record of given values.
    package static func encode(_ values: [ScalarValue], _ fields: [Field]) -> [UInt8] {
        let vectors = zip(values, fields).map { Vector.constant($0, type: $1.type, count: 1).flattened() }
        var bytes: [UInt8] = []
        append(vectors, row: 0, into: &bytes)
        return bytes
    }

    /// The values of a record's fields.
    package static func values(_ bytes: [UInt8], _ fields: [Field]) -> [ScalarValue] {
        let type = DataType.record(fields)
        let record = Vector.constant(.bytes(bytes), type: type, count: 1).flattened()
        return fields.indices.map { RecordBlob.fields($0, of: record, type: fields[$0].type).value(at: 0) }
    }

    /// Number of fields of the record at `bytes`.
    package static func count(_ bytes: UnsafePointer<UInt8>, byteCount: Int) -> Int {
        byteCount < 4 ? 0 : Int(UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self))
    }

    /// Whether a field is null, and where its bytes lie; `nil` for a field that the record does not have.
    package static func field(_ index: Int, of bytes: UnsafePointer<UInt8>, byteCount: Int) -> UnsafeBufferPointer<
        UInt8
    >? {
        let count = count(bytes, byteCount: byteCount)
        guard index < count, bytes[4 + index / 8] >> UInt8(index % 8) & 1 != 0 else { return nil }
        let offsets = UnsafeRawPointer(bytes) + 4 + (count + 7) / 8
        let base = 4 + (count + 7) / 8 + (count + 1) * 4
        let from = Int(offsets.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
        let to = Int(offsets.loadUnaligned(fromByteOffset: index * 4 + 4, as: UInt32.self))
        return UnsafeBufferPointer(start: bytes + base + from, count: to - from)
    }

    /// One field of every row of a flat vector of records, as a flat vector of the field's type. Null records have null
    /// fields.
    package static func fields(_ index: Int, of records: Vector, type: DataType) -> Vector {
        let count = records.count
        let result = Vector(flat: type, capacity: count)
        result.count = count
        let heap = StringHeap(chunkByteCount: 4096)
        for row in 0..<count {
            let view = records.views + row
            guard !records.isNull(row),
                let value = field(index, of: StringView.bytes(at: view), byteCount: view.pointee.count)
            else {
                Validity.setNull(result.ensureValidity(), row)
                if result.physical == .view {
                    result.views[row] = StringView()
                } else {
                    (result.data + row * result.physical.width).initializeMemory(
                        as: UInt8.self, repeating: 0, count: result.physical.width)
                }
                continue
            }
            guard let base = value.baseAddress else {
                if result.physical == .view { result.views[row] = StringView() }
                continue
            }
            if result.physical == .view {
                result.views[row] = heap.copy(base, count: value.count)
            } else {
                (result.data + row * result.physical.width).copyMemory(from: base, byteCount: value.count)
            }
        }
        if result.physical == .view { result.pinned = heap.buffers }
        return result
    }
}
