// Casts to and from bit strings: other lengths, and integers as their two's complement.

import Columnar
import Diagnostics
import QueryPlan

extension FlatCast {
    func bitString() throws -> Vector {
        switch (source.type, target) {
        case (.bit, .int32), (.varbit, .int32): return try integers(Int32.self)
        case (.bit, .int64), (.varbit, .int64): return try integers(Int64.self)
        case (.int32, .bit(let length)): return try digits(Int32.self, length ?? 32)
        case (.int64, .bit(let length)): return try digits(Int64.self, length ?? 64)
        default: return try resized()
        }
    }

    /// Bits of another length: an explicit cast cuts or fills with zeros, an assignment insists on the length.
    private func resized() throws -> Vector {
        guard target.catalogModifier >= 0 else { return source.retyped(target) }
        let length = Int(target.catalogModifier)
        let fills: Bool = if case .bit = target { true } else { false }
        let column = ViewColumn(source)
        return try Kernel.text([source], target, count) { row, output in
            let bytes = column.bytes(row)
            if kind == .assignment { try BitText.check(bytes.count, target) }
            output.append(contentsOf: bytes.prefix(length))
            if fills, output.count < length {
                output.append(contentsOf: repeatElement(0x30, count: length - output.count))
            }
            return true
        }
    }

    private func integers<T: FixedWidthInteger & SignedInteger>(_: T.Type) throws -> Vector {
        let column = ViewColumn(source)
        return try DateTimeFunctions.rows([source], target, count) { row -> T in
            let bytes = column.bytes(row)
            if bytes.count > T.bitWidth { throw Casting.outOfRange(target) }
            var value: T = 0
            for byte in bytes { value = value << 1 | T(byte & 1) }
            return value
        }
    }

    /// The lowest bits of integers, with the sign in front where there are not enough.
    private func digits<T: FixedWidthInteger & SignedInteger>(_: T.Type, _ length: Int) throws -> Vector {
        let values = ValueColumn<T>(source)
        return try Kernel.text([source], target, count) { row, output in
            let value = values[row]
            for place in stride(from: length - 1, through: 0, by: -1) {
                output.append(0x30 | UInt8(truncatingIfNeeded: (value >> T(min(place, T.bitWidth - 1))) & 1))
            }
            return true
        }
    }
}
