// Text of records: (1,"a b",).

import Diagnostics

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
            // A comma or a parenthesis.
            QuotedPiece.append(piece, isDelimiter: { $0 == 0x2C || $0 == 0x28 || $0 == 0x29 }, into: &text)
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

    // MARK: Input

    /// Reads a record of given fields. Errors: 22P02 and those of the fields' types.
    package static func parse(
        _ source: UnsafeBufferPointer<UInt8>, fields: [Field], settings: TextSettings
    ) throws -> [UInt8] {
        func malformed(_ detail: String) -> QueryError {
            QueryError(
                .invalidTextRepresentation, "malformed record literal: \"\(String(decoding: source, as: UTF8.self))\"",
                detail: detail)
        }
        let text = NumericText.trimmed(source)
        guard text.first == 0x28 else { throw malformed("Missing left parenthesis.") }
        var at = 1
        var values: [ScalarValue] = []
        for (index, field) in fields.enumerated() {
            if index > 0 {
                guard at < text.count, text[at] == 0x2C else { throw malformed("Too few columns.") }
                at += 1
            }
            guard at < text.count else { throw malformed("Unexpected end of input.") }
            if text[at] == 0x2C || text[at] == 0x29 {
                values.append(.null)
                continue
            }
            // An opening parenthesis is part of a field.
            guard let piece = QuotedPiece.read(text, at: &at, isDelimiter: { $0 == 0x2C || $0 == 0x29 }) else {
                throw malformed("Unexpected end of input.")
            }
            values.append(
                try piece.withUnsafeBufferPointer { try TextFormat.parse($0, as: field.type, settings: settings) })
        }
        guard at < text.count else { throw malformed("Unexpected end of input.") }
        guard text[at] == 0x29 else { throw malformed("Too many columns.") }
        guard at + 1 == text.count else { throw malformed("Junk after right parenthesis.") }
        return RecordBlob.encode(values, fields)
    }
}
