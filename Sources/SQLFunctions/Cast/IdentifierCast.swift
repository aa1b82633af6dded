// Casts of the catalogue's own types: object identifiers, names and "char".

import Columnar
import Diagnostics

extension FlatCast {
    /// Among oid, regclass and its like, and integers.
    func objectIdentifier() throws -> Vector {
        let from = source.type
        if from.isObjectIdentifier {
            if target.isObjectIdentifier || target == .int64 { return source.retyped(target) }
            // The upper half becomes negative, as PostgreSQL shares the bits.
            if target == .int32 {
                return try map { (value: Int64, _) in
                    Int32(truncatingIfNeeded: value)
                } error: { _, _ in
                    Casting.outOfRange(.int32)
                }
            }
        }
        if target.isObjectIdentifier {
            switch from {
            case .int16:
                return try map { (value: Int16, _) in
                    Int64(value) & DataType.oidMax
                } error: { _, _ in
                    range
                }
            case .int32:
                return try map { (value: Int32, _) in
                    Int64(value) & DataType.oidMax
                } error: { _, _ in
                    range
                }
            case .int64:
                return try map { (value: Int64, failed: inout UInt8) in
                    failed |= value < 0 || value > DataType.oidMax ? 1 : 0
                    return value
                } error: { _, _ in
                    range
                }
            default: break
            }
        }
        throw QueryError(
            .cannotCoerce,
            "cannot cast type \(TypeConversion.displayName(from)) to \(TypeConversion.displayName(target))")
    }

    private var range: QueryError { QueryError(.numericValueOutOfRange, "OID out of range") }

    /// From and to `"char"`.
    func internalChar() throws -> Vector {
        if source.type == .internalChar {
            if target.isString { return source.retyped(target) }
            let result = Vector(flat: target, capacity: count)
            let output = result.values(Int32.self)
            let column = ViewColumn(source)
            for row in 0..<count {
                output[row] = Int32(column.bytes(row).first.map { Int8(bitPattern: $0) } ?? 0)
            }
            return result
        }
        let values = source.type == .int32 ? UnsafePointer(source.values(Int32.self)) : nil
        if values != nil {
            for row in 0..<count where !source.isNull(row) {
                let value = source.values(Int32.self)[row]
                if value < -128 || value > 127 {
                    throw QueryError(.numericValueOutOfRange, "\"char\" out of range")
                }
                // One byte beyond ASCII is no text in UTF-8.
                if value < 0 { throw QueryError.notSupported("a \"char\" beyond ASCII") }
            }
        }
        return try Kernel.text([source], target, count) { row, text in
            if let values {
                if values[row] != 0 { text.append(UInt8(truncatingIfNeeded: values[row])) }
            } else {
                let view = source.views + row
                if view.pointee.count > 0 { text.append(StringView.bytes(at: view)[0]) }
            }
            return true
        }
    }

    /// Text cut to the length of a name.
    func name() throws -> Vector {
        let views = source.views
        var isShort = true
        for row in 0..<count where !source.isNull(row) && views[row].count > DataType.nameByteCountMax {
            isShort = false
        }
        if isShort { return source.retyped(target) }
        return try Kernel.text([source], target, count) { row, text in
            let view = views + row
            text.append(
                contentsOf: ObjectNameText.name(
                    UnsafeBufferPointer(start: StringView.bytes(at: view), count: view.pointee.count)))
            return true
        }
    }
}
