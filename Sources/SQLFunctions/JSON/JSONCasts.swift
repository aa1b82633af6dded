// Casts between jsonb, json and other types; texts are read and shown by `TextFormat`.

import Columnar
import Diagnostics

extension FlatCast {
    /// json to jsonb and back.
    func betweenJSON() throws -> Vector {
        if target == .json { return JSONText.shown(source) }
        let column = ViewColumn(source)
        let result = Vector(flat: .jsonb, capacity: count)
        let heap = StringHeap(chunkByteCount: 16 << 10)
        for row in 0..<count {
            result.views[row] = StringView()
            if source.isNull(row) { continue }
            do {
                result.views[row] = heap.copy(try JSONText.blob(column.bytes(row)))
            } catch {
                if kind != .lenient { throw error }
                Validity.setNull(result.ensureValidity(), row)
            }
        }
        result.pinned = heap.buffers
        return result
    }

    /// jsonb to booleans and numbers. Errors: 22023 for values of other kinds, 22003 out of range.
    func fromJSON() throws -> Vector {
        let column = ViewColumn(source)
        let builder = VectorBuilder(type: target, capacity: count)
        for row in 0..<count {
            if source.isNull(row) {
                builder.appendNull()
                continue
            }
            do {
                builder.append(try scalar(JSONNode(at: column.view(row))))
            } catch {
                if kind != .lenient { throw error }
                builder.appendNull()
            }
        }
        return builder.finish()
    }

    private func scalar(_ node: JSONNode) throws -> ScalarValue {
        if target == .boolean, node.isBoolean { return .boolean(node.kind == .true) }
        guard target != .boolean, node.isNumber else {
            let kind = node.isNumber ? "numeric" : node.typeName
            throw QueryError(
                .invalidParameterValue, "cannot cast jsonb \(kind) to type \(TypeConversion.displayName(target))")
        }
        if target.isInteger {
            guard let value = node.number.roundedInteger, fits(value) else {
                throw QueryError(
                    .numericValueOutOfRange, "\(TypeConversion.displayName(target)) out of range")
            }
            return .integer(value)
        }
        return try TextFormat.parse(node.number.text, as: target)
    }

    private func fits(_ value: Int64) -> Bool {
        switch target {
        case .int8: Int8(exactly: value) != nil
        case .int16: Int16(exactly: value) != nil
        case .int32: Int32(exactly: value) != nil
        default: true
        }
    }
}
