// Mathematical functions.

import Columnar
import Diagnostics
import Glibc
import QueryPlan

enum MathFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Mathematics", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerAbsolute(in: registry)
        registerRounding(in: registry)
        registerPowers(in: registry)
        registerTrigonometry(in: registry)
        registerIntegers(in: registry)
        registerMiscellany(in: registry)
    }

    // MARK: Absolute value and sign

    @inline(__always)
    private static func absolute<T: FixedWidthInteger & SignedInteger & Sendable>(
        _ type: DataType, _: T.Type, in registry: FunctionRegistry
    ) {
        for name in ["abs", "@"] {
            registry.scalar(
                name, [.exact(type)], type, canFail: true,
                text(
                    "The absolute value.", type == .int32 ? (name == "@" ? "@ -5" : "abs(-5)") : nil,
                    type == .int32 ? "5" : nil)
            ) { arguments, type, count, _ in
                try Kernel.checkedUnary(arguments, type, count) { (x: T, failed: inout UInt8) -> T in
                    failed |= flag(x == T.min)
                    return x < 0 ? 0 &- x : x
                } error: { _ in
                    IntegerArithmetic.outOfRange(type)
                }
            }
        }
    }

    private static func registerAbsolute(in registry: FunctionRegistry) {
        absolute(.int16, Int16.self, in: registry)
        absolute(.int32, Int32.self, in: registry)
        absolute(.int64, Int64.self, in: registry)
        for name in ["abs", "@"] {
            registry.scalar(name, [.float32], .float32, text("The absolute value.")) { arguments, type, count, _ in
                Kernel.unary(arguments, type, count) { (x: Float) in x.magnitude }
            }
            registry.scalar(name, [.float64], .float64, text("The absolute value.")) { arguments, type, count, _ in
                Kernel.unary(arguments, type, count) { (x: Double) in x.magnitude }
            }
            registry.scalar(
                name, [.anyDecimal], typed: { $0[0] },
                text("The absolute value.", name == "abs" ? "abs(-17.4)" : nil, name == "abs" ? "17.4" : nil)
            ) {
                arguments, type, count, _ in
                type.physical == .int64
                    ? Kernel.unary(arguments, type, count) { (x: Int64) in x < 0 ? 0 &- x : x }
                    : Kernel.unary(arguments, type, count) { (x: Int128) in x < 0 ? 0 &- x : x }
            }
        }
        registry.scalar("sign", [.float64], .float64, text("-1, 0 or 1.", "sign(-8.4::float8)", "-1")) {
            arguments, type, count, _ in
            Kernel.unary(arguments, type, count) { (x: Double) -> Double in x > 0 ? 1 : x < 0 ? -1 : 0 }
        }
        registry.scalar(
            "sign", [.anyDecimal], .decimal(precision: 1, scale: 0), text("-1, 0 or 1.", "sign(-8.4)", "-1")
        ) {
            arguments, type, count, _ in
            arguments[0].physical == .int64
                ? Kernel.unary(arguments, type, count) { (x: Int64) in x.signum() }
                : Kernel.unary(arguments, type, count) { (x: Int128) in Int64(truncatingIfNeeded: x.signum()) }
        }
    }

    // MARK: Rounding

    private enum Rounding: Sendable { case nearest, down, up, towardZero }

    private static func registerRounding(in registry: FunctionRegistry) {
        let functions: [(String, Rounding, String, String, String)] = [
            ("round", .nearest, "The nearest whole number, halves away from zero.", "round(42.4)", "42"),
            ("floor", .down, "The largest whole number that is not greater.", "floor(-42.8)", "-43"),
            ("ceil", .up, "The smallest whole number that is not less.", "ceil(-42.8)", "-42"),
            ("ceiling", .up, "The smallest whole number that is not less.", "ceiling(-42.8)", "-42"),
            ("trunc", .towardZero, "The whole part.", "trunc(42.8)", "42"),
        ]
        for (name, rounding, documentation, example, result) in functions {
            registry.scalar(name, [.float64], .float64, text(documentation)) { arguments, type, count, _ in
                switch rounding {
                case .nearest: Kernel.unary(arguments, type, count) { (x: Double) in x.rounded(.toNearestOrEven) }
                case .down: Kernel.unary(arguments, type, count) { (x: Double) in x.rounded(.down) }
                case .up: Kernel.unary(arguments, type, count) { (x: Double) in x.rounded(.up) }
                case .towardZero: Kernel.unary(arguments, type, count) { (x: Double) in x.rounded(.towardZero) }
                }
            }
            registry.scalar(name, [.anyDecimal], typed: { wholeType($0[0]) }, text(documentation, example, result)) {
                arguments, type, count, _ in
                try decimalRounded(arguments[0], places: nil, rounding, type, count)
            }
        }
        for (name, rounding, example, result) in [
            ("round", Rounding.nearest, "round(42.4382, 2)", "42.44"),
            ("trunc", .towardZero, "trunc(42.4382, 2)", "42.43"),
        ] {
            registry.scalar(
                name, [.anyDecimal, .int32], typed: { _ in .anyNumeric }, canFail: true,
                literalResultType: { types, literals in
                    guard literals.count > 1, case .integer(let places) = literals[1] else { return nil }
                    return roundedType(types[0], places: Int(places))
                },
                text("The number \(name == "round" ? "rounded" : "cut") to decimal places.", example, result)
            ) { arguments, type, count, _ in
                try decimalRounded(arguments[0], places: arguments[1], rounding, type, count)
            }
        }
    }

    private static func precision(_ type: DataType) -> Int {
        if case .decimal(let precision, _) = type { precision } else { 38 }
    }
    private static func wholeType(_ type: DataType) -> DataType {
        .decimal(precision: min(38, max(1, precision(type) - type.scale + (type.scale > 0 ? 1 : 0))), scale: 0)
    }
    /// The type of a number with so many places.
    private static func roundedType(_ type: DataType, places: Int) -> DataType {
        let scale = max(0, places)
        return DecimalTyping.decimal(precision: max(1, precision(type) - type.scale + 1 + scale), scale: scale)
    }

    private static func decimalRounded(
        _ source: Vector, places: Vector?, _ rounding: Rounding, _ type: DataType, _ count: Int
    ) throws -> Vector {
        if let places, type.isNumericBlob {
            let isRounding = rounding == .nearest
            return try NumericFunctions.rounded(source, places: places, isRounding: isRounding, type, count)
        }
        let scale = source.type.scale
        let wide = DecimalVector.widened(source)
        let values = ValueColumn<Int128>(wide)
        let digits = places.map { ValueColumn<Int32>($0) }
        let result = Vector(flat: type, capacity: count)
        let isNarrow = type.physical == .int64
        let mayHaveNulls = source.mayHaveNulls || places?.mayHaveNulls == true
        for row in 0..<count {
            var value = values[row]
            let kept = max(-38, digits.map { Int($0[row]) } ?? 0)
            if kept < scale {
                // Cut to the multiples of a power of ten.
                let drop = scale - kept
                if drop > 38 {
                    value = 0
                } else {
                    let unit = PowerOfTen.value(drop)
                    let quotient: Int128
                    switch rounding {
                    case .nearest: quotient = DecimalMath.roundedDivision(value, by: unit)
                    case .towardZero: quotient = value / unit
                    case .down: quotient = value / unit - (value % unit < 0 ? 1 : 0)
                    case .up: quotient = value / unit + (value % unit > 0 ? 1 : 0)
                    }
                    let (product, overflow) = quotient.multipliedReportingOverflow(by: unit)
                    value = overflow ? 0 : product
                    if type.scale < scale {
                        value =
                            type.scale >= kept
                            ? value / PowerOfTen.value(scale - type.scale)
                            : DecimalMath.rescaled(value, from: scale, to: type.scale) ?? 0
                    } else if type.scale > scale {
                        value = DecimalMath.rescaled(value, from: scale, to: type.scale) ?? 0
                    }
                }
            } else if type.scale != scale {
                guard let rescaled = DecimalMath.rescaled(value, from: scale, to: type.scale) else {
                    if mayHaveNulls && (source.isNull(row) || places?.isNull(row) == true) { continue }
                    throw Casting.outOfRange(type)
                }
                value = rescaled
            }
            if isNarrow {
                result.values(Int64.self)[row] = Int64(truncatingIfNeeded: value)
            } else {
                result.values(Int128.self)[row] = value
            }
        }
        return result
    }

    // MARK: Powers and logarithms

    /// Registers a function of one double. `op` sets bit 1 for overflow, bit 2 for an argument out of its domain.
    private static func double(
        _ registry: FunctionRegistry, _ name: String, _ documentation: FunctionDocumentation, canFail: Bool = false,
        domain: SQLState = .numericValueOutOfRange, message: String = "input is out of range",
        _ op: @escaping @Sendable (Double, inout UInt8) -> Double
    ) {
        registry.scalar(name, [.float64], .float64, canFail: canFail, documentation) { arguments, type, count, _ in
            try Kernel.checkedUnary(arguments, type, count) { (x: Double, failed: inout UInt8) in
                op(x, &failed)
            } error: {
                $0 & 2 != 0 ? QueryError(domain, message) : FloatArithmetic.failure($0)
            }
        }
    }

    private static func registerPowers(in registry: FunctionRegistry) {
        for name in ["sqrt", "|/"] {
            double(
                registry, name,
                text(
                    "The square root.", name == "sqrt" ? "sqrt(2)" : "|/ 25.0",
                    name == "sqrt" ? "1.4142135623730951" : "5"), canFail: true,
                domain: .invalidArgumentForPowerFunction, message: "cannot take square root of a negative number"
            ) { x, failed in
                failed |= flag(x < 0) &<< 1
                return x.squareRoot()
            }
        }
        for name in ["cbrt", "||/"] {
            double(registry, name, text("The cube root.", name == "cbrt" ? "cbrt(64)" : "||/ 64.0", "4")) { x, _ in
                cbrt(x)
            }
        }
        double(
            registry, "exp", text("e to the power of the argument.", "exp(1.0::float8)", "2.718281828459045"),
            canFail: true
        ) { x, failed in
            let result = exp(x)
            failed |= flag(result.isInfinite) & flag(x.isFinite) | (flag(result == 0) & flag(x.isFinite)) &<< 2
            return result
        }
        let logarithms: [(String, @Sendable (Double) -> Double, String, String)] = [
            ("ln", { log($0) }, "ln(2.0)", "0.6931471805599453"), ("log", { log10($0) }, "log(100.0::float8)", "2"),
            ("log10", { log10($0) }, "log10(1000)", "3"), ("log2", { log2($0) }, "log2(8)", "3"),
        ]
        for (name, op, example, result) in logarithms {
            registry.scalar(
                name, [.float64], .float64, canFail: true,
                text("The logarithm, to base \(name == "ln" ? "e" : name == "log2" ? "2" : "10").", example, result)
            ) {
                arguments, type, count, _ in
                try Kernel.checkedUnary(arguments, type, count) { (x: Double, failed: inout UInt8) -> Double in
                    failed |= flag(x == 0) | flag(x < 0) &<< 1
                    return op(x)
                } error: {
                    QueryError(
                        .invalidArgumentForLogarithm,
                        "cannot take logarithm of \($0 & 2 != 0 ? "a negative number" : "zero")")
                }
            }
        }
        for name in ["power", "pow", "^"] {
            registry.scalar(
                name, [.float64, .float64], .float64, canFail: true,
                text(
                    "The first argument to the power of the second.", name == "^" ? "2 ^ 3" : "\(name)(9, 3)",
                    name == "^" ? "8" : "729")
            ) { arguments, type, count, _ in
                try Kernel.checkedBinary(arguments[0], arguments[1], type, count) {
                    (x: Double, y: Double, failed: inout UInt8) -> Double in
                    let result = pow(x, y)
                    failed |=
                        (flag(x == 0) & flag(y < 0)) &<< 1 | (flag(x < 0) & flag(y.isFinite) & flag(y != y.rounded()))
                        &<< 2
                        | (flag(result.isInfinite) & flag(x.isFinite) & flag(y.isFinite))
                        | (flag(result == 0) & flag(x != 0) & flag(x.isFinite) & flag(y.isFinite)) &<< 3
                    return result
                } error: {
                    if $0 & 2 != 0 {
                        return QueryError(
                            .invalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
                    }
                    if $0 & 4 != 0 {
                        return QueryError(
                            .invalidArgumentForPowerFunction,
                            "a negative number raised to a non-integer power yields a complex result")
                    }
                    return FloatArithmetic.failure($0)
                }
            }
        }
    }

    // MARK: Trigonometry

    private static func registerTrigonometry(in registry: FunctionRegistry) {
        let functions: [(String, @Sendable (Double) -> Double, String, String)] = [
            ("sin", { sin($0) }, "sin(0)", "0"), ("cos", { cos($0) }, "cos(0)", "1"),
            ("tan", { tan($0) }, "tan(0)", "0"),
            ("cot", { 1 / tan($0) }, "cot(0.5)", "1.830487721712452"),
            ("atan", { atan($0) }, "atan(1)", "0.7853981633974483"),
            ("sinh", { sinh($0) }, "sinh(0)", "0"), ("cosh", { cosh($0) }, "cosh(0)", "1"),
            ("tanh", { tanh($0) }, "tanh(0)", "0"),
            ("asinh", { asinh($0) }, "asinh(0)", "0"),
            ("degrees", { $0 * (180 / Double.pi) }, "degrees(0.5)", "28.64788975654116"),
            ("radians", { $0 * (Double.pi / 180) }, "radians(45.0)", "0.7853981633974483"),
        ]
        for (name, op, example, result) in functions {
            double(registry, name, text("The function of that name, in radians.", example, result)) { x, _ in op(x) }
        }
        let bounded: [(String, @Sendable (Double) -> Double)] = [
            ("asin", { asin($0) }), ("acos", { acos($0) }), ("atanh", { atanh($0) }),
        ]
        for (name, op) in bounded {
            double(
                registry, name, text("The function of that name.", "\(name)(\(name == "acos" ? 1 : 0))", "0"),
                canFail: true
            ) { x, failed in
                failed |= flag(x < -1 || x > 1) &<< 1
                return op(x)
            }
        }
        double(registry, "acosh", text("The function of that name.", "acosh(1)", "0"), canFail: true) { x, failed in
            failed |= flag(x < 1) &<< 1
            return acosh(x)
        }
        registry.scalar(
            "atan2", [.float64, .float64], .float64,
            text("The angle of a point (x, y), as atan2(y, x).", "atan2(1, 0)", "1.5707963267948966")
        ) {
            arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (y: Double, x: Double) in atan2(y, x) }
        }
        registry.scalar(
            "pi", [], .float64, text("The ratio of circumference to diameter.", "pi()", "3.141592653589793")
        ) { _, type, count, _ in
            .constant(.float(.pi), type: type, count: count)
        }
    }

    // MARK: Integers

    private static func registerIntegers(in registry: FunctionRegistry) {
        for type in [DataType.int32, .int64] {
            for name in ["gcd", "lcm"] {
                registry.scalar(
                    name, [.exact(type), .exact(type)], type, canFail: true,
                    text(
                        name == "gcd" ? "The greatest common divisor." : "The least common multiple.",
                        type == .int32 ? "\(name)(1071, 462)" : nil,
                        type == .int32 ? (name == "gcd" ? "21" : "23562") : nil)
                ) { arguments, result, count, _ in
                    try DateTimeFunctions.rows(arguments, .int64, count) { row -> Int64 in
                        let x = integer(arguments[0], row)
                        let y = integer(arguments[1], row)
                        var (a, b) = (x.magnitude, y.magnitude)
                        while b != 0 { (a, b) = (b, a % b) }
                        if name == "lcm" {
                            if x == 0 || y == 0 { return 0 }
                            let (product, overflow) = (x.magnitude / a).multipliedReportingOverflow(by: y.magnitude)
                            if overflow { throw IntegerArithmetic.outOfRange(type) }
                            a = product
                        }
                        let limit = type == .int32 ? UInt64(Int32.max) : UInt64(Int64.max)
                        if a > limit { throw IntegerArithmetic.outOfRange(type) }
                        return Int64(a)
                    }.narrowed(to: result, count)
                }
            }
        }
    }

    private static func integer(_ vector: Vector, _ row: Int) -> Int64 {
        if case .integer(let value) = vector.value(at: row) { value } else { 0 }
    }

    // MARK: Miscellany

    private static func registerMiscellany(in registry: FunctionRegistry) {
        registry.scalar("random", [], .float64, volatility: .volatile, text("A random number from 0 to below 1.")) {
            _, type, count, _ in
            let result = Vector(flat: type, capacity: count)
            var generator = SystemRandomNumberGenerator()
            for row in 0..<count { result.values(Double.self)[row] = Double(generator.next() >> 11) * 0x1p-53 }
            return result
        }
        registry.scalar("gen_random_uuid", [], .uuid, volatility: .volatile, text("A random UUID of version 4.")) {
            _, type, count, _ in
            let result = Vector(flat: type, capacity: count)
            var generator = SystemRandomNumberGenerator()
            for row in 0..<count {
                let high = generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
                let low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
                result.values(UUIDValue.self)[row] = UUIDValue(high: high, low: low)
            }
            return result
        }
        registry.scalar(
            "width_bucket", [.float64, .float64, .float64, .int32], .int32, canFail: true,
            text(
                "The number of the bucket among n of equal width between two bounds.",
                "width_bucket(5.35, 0.024, 10.06, 5)", "3")
        ) { arguments, type, count, _ in
            let parts = arguments[..<3].map { ValueColumn<Double>($0) }
            let buckets = ValueColumn<Int32>(arguments[3])
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let (x, low, high) = (parts[0][row], parts[1][row], parts[2][row])
                guard buckets[row] > 0 else {
                    throw QueryError(.invalidParameterValue, "count must be greater than zero")
                }
                guard low != high else {
                    throw QueryError(.invalidParameterValue, "lower bound cannot equal upper bound")
                }
                guard low.isFinite, high.isFinite, !x.isNaN else {
                    throw QueryError(.invalidParameterValue, "operand and bounds must be finite")
                }
                let isRising = low < high
                if isRising ? x < low : x > low { return 0 }
                if isRising ? x >= high : x <= high { return buckets[row] &+ 1 }
                return Int32(((x - low) / (high - low) * Double(buckets[row])).rounded(.down)) + 1
            }
        }
    }
}

extension Vector {
    /// A vector of Int64 as one of Int32 or Int64; values fit.
    func narrowed(to type: DataType, _ count: Int) -> Vector {
        type.physical == .int64
            ? retyped(type) : Kernel.unary([self], type, count) { (x: Int64) in Int32(truncatingIfNeeded: x) }
    }
}
