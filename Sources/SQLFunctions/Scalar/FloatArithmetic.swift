// Arithmetic of floats.

import Columnar
import Diagnostics
import QueryPlan

enum FloatArithmetic {
    static func register(in registry: FunctionRegistry) {
        register(.float32, Float.self, in: registry)
        register(.float64, Double.self, in: registry)
    }

    /// Errors of an operation: bit 1 overflow, bit 2 a zero divisor, bit 3 underflow.
    static func failure(_ bits: UInt8) -> QueryError {
        if bits & 2 != 0 { return QueryError(.divisionByZero, "division by zero") }
        return QueryError(.numericValueOutOfRange, "value out of range: \(bits & 1 != 0 ? "overflow" : "underflow")")
    }

    @inline(__always)
    private static func register<T: BinaryFloatingPoint & Sendable>(
        _ type: DataType, _: T.Type, in registry: FunctionRegistry
    ) {
        let pair: [ParameterType] = [.exact(type), .exact(type)]
        func documentation(_ text: String) -> FunctionDocumentation { FunctionDocumentation("Arithmetic", text) }
        registry.scalar("+", pair, type, canFail: true, documentation("Sum.")) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (x: T, y: T, failed: inout UInt8) -> T in
                let result = x + y
                failed |= overflow(result, x, y)
                return result
            } error: {
                failure($0)
            }
        }
        registry.scalar("-", pair, type, canFail: true, documentation("Difference.")) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (x: T, y: T, failed: inout UInt8) -> T in
                let result = x - y
                failed |= overflow(result, x, y)
                return result
            } error: {
                failure($0)
            }
        }
        registry.scalar("*", pair, type, canFail: true, documentation("Product.")) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (x: T, y: T, failed: inout UInt8) -> T in
                let result = x * y
                failed |= overflow(result, x, y) | (flag(result == 0) & flag(x != 0) & flag(y != 0)) &<< 2
                return result
            } error: {
                failure($0)
            }
        }
        registry.scalar("/", pair, type, canFail: true, documentation("Quotient.")) { arguments, type, count, _ in
            try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                (x: T, y: T, failed: inout UInt8) -> T in
                let result = x / y
                let isZero = flag(y == 0) & flag(x == x)
                failed |=
                    isZero &<< 1 | (overflow(result, x, y) & (isZero ^ 1))
                    | (flag(result == 0) & flag(x != 0) & flag(y.magnitude != .infinity)) &<< 2
                return result
            } error: {
                failure($0)
            }
        }
        registry.scalar("-", [.exact(type)], type, documentation("Negation.")) { arguments, type, count, _ in
            Kernel.unary(arguments, type, count) { (x: T) in -x }
        }
        registry.scalar("+", [.exact(type)], type, documentation("The operand itself.")) { arguments, _, _, _ in
            arguments[0]
        }
    }

    @inline(__always)
    private static func overflow<T: BinaryFloatingPoint>(_ result: T, _ x: T, _ y: T) -> UInt8 {
        flag(result.magnitude == .infinity) & flag(x.magnitude != .infinity) & flag(y.magnitude != .infinity)
    }
}
