// Mathematical functions of numerics whose scale belongs to their values.

import Columnar
import Diagnostics
import QueryPlan

enum NumericFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Mathematics", text, example: example, result: result)
    }

    static func register(in registry: FunctionRegistry) {
        registerSigns(in: registry)
        registerRounding(in: registry)
        registerRoots(in: registry)
        registerDivisors(in: registry)
        registerScales(in: registry)
        registerBuckets(in: registry)
    }

    private static func unary(
        _ registry: FunctionRegistry, _ name: String, _ documentation: FunctionDocumentation, canFail: Bool = false,
        _ op: @escaping @Sendable (NumericValue) throws -> NumericValue
    ) {
        registry.scalar(name, [.numeric], .anyNumeric, canFail: canFail, documentation) { arguments, type, count, _ in
            try NumericKernel.unary(arguments[0], type, count) { try op($0) }
        }
    }

    private static func binary(
        _ registry: FunctionRegistry, _ name: String, _ documentation: FunctionDocumentation,
        _ op: @escaping @Sendable (NumericValue, NumericValue) throws -> NumericValue
    ) {
        registry.scalar(name, [.numeric, .numeric], .anyNumeric, canFail: true, documentation) {
            arguments, type, count, _ in
            try NumericKernel.binary(arguments[0], arguments[1], type, count) { try op($0, $1) }
        }
    }

    // MARK: Signs

    private static func registerSigns(in registry: FunctionRegistry) {
        for name in ["abs", "@"] {
            registry.scalar(
                name, [.numeric], .anyNumeric,
                text(
                    "The absolute value.", name == "abs" ? "abs(-17.40::numeric)" : nil, name == "abs" ? "17.40" : nil)
            ) { arguments, type, count, _ in
                try NumericKernel.unary(
                    arguments[0], type, count, fast: { ($0.unscaled < 0 ? 0 &- $0.unscaled : $0.unscaled, $0.scale) }
                ) { $0.absolute }
            }
        }
        unary(registry, "sign", text("-1, 0 or 1.", "sign(-8.4::numeric)", "-1")) {
            $0.isNaN ? $0 : NumericValue(Int64($0.signum))
        }
    }

    // MARK: Rounding

    private static func registerRounding(in registry: FunctionRegistry) {
        unary(
            registry, "round",
            text("The nearest whole number, halves away from zero.", "round(42.5::numeric)", "43")
        ) { $0.rounded(toScale: 0) }
        unary(registry, "trunc", text("The whole part.", "trunc(42.8::numeric)", "42")) { $0.truncated(toScale: 0) }
        unary(registry, "floor", text("The largest whole number that is not greater.", "floor(-42.8::numeric)", "-43"))
        {
            $0.floor
        }
        for name in ["ceil", "ceiling"] {
            unary(
                registry, name,
                text("The smallest whole number that is not less.", "\(name)(-42.8::numeric)", "-42")
            ) { $0.ceiling }
        }
        for (name, isRounding, result) in [("round", true, "42.44"), ("trunc", false, "42.43")] {
            registry.scalar(
                name, [.numeric, .int32], .anyNumeric,
                text(
                    "The number \(isRounding ? "rounded" : "cut") to decimal places.",
                    "\(name)(42.4382::numeric, 2)", result)
            ) { arguments, type, count, _ in
                try rounded(arguments[0], places: arguments[1], isRounding: isRounding, type, count)
            }
        }
    }

    /// More places than a numeric has on either side of the point are as good as these.
    private static let placesMin: Int32 = -131_072
    private static let placesMax: Int32 = 16_383

    /// Numerics or decimals at the number of places that each row asks for.
    static func rounded(_ source: Vector, places: Vector, isRounding: Bool, _ type: DataType, _ count: Int) throws
        -> Vector
    {
        let wide = try NumericArithmetic.widened(source)
        defer { withExtendedLifetime(wide) {} }
        let values = ViewColumn(wide)
        let digits = ValueColumn<Int32>(places)
        return try NumericKernel.rows([source, places], type, count) { row in
            let value = NumericBlob.value(values.view(row))
            let target = Int(max(placesMin, min(placesMax, digits[row])))
            return isRounding ? value.rounded(toScale: target) : value.truncated(toScale: target)
        }
    }

    // MARK: Roots, powers, logarithms

    private static func registerRoots(in registry: FunctionRegistry) {
        unary(registry, "sqrt", text("The square root.", "sqrt(2.0)", "1.414213562373095"), canFail: true) {
            try NumericMath.squareRoot($0)
        }
        unary(
            registry, "exp", text("e to the power of the argument.", "exp(1.0)", "2.7182818284590452"), canFail: true
        ) { try NumericMath.exponential($0) }
        unary(registry, "ln", text("The logarithm to base e.", "ln(2.0)", "0.6931471805599453"), canFail: true) {
            try NumericMath.naturalLogarithm($0)
        }
        let ten = NumericValue(10)
        for name in ["log", "log10"] {
            unary(
                registry, name, text("The logarithm to base 10.", "\(name)(100.0)", "2.0000000000000000"), canFail: true
            ) { try NumericMath.logarithm(ten, $0) }
        }
        binary(
            registry, "log",
            text(
                "The logarithm of the second argument to the base of the first.", "log(2.0, 64.0)", "6.0000000000000000"
            )
        ) { try NumericMath.logarithm($0, $1) }
        for name in ["power", "pow", "^"] {
            binary(
                registry, name,
                text(
                    "The first argument to the power of the second.", name == "^" ? "2.0 ^ 3" : "\(name)(9.0, 3)",
                    name == "^" ? "8.0000000000000000" : "729.0000000000000000")
            ) { try NumericMath.power($0, $1) }
        }
    }

    // MARK: Divisors

    private static func registerDivisors(in registry: FunctionRegistry) {
        for isMultiple in [false, true] {
            binary(
                registry, isMultiple ? "lcm" : "gcd",
                text(
                    isMultiple ? "The least common multiple." : "The greatest common divisor.",
                    isMultiple ? "lcm(330.3, 462)" : "gcd(330.3, 462)", isMultiple ? "508662.0" : "0.3")
            ) { try commonDivisor($0, $1, isMultiple: isMultiple) }
        }
        registry.scalar(
            "factorial", [.int64], .anyNumeric, canFail: true, text("The factorial.", "factorial(5)", "120")
        ) { arguments, type, count, _ in
            let values = ValueColumn<Int64>(arguments[0])
            return try NumericKernel.rows(arguments, type, count) { row in
                if values[row] < 0 {
                    throw QueryError(.numericValueOutOfRange, "factorial of a negative number is undefined")
                }
                // The next one has more digits than a numeric may have.
                guard values[row] <= 32_177 else { throw NumericValue.overflow }
                var product = Magnitude.one
                for factor in stride(from: UInt64(2), through: UInt64(max(1, values[row])), by: 1) {
                    if factor % 256 == 0 { try Interruption.check() }
                    product = product * factor
                }
                return NumericValue(product, scale: 0)
            }
        }
    }

    private static func commonDivisor(_ a: NumericValue, _ b: NumericValue, isMultiple: Bool) throws -> NumericValue {
        guard a.isFinite, b.isFinite else { return .nan }
        let scale = max(a.scale, b.scale)
        var (x, y) = (a.rounded(toScale: scale).magnitude, b.rounded(toScale: scale).magnitude)
        while !y.isZero {
            try Interruption.check()
            (x, y) = (y, x.dividedBy(y).remainder)
        }
        let divisor = NumericValue(x, scale: scale)
        if !isMultiple { return divisor }
        if a.isZero || b.isZero { return NumericValue(.zero, scale: scale) }
        let factor = a.rounded(toScale: scale).magnitude.dividedBy(x).quotient
        return NumericValue(factor * b.rounded(toScale: scale).magnitude, scale: scale)
    }

    // MARK: Scales

    private static func registerScales(in registry: FunctionRegistry) {
        let scales: [(String, @Sendable (NumericValue) -> Int, String, String, String)] = [
            ("scale", { $0.scale }, "The number of fraction digits that are shown.", "scale(8.4100)", "4"),
            ("min_scale", { $0.scaleMin }, "The number of fraction digits that are needed.", "min_scale(8.4100)", "2"),
        ]
        for (name, op, documentation, example, result) in scales {
            registry.scalar(name, [.numeric], .int32, text(documentation, example, result)) {
                arguments, type, count, _ in
                let result = try NumericKernel.map(arguments[0], type, count) { Int32(op($0)) }
                let values = ViewColumn(arguments[0])
                // Neither NaN nor infinities have a scale.
                for row in 0..<count where NumericBlob.small(values.view(row)) == nil {
                    if !NumericBlob.value(values.view(row)).isFinite { result.setNull(row) }
                }
                return result
            }
        }
        unary(
            registry, "trim_scale",
            text("The number without zeros at the end of its fraction.", "trim_scale(8.4100)", "8.41")
        ) { $0.withoutTrailingZeros }
    }

    // MARK: Buckets

    private static func registerBuckets(in registry: FunctionRegistry) {
        registry.scalar(
            "width_bucket", [.numeric, .numeric, .numeric, .int32], .int32, canFail: true,
            text(
                "The number of the bucket among n of equal width between two bounds.",
                "width_bucket(5.35, 0.024, 10.06, 5)", "3")
        ) { arguments, type, count, _ in
            let columns = arguments[..<3].map { ViewColumn($0) }
            let buckets = ValueColumn<Int32>(arguments[3])
            return try DateTimeFunctions.rows(arguments, type, count) { row -> Int32 in
                let values = columns.map { NumericBlob.value($0.view(row)) }
                return try bucket(values[0], from: values[1], to: values[2], count: buckets[row])
            }
        }
    }

    private static func bucket(_ x: NumericValue, from low: NumericValue, to high: NumericValue, count: Int32) throws
        -> Int32
    {
        func invalid(_ message: String) -> QueryError { QueryError(SQLState("2201G"), message) }
        guard count > 0 else { throw invalid("count must be greater than zero") }
        if x.isNaN || low.isNaN || high.isNaN { throw invalid("operand, lower bound, and upper bound cannot be NaN") }
        guard low.isFinite, high.isFinite else { throw invalid("lower and upper bounds must be finite") }
        let direction = NumericValue.compare(low, high)
        if direction == 0 { throw invalid("lower bound cannot equal upper bound") }
        let isRising = direction < 0
        let (fromLow, fromHigh) = (NumericValue.compare(x, low), NumericValue.compare(x, high))
        func overflow() -> QueryError { QueryError(.numericValueOutOfRange, "integer out of range") }
        if isRising ? fromLow < 0 : fromLow > 0 { return 0 }
        if isRising ? fromHigh >= 0 : fromHigh <= 0 {
            let (next, isTooLarge) = count.addingReportingOverflow(1)
            if isTooLarge { throw overflow() }
            return next
        }
        let distance = NumericValue.product(NumericValue.difference(x, low), NumericValue(Int64(count)))
        let index = try NumericValue.wholeQuotient(distance, NumericValue.difference(high, low))
        guard let number = index.int64, let result = Int32(exactly: number + 1) else { throw overflow() }
        return result
    }
}
