// Arrays in binary: number of dimensions, whether there are nulls, the elements' type, lengths and lower bounds, elements
// with their lengths in front.

import Columnar
import Diagnostics

extension PostgresType {
    private static let malformed = QueryError(SQLState("22P03"), "incorrect binary data format in bind parameter")

    /// Reads a parameter. The number of the elements' type has to be right: clients encode by it.
    static func array(_ binary: [UInt8], of element: DataType, encoding: ClientEncoding? = nil) throws -> [UInt8] {
        var at = 0
        func word() throws -> Int {
            guard binary.count - at >= 4 else { throw malformed }
            defer { at += 4 }
            return Int(Int32(truncatingIfNeeded: binary[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }))
        }
        let dimensionCount = try word()
        guard (0...ArrayShape.dimensionCountMax).contains(dimensionCount) else { throw malformed }
        _ = try word()
        let type = Int32(truncatingIfNeeded: try word())
        let own = PostgresType(element).oid
        // Texts of all kinds look the same.
        let texts: Set<Int32> = [18, 19, 25, 705, 1042, 1043]
        guard type == own || (texts.contains(type) && texts.contains(own)) || dimensionCount == 0 else {
            throw QueryError(
                .datatypeMismatch, "binary data has array element type \(type) instead of expected \(own)")
        }
        var dimensions: [ArrayShape.Dimension] = []
        for _ in 0..<dimensionCount {
            let length = try word()
            let lower = try word()
            guard length >= 0, length <= ArrayShape.elementCountMax else { throw malformed }
            dimensions.append(ArrayShape.Dimension(length: length, lower: lower))
        }
        // Every element takes four bytes at least, so no length makes more of them than there are bytes.
        let shape = try ArrayShape(dimensions).checked()
        guard shape.count <= (binary.count - at) / 4 else { throw malformed }
        var elements: [ScalarValue] = []
        elements.reserveCapacity(shape.count)
        for _ in 0..<shape.count {
            let count = try word()
            guard count >= 0 else {
                elements.append(.null)
                continue
            }
            guard binary.count - at >= count else { throw malformed }
            elements.append(try value(binary: Array(binary[at..<(at + count)]), as: element, encoding: encoding))
            at += count
        }
        guard at == binary.count else { throw malformed }
        return ArrayBlob.encode(elements, elementType: element, shape: shape)
    }

    /// Appends the array of a blob. 22P05 for text that the client's encoding does not have; without one nothing is thrown.
    static func appendArray(
        _ blob: [UInt8], of element: DataType, encoding: ClientEncoding?, into bytes: inout [UInt8]
    ) throws {
        func put(_ value: Int, into bytes: inout [UInt8]) {
            withUnsafeBytes(of: Int32(truncatingIfNeeded: value).bigEndian) { bytes.append(contentsOf: $0) }
        }
        try blob.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let shape = ArrayBlob.shape(base, byteCount: buffer.count)
            let elements = ArrayBlob.decode(base, byteCount: buffer.count, elementType: element)
            put(shape.dimensions.count, into: &bytes)
            put((0..<elements.count).contains { elements.isNull($0) } ? 1 : 0, into: &bytes)
            put(Int(PostgresType(element).oid), into: &bytes)
            for dimension in shape.dimensions {
                put(dimension.length, into: &bytes)
                put(dimension.lower, into: &bytes)
            }
            for row in 0..<elements.count {
                guard !elements.isNull(row) else {
                    put(-1, into: &bytes)
                    continue
                }
                let start = bytes.count
                put(0, into: &bytes)
                appendBinary(elements, row: row, into: &bytes)
                if let encoding, isText(element) {
                    let own = try encoding.encoded(bytes[(start + 4)...])
                    bytes.replaceSubrange((start + 4)..., with: own)
                }
                let length = Int32(truncatingIfNeeded: bytes.count - start - 4).bigEndian
                withUnsafeBytes(of: length) { bytes.replaceSubrange(start..<(start + 4), with: $0) }
            }
        }
    }
}
