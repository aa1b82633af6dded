// + - * % and sign of decimals, whose scale belongs to their types. Quotients are numerics of any size.

import Columnar
import Diagnostics
import QueryPlan

enum DecimalArithmetic {
    private static func documentation(_ text: String, _ example: String, _ result: String) -> FunctionDocumentation {
        FunctionDocumentation("Arithmetic", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        let pair: [ParameterType] = [.anyDecimal, .anyDecimal]
        registry.scalar(
            "+", pair, typed: { DecimalTyping.sum($0[0], $0[1]) }, canFail: true,
            canFailForTypes: { DecimalTyping.sumMayOverflow($0[0], $0[1]) }, documentation("Sum.", "1.5 + 2.25", "3.75")
        ) { arguments, type, count, _ in try add(arguments[0], arguments[1], type, count, subtracts: false) }
        registry.scalar(
            "-", pair, typed: { DecimalTyping.sum($0[0], $0[1]) }, canFail: true,
            canFailForTypes: { DecimalTyping.sumMayOverflow($0[0], $0[1]) },
            documentation("Difference.", "1.5 - 2.25", "-0.75")
        ) { arguments, type, count, _ in try add(arguments[0], arguments[1], type, count, subtracts: true) }
        registry.scalar(
            "*", pair, typed: { DecimalTyping.product($0[0], $0[1]) }, canFail: true,
            canFailForTypes: { DecimalTyping.productMayOverflow($0[0], $0[1]) },
            documentation("Product.", "1.5 * 2.25", "3.375")
        ) { arguments, type, count, _ in try multiply(arguments[0], arguments[1], type, count) }
        for name in ["%", "mod"] {
            registry.scalar(
                name, pair, typed: { DecimalTyping.remainder($0[0], $0[1]) }, canFail: true,
                documentation(
                    "Remainder, with the sign of the dividend.", name == "%" ? "7.5 % 2" : "mod(7.5, 2)", "1.5")
            ) { arguments, type, count, _ in try remainder(arguments[0], arguments[1], type, count) }
        }
        registry.scalar("-", [.anyDecimal], typed: { $0[0] }, documentation("Negation.", "- 1.5", "-1.5")) {
            arguments, type, count, _ in
            arguments[0].physical == .int64
                ? Kernel.unary(arguments, type, count) { (x: Int64) in 0 &- x }
                : Kernel.unary(arguments, type, count) { (x: Int128) in 0 &- x }
        }
        registry.scalar("+", [.anyDecimal], typed: { $0[0] }, documentation("The operand itself.", "+ 1.5", "1.5")) {
            arguments, _, _, _ in arguments[0]
        }
    }

    private static func overflow(_ type: DataType) -> QueryError {
        QueryError(.numericValueOutOfRange, "value out of range for type \(type.sqlName)")
    }

    // MARK: Sums

    private static func add(
        _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int, subtracts: Bool
    ) throws -> Vector {
        if type.isNumericBlob {
            return try NumericArithmetic.evaluate(subtracts ? .difference : .sum, a, b, type, count)
        }
        var x = a.type.scale == type.scale ? a : DecimalVector.scaledUp(a, to: type.scale)
        var y = b.type.scale == type.scale ? b : DecimalVector.scaledUp(b, to: type.scale)
        if type.physical == .int64 && x.physical == .int64 && y.physical == .int64 {
            return subtracts
                ? Kernel.binary(x, y, type, count) { (p: Int64, q: Int64) in p &- q }
                : Kernel.binary(x, y, type, count) { (p: Int64, q: Int64) in p &+ q }
        }
        if type.physical == .int64 {
            // Wide operands with a narrow result come from plans that promise that values fit.
            x = DecimalVector.widened(x)
            y = DecimalVector.widened(y)
            return try Kernel.checkedBinary(x, y, type, count) { (p: Int128, q: Int128, failed: inout UInt8) -> Int64 in
                let sum = subtracts ? p &- q : p &+ q
                let narrow = Int64(truncatingIfNeeded: sum)
                failed |= flag(Int128(narrow) != sum)
                return narrow
            } error: { _ in
                overflow(type)
            }
        }
        switch (x.physical, y.physical) {
        case (.int64, .int64): return try addWide(x, y, type, count, subtracts, Int64.self, Int64.self)
        case (.int64, _): return try addWide(x, y, type, count, subtracts, Int64.self, Int128.self)
        case (_, .int64): return try addWide(x, y, type, count, subtracts, Int128.self, Int64.self)
        default: return try addWide(x, y, type, count, subtracts, Int128.self, Int128.self)
        }
    }

    @inline(__always)
    private static func addWide<A: FixedWidthInteger, B: FixedWidthInteger>(
        _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int, _ subtracts: Bool, _: A.Type, _: B.Type
    ) throws -> Vector {
        if case .decimal(let precision, _) = type, precision < DataType.decimalPrecisionMax {
            return subtracts
                ? Kernel.binary(a, b, type, count) { (p: A, q: B) in
                    Int128(truncatingIfNeeded: p) &- Int128(truncatingIfNeeded: q)
                }
                : Kernel.binary(a, b, type, count) { (p: A, q: B) in
                    Int128(truncatingIfNeeded: p) &+ Int128(truncatingIfNeeded: q)
                }
        }
        let bound = PowerOfTen.value(38)
        return try Kernel.checkedBinary(a, b, type, count) { (p: A, q: B, failed: inout UInt8) -> Int128 in
            let x = Int128(truncatingIfNeeded: p)
            let y = Int128(truncatingIfNeeded: q)
            let sum = subtracts ? x &- y : x &+ y
            // Operands are below 10^38: their sum cannot wrap around 2^127 and come back below the bound.
            failed |= flag(sum >= bound) | flag(sum <= 0 &- bound)
            return sum
        } error: { _ in
            overflow(type)
        }
    }

    // MARK: Products

    private static func multiply(_ a: Vector, _ b: Vector, _ type: DataType, _ count: Int) throws -> Vector {
        guard case .decimal(let precision, _) = type else {
            return try NumericArithmetic.evaluate(.product, a, b, type, count)
        }
        if type.physical == .int64 && a.physical == .int64 && b.physical == .int64 {
            return Kernel.binary(a, b, type, count) { (x: Int64, y: Int64) in x &* y }
        }
        switch (a.physical, b.physical) {
        case (.int64, .int64) where precision > 18:
            return Kernel.binary(a, b, type, count) { (x: Int64, y: Int64) in Int128(x) &* Int128(y) }
        case (.int128, .int64): return try multiplyWide(a, b, type, count)
        case (.int64, .int128): return try multiplyWide(b, a, type, count)
        default:
            return try multiplyChecked(DecimalVector.widened(a), DecimalVector.widened(b), type, count)
        }
    }

    /// Wide × narrow. As a rule the wide values fit 64 bits: then one multiplication of 64 by 64 bits is exact.
    private static func multiplyWide(_ a: Vector, _ b: Vector, _ type: DataType, _ count: Int) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(Int128.self)
        let x = UnsafePointer(a.values(Int128.self))
        let y = UnsafePointer(b.values(Int64.self))
        var excess: Int64 = 0
        var row = 0
        switch (a.encoding == .constant, b.encoding == .constant) {
        case (false, false):
            while row < count {
                let value = x[row]
                let low = Int64(truncatingIfNeeded: value)
                excess |= Int64(truncatingIfNeeded: value &>> 64) ^ (low &>> 63)
                target[row] = Int128(low) &* Int128(y[row])
                row &+= 1
            }
        case (_, true):
            let constant = Int128(y[0])
            let step = a.encoding == .constant ? 0 : 1
            while row < count {
                let value = x[row &* step]
                let low = Int64(truncatingIfNeeded: value)
                excess |= Int64(truncatingIfNeeded: value &>> 64) ^ (low &>> 63)
                target[row] = Int128(low) &* constant
                row &+= 1
            }
        case (true, false):
            let low = Int64(truncatingIfNeeded: x[0])
            excess = Int64(truncatingIfNeeded: x[0] &>> 64) ^ (low &>> 63)
            while row < count {
                target[row] = Int128(low) &* Int128(y[row])
                row &+= 1
            }
        }
        if excess == 0 { return result }
        return try multiplyChecked(a, DecimalVector.widened(b), type, count)
    }

    private static func multiplyChecked(_ a: Vector, _ b: Vector, _ type: DataType, _ count: Int) throws -> Vector {
        let bound = PowerOfTen.value(38)
        return try Kernel.checkedBinary(a, b, .decimal(precision: 38, scale: type.scale), count) {
            (x: Int128, y: Int128, failed: inout UInt8) -> Int128 in
            let (product, overflow) = x.multipliedReportingOverflow(by: y)
            failed |= flag(overflow) | flag(product >= bound) | flag(product <= 0 &- bound)
            return product
        } error: { _ in
            overflow(type)
        }
    }

    // MARK: Remainders

    private static func remainder(_ a: Vector, _ b: Vector, _ type: DataType, _ count: Int) throws -> Vector {
        if type.isNumericBlob { return try NumericArithmetic.evaluate(.remainder, a, b, type, count) }
        let (x, y) = DecimalVector.aligned(a, b)
        let wide = DataType.decimal(precision: 38, scale: type.scale)
        let result = try Kernel.checkedBinary(DecimalVector.widened(x), DecimalVector.widened(y), wide, count) {
            (p: Int128, q: Int128, failed: inout UInt8) -> Int128 in
            if q == 0 {
                failed |= 2
                return 0
            }
            return q == -1 ? 0 : p % q
        } error: { _ in
            QueryError(.divisionByZero, "division by zero")
        }
        guard type.physical == .int64 else { return result.retyped(type) }
        return Kernel.unary([result], type, count) { (value: Int128) in Int64(truncatingIfNeeded: value) }
    }
}
