// Arithmetic and bit operators of integers.

import Columnar
import Diagnostics
import QueryPlan

enum IntegerArithmetic {
    static func register(in registry: FunctionRegistry) {
        register(.int16, Int16.self, Int32.self, in: registry)
        register(.int32, Int32.self, Int64.self, in: registry)
        register(.int64, Int64.self, Int128.self, in: registry)
    }

    static func outOfRange(_ type: DataType) -> QueryError {
        QueryError(.numericValueOutOfRange, "\(type.sqlName) out of range")
    }

    private static func documentation(_ text: String, _ example: String? = nil, _ result: String? = nil)
        -> FunctionDocumentation
    {
        FunctionDocumentation("Arithmetic", text, example: example, result: result)
    }

    /// Errors of an operation: bit 1 is overflow, bit 2 a zero divisor.
    private static func failure(_ type: DataType) -> (UInt8) -> QueryError {
        { $0 & 2 != 0 ? QueryError(.divisionByZero, "division by zero") : outOfRange(type) }
    }

    @inline(__always)
    private static func register<T: FixedWidthInteger & SignedInteger, Wide: FixedWidthInteger & SignedInteger>(
        _ type: DataType, _: T.Type, _: Wide.Type, in registry: FunctionRegistry
    ) where T: Sendable, Wide: Sendable {
        let pair: [ParameterType] = [.exact(type), .exact(type)]
        registry.scalar("+", pair, type, canFail: true, documentation("Sum.", "2 + 3", "5")) {
            arguments, type, count, _ in
            try signChecked(arguments, type, count) { (x: T, y: T, r: inout T) in
                r = x &+ y
                return (x ^ r) & (y ^ r)
            }
        }
        registry.scalar("-", pair, type, canFail: true, documentation("Difference.", "2 - 3", "-1")) {
            arguments, type, count, _ in
            try signChecked(arguments, type, count) { (x: T, y: T, r: inout T) in
                r = x &- y
                return (x ^ y) & (x ^ r)
            }
        }
        registry.scalar("*", pair, type, canFail: true, documentation("Product.", "2 * 3", "6")) {
            arguments, type, count, _ in
            try signChecked(arguments, type, count) { (x: T, y: T, r: inout T) in
                let product = Wide(truncatingIfNeeded: x) &* Wide(truncatingIfNeeded: y)
                r = T(truncatingIfNeeded: product)
                return Wide(truncatingIfNeeded: r) == product ? 0 : T.min
            }
        }
        for name in ["/", "div"] {
            registry.scalar(
                name, pair, type, canFail: true,
                // The least number divided by -1 has no place in its type.
                canFailForLiterals: { [nil, .null, .integer(0), .integer(-1)].contains($0[1]) },
                documentation("Quotient, cut towards zero.", name == "/" ? "7 / 2" : nil, name == "/" ? "3" : nil)
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                    (x: T, y: T, failed: inout UInt8) -> T in
                    let isZero = y == 0
                    let overflows = x == T.min && y == -1
                    failed |= flag(isZero) &<< 1 | flag(overflows)
                    return x / (isZero || overflows ? 1 : y)
                } error: {
                    failure(type)($0)
                }
            }
        }
        for name in ["%", "mod"] {
            registry.scalar(
                name, pair, type, canFail: true,
                canFailForLiterals: { [nil, .null, .integer(0)].contains($0[1]) },
                documentation("Remainder, with the sign of the dividend.", name == "%" ? "7 % 2" : "mod(7, 2)", "1")
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                    (x: T, y: T, failed: inout UInt8) -> T in
                    failed |= flag(y == 0) &<< 1
                    return x % (y == 0 || y == -1 ? 1 : y)
                } error: {
                    failure(type)($0)
                }
            }
        }
        registry.scalar("-", [.exact(type)], type, canFail: true, documentation("Negation.", "- 5", "-5")) {
            arguments, type, count, _ in
            try Kernel.checkedUnary(arguments, type, count) { (x: T, failed: inout UInt8) -> T in
                failed |= flag(x == T.min)
                return 0 &- x
            } error: {
                failure(type)($0)
            }
        }
        registry.scalar("+", [.exact(type)], type, documentation("The operand itself.", "+ 5", "5")) {
            arguments, _, _, _ in
            arguments[0]
        }
        registerBits(type, T.self, in: registry)
    }

    /// Operations whose overflow shows in the sign of a value: `op` writes the result and returns that value.
    @inline(__always)
    private static func signChecked<T: FixedWidthInteger & SignedInteger>(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ op: (T, T, inout T) -> T
    ) throws -> Vector {
        let a = arguments[0]
        let b = arguments[1]
        let result = Vector(flat: type, capacity: count)
        let target = result.values(T.self)
        let x = UnsafePointer(a.values(T.self))
        let y = UnsafePointer(b.values(T.self))
        var signs: T = 0
        var row = 0
        switch (a.encoding == .constant, b.encoding == .constant) {
        case (false, false):
            while row < count {
                signs |= op(x[row], y[row], &target[row])
                row &+= 1
            }
        case (false, true):
            let constant = y[0]
            while row < count {
                signs |= op(x[row], constant, &target[row])
                row &+= 1
            }
        case (true, false):
            let constant = x[0]
            while row < count {
                signs |= op(constant, y[row], &target[row])
                row &+= 1
            }
        case (true, true):
            var value: T = 0
            signs = op(x[0], y[0], &value)
            target.update(repeating: value, count: count)
        }
        if signs < 0 {
            for row in 0..<count where !a.isNull(row) && !b.isNull(row) {
                var value: T = 0
                let sign = op(x[a.encoding == .constant ? 0 : row], y[b.encoding == .constant ? 0 : row], &value)
                if sign < 0 { throw outOfRange(type) }
            }
        }
        return result
    }

    @inline(__always)
    private static func registerBits<T: FixedWidthInteger & SignedInteger & Sendable>(
        _ type: DataType, _: T.Type, in registry: FunctionRegistry
    ) {
        let pair: [ParameterType] = [.exact(type), .exact(type)]
        func bits(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
            FunctionDocumentation("Bits", text, example: example, result: result)
        }
        registry.scalar("&", pair, type, bits("Bitwise AND.", "91 & 15", "11")) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (x: T, y: T) in x & y }
        }
        registry.scalar("|", pair, type, bits("Bitwise OR.", "32 | 3", "35")) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (x: T, y: T) in x | y }
        }
        registry.scalar("#", pair, type, bits("Bitwise exclusive OR.", "17 # 5", "20")) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (x: T, y: T) in x ^ y }
        }
        registry.scalar("~", [.exact(type)], type, bits("Bitwise NOT.", "~ 1", "-2")) { arguments, type, count, _ in
            Kernel.unary(arguments, type, count) { (x: T) in ~x }
        }
        registry.scalar("<<", [.exact(type), .int32], type, bits("Bitwise shift left.", "1 << 4", "16")) {
            arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (x: T, y: Int32) in x &<< T(truncatingIfNeeded: y)
            }
        }
        registry.scalar(">>", [.exact(type), .int32], type, bits("Bitwise shift right.", "8 >> 2", "2")) {
            arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (x: T, y: Int32) in x &>> T(truncatingIfNeeded: y)
            }
        }
    }
}
