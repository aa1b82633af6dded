// Text of records: (1,"a b",).

package enum RecordText {
    /// Appends the text of the record in a row that is not null.
    package static func append(
        _ records: Vector, row: Int, fields: [Field], settings: TextSettings, into text: inout [UInt8]
    ) {
        let view = records.views + row
        let bytes = StringView.bytes(at: view)
        text.append(0x28)
        var piece: [UInt8] = []
        for (index, field) in fields.enumerated() {
            if index > 0 { text.append(0x2C) }
            guard let value = RecordBlob.field(index, of: bytes, byteCount: view.pointee.count) else { continue }
            piece.removeAll(keepingCapacity: true)
            TextFormat.append(vector(of: value, field.type), row: 0, settings: settings, into: &piece)
            guard needsQuotes(piece) else {
                text.append(contentsOf: piece)
                continue
            }
            text.append(0x22)
            for byte in piece {
                if byte == 0x22 || byte == 0x5C { text.append(byte) }
                text.append(byte)
            }
            text.append(0x22)
        }
        text.append(0x29)
    }

    /// The bytes of a field as a vector of one row.
    private static func vector(of value: UnsafeBufferPointer<UInt8>, _ type: DataType) -> Vector {
        let vector = Vector(flat: type, capacity: 1)
        vector.count = 1
        guard vector.physical != .view else {
            let heap = StringHeap(chunkByteCount: 256)
            vector.views[0] = value.baseAddress.map { heap.copy($0, count: value.count) } ?? StringView()
            vector.pinned = heap.buffers
            return vector
        }
        if let base = value.baseAddress { vector.data.copyMemory(from: base, byteCount: value.count) }
        return vector
    }

    private static func needsQuotes(_ piece: [UInt8]) -> Bool {
        piece.isEmpty
            || piece.contains { byte in
                byte == 0x22 || byte == 0x5C || byte == 0x28 || byte == 0x29 || byte == 0x2C
                    || NumericText.isSpace(byte)
            }
    }
}
