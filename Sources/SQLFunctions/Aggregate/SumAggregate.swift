// sum and avg.

import Columnar
import Diagnostics

enum SumAggregates {
    private static let sumText = FunctionDocumentation(
        "Aggregate", "Sum of the values that are not null; NULL without any.")
    private static let averageText = FunctionDocumentation(
        "Aggregate", "Arithmetic mean of the values that are not null.")

    static func register(in registry: FunctionRegistry) {
        for type in [DataType.int16, .int32] {
            registry.aggregate("sum", [.exact(type)], .int64, sumText) { try exact($0[0], $1, isAverage: false) }
        }
        registry.aggregate("sum", [.int64], .decimal(precision: 38, scale: 0), sumText) {
            try exact($0[0], $1, isAverage: false)
        }
        registry.aggregate("sum", [.anyDecimal], typed: { .decimal(precision: 38, scale: $0[0].scale) }, sumText) {
            try exact($0[0], $1, isAverage: false)
        }
        for type in [DataType.int16, .int32, .int64] {
            registry.aggregate("avg", [.exact(type)], .anyNumeric, averageText) {
                try exact($0[0], $1, isAverage: true)
            }
        }
        registry.aggregate("avg", [.anyDecimal], .anyNumeric, averageText) { try exact($0[0], $1, isAverage: true) }
        registry.aggregate("sum", [.float32], .float32, sumText) { _, type in
            StateAggregate(FloatSum<Float>(resultType: type, isAverage: false))
        }
        registry.aggregate("sum", [.float64], .float64, sumText) { _, type in
            StateAggregate(FloatSum<Double>(resultType: type, isAverage: false))
        }
        registry.aggregate("avg", [.float32], .float64, averageText) { _, type in
            StateAggregate(FloatSum<Float>(resultType: type, isAverage: true))
        }
        registry.aggregate("avg", [.float64], .float64, averageText) { _, type in
            StateAggregate(FloatSum<Double>(resultType: type, isAverage: true))
        }
        for (name, isAverage) in [("sum", false), ("avg", true)] {
            registry.aggregate(name, [.interval], .interval, isAverage ? averageText : sumText) { _, _ in
                StateAggregate(IntervalSum(isAverage: isAverage))
            }
        }
    }

    private static func exact(_ type: DataType, _ result: DataType, isAverage: Bool) throws -> any AggregateExecutor {
        switch type.physical {
        case .int16: StateAggregate(ExactSum<Int16>(scale: 0, resultType: result, isAverage: isAverage))
        case .int32: StateAggregate(ExactSum<Int32>(scale: 0, resultType: result, isAverage: isAverage))
        case .int64: StateAggregate(ExactSum<Int64>(scale: type.scale, resultType: result, isAverage: isAverage))
        case .int128: StateAggregate(WideSum(scale: type.scale, resultType: result, isAverage: isAverage))
        default: throw QueryError.internalError("sum of \(type.sqlName)")
        }
    }
}

/// A 128-bit sum in two halves (a state is aligned to 8 bytes only) and the number of values in it; negative once a sum did
/// not fit.
struct ExactSumState {
    var low: UInt64 = 0
    var high: Int64 = 0
    var count: Int64 = 0

    @inline(__always) mutating func add(_ value: Int64) {
        let (sum, carry) = low.addingReportingOverflow(UInt64(bitPattern: value))
        low = sum
        high &+= (value &>> 63) &+ Int64(flag(carry))
    }
    @inline(__always) mutating func add(low otherLow: UInt64, high otherHigh: Int64) {
        let (sum, carry) = low.addingReportingOverflow(otherLow)
        low = sum
        let (half, first) = high.addingReportingOverflow(otherHigh)
        let (whole, second) = half.addingReportingOverflow(Int64(flag(carry)))
        high = whole
        if first != second { count = Self.overflowCount }
    }
    /// So far below zero that no number of further values brings it back.
    static let overflowCount = Int64.min / 2
    var total: Int128 {
        get { Int128(high) &<< 64 | Int128(low) }
        set {
            low = UInt64(truncatingIfNeeded: newValue)
            high = Int64(truncatingIfNeeded: newValue &>> 64)
        }
    }
}

/// What sums of exact numbers share.
protocol ExactSumLogic: AggregateLogic where State == ExactSumState {
    var scale: Int { get }
    var isAverage: Bool { get }
}

extension ExactSumLogic {
    private static var overflow: QueryError {
        QueryError(
            .numericValueOutOfRange, "numeric field overflow", detail: "A sum of decimals has at most 38 digits.",
            hint: "Cast the argument to numeric.")
    }
    var initial: ExactSumState { ExactSumState() }
    var exportedTypes: [DataType] { [.decimal(precision: 38, scale: scale), .int64] }

    func combine(_ state: UnsafeMutablePointer<ExactSumState>, _ other: UnsafePointer<ExactSumState>) {
        state.pointee.add(low: other.pointee.low, high: other.pointee.high)
        state.pointee.count &+= other.pointee.count
    }
    func export(_ state: UnsafePointer<ExactSumState>, to columns: [Vector], row: Int) {
        columns[0].values(Int128.self)[row] = state.pointee.total
        columns[1].values(Int64.self)[row] = state.pointee.count
    }
    func load(_ columns: [Vector], row: Int) -> ExactSumState {
        var state = ExactSumState()
        state.total = columns[0].values(Int128.self)[row]
        state.count = columns[1].values(Int64.self)[row]
        return state
    }
    func finish(_ state: UnsafePointer<ExactSumState>, to result: Vector, row: Int) throws {
        if state.pointee.count == 0 { return result.setNull(row) }
        if state.pointee.count < 0 { throw Self.overflow }
        let value = state.pointee.total
        if isAverage {
            if let small = NumericValue.smallQuotient(value, scale: scale, by: state.pointee.count) {
                return result.setNumeric(small.unscaled, scale: small.scale, row)
            }
            let sum = NumericValue(value, scale: scale)
            return result.setNumeric(try NumericValue.quotient(sum, NumericValue(state.pointee.count)), row)
        }
        if result.physical == .int64 {
            guard let narrow = Int64(exactly: value) else { throw Casting.outOfRange(resultType) }
            result.values(Int64.self)[row] = narrow
        } else {
            guard PowerOfTen.fits(value, precision: 38) else { throw Self.overflow }
            result.values(Int128.self)[row] = value
        }
    }
}

/// Sum of integers and of decimals in up to 64 bits.
struct ExactSum<T: FixedWidthInteger & SignedInteger & Sendable>: ExactSumLogic {
    let scale: Int
    let resultType: DataType
    let isAverage: Bool

    func prepare(_ arguments: [Vector]) -> UnsafePointer<T> { UnsafePointer(arguments[0].values(T.self)) }

    @inline(__always)
    func add(_ state: UnsafeMutablePointer<ExactSumState>, _ input: UnsafePointer<T>, _ row: Int) {
        state.pointee.add(Int64(truncatingIfNeeded: input[row]))
        state.pointee.count &+= 1
    }

    /// Sums in 64 bits while the magnitudes of the batch prove that nothing overflows.
    func addAll(
        _ state: UnsafeMutablePointer<ExactSumState>, _ input: UnsafePointer<T>, validity: UnsafePointer<UInt64>?,
        count: Int
    ) -> Bool {
        var sum: Int64 = 0
        var bits: Int64 = 0
        var row = 0
        if let validity {
            while row < count {
                let mask = 0 &- Int64(truncatingIfNeeded: (validity[row &>> 6] &>> UInt64(row & 63)) & 1)
                let value = Int64(truncatingIfNeeded: input[row]) & mask
                sum &+= value
                bits |= value ^ (value &>> 63)
                row &+= 1
            }
        } else {
            while row < count {
                let value = Int64(truncatingIfNeeded: input[row])
                sum &+= value
                bits |= value ^ (value &>> 63)
                row &+= 1
            }
        }
        // Every magnitude is at most 2^(64 - leading zeros of `bits`).
        let magnitudeBits = 64 - bits.leadingZeroBitCount
        let countBits = 64 - count.leadingZeroBitCount
        guard magnitudeBits + countBits < 63 else { return false }
        state.pointee.add(sum)
        state.pointee.count &+= Int64(validity.map { Validity.validCount($0, rows: count) } ?? count)
        return true
    }
}

/// Sum of decimals in 128 bits.
struct WideSum: ExactSumLogic {
    let scale: Int
    let resultType: DataType
    let isAverage: Bool

    func prepare(_ arguments: [Vector]) -> UnsafePointer<Int128> { UnsafePointer(arguments[0].values(Int128.self)) }

    @inline(__always)
    func add(_ state: UnsafeMutablePointer<ExactSumState>, _ input: UnsafePointer<Int128>, _ row: Int) {
        let value = input[row]
        state.pointee.add(low: UInt64(truncatingIfNeeded: value), high: Int64(truncatingIfNeeded: value &>> 64))
        state.pointee.count &+= 1
    }

    func addAll(
        _ state: UnsafeMutablePointer<ExactSumState>, _ input: UnsafePointer<Int128>, validity: UnsafePointer<UInt64>?,
        count: Int
    ) -> Bool {
        if validity != nil { return false }
        var sum: Int128 = 0
        var overflows = false
        var row = 0
        while row < count {
            let (next, overflow) = sum.addingReportingOverflow(input[row])
            sum = next
            overflows = overflows || overflow
            row &+= 1
        }
        if overflows { return false }
        state.pointee.add(low: UInt64(truncatingIfNeeded: sum), high: Int64(truncatingIfNeeded: sum &>> 64))
        state.pointee.count &+= Int64(count)
        return true
    }
}

struct FloatSumState {
    var sum: Double = 0
    var count: Int64 = 0
}

/// Sum and mean of floats, in double precision.
struct FloatSum<T: BinaryFloatingPoint & Sendable>: AggregateLogic {
    let resultType: DataType
    let isAverage: Bool
    var initial: FloatSumState { FloatSumState() }
    var exportedTypes: [DataType] { [.float64, .int64] }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<T> { UnsafePointer(arguments[0].values(T.self)) }

    @inline(__always)
    func add(_ state: UnsafeMutablePointer<FloatSumState>, _ input: UnsafePointer<T>, _ row: Int) {
        state.pointee.sum += Double(input[row])
        state.pointee.count &+= 1
    }

    /// Four running sums: the order of additions differs from the order of rows.
    func addAll(
        _ state: UnsafeMutablePointer<FloatSumState>, _ input: UnsafePointer<T>, validity: UnsafePointer<UInt64>?,
        count: Int
    ) -> Bool {
        if validity != nil { return false }
        var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
        var row = 0
        while row &+ 4 <= count {
            a += Double(input[row])
            b += Double(input[row &+ 1])
            c += Double(input[row &+ 2])
            d += Double(input[row &+ 3])
            row &+= 4
        }
        while row < count {
            a += Double(input[row])
            row &+= 1
        }
        state.pointee.sum += (a + b) + (c + d)
        state.pointee.count &+= Int64(count)
        return true
    }

    func combine(_ state: UnsafeMutablePointer<FloatSumState>, _ other: UnsafePointer<FloatSumState>) {
        state.pointee.sum += other.pointee.sum
        state.pointee.count &+= other.pointee.count
    }
    func export(_ state: UnsafePointer<FloatSumState>, to columns: [Vector], row: Int) {
        columns[0].values(Double.self)[row] = state.pointee.sum
        columns[1].values(Int64.self)[row] = state.pointee.count
    }
    func load(_ columns: [Vector], row: Int) -> FloatSumState {
        FloatSumState(sum: columns[0].values(Double.self)[row], count: columns[1].values(Int64.self)[row])
    }
    func finish(_ state: UnsafePointer<FloatSumState>, to result: Vector, row: Int) throws {
        if state.pointee.count == 0 { return result.setNull(row) }
        let value = isAverage ? state.pointee.sum / Double(state.pointee.count) : state.pointee.sum
        if result.physical == .float32 {
            result.values(Float.self)[row] = Float(value)
        } else {
            result.values(Double.self)[row] = value
        }
    }
}

struct IntervalSumState {
    var months: Int64 = 0
    var days: Int64 = 0
    var microseconds: Int64 = 0
    var count: Int64 = 0
}

struct IntervalSum: AggregateLogic {
    let isAverage: Bool
    var resultType: DataType { .interval }
    var initial: IntervalSumState { IntervalSumState() }
    var exportedTypes: [DataType] { [.int64, .int64, .int64, .int64] }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<IntervalValue> {
        UnsafePointer(arguments[0].values(IntervalValue.self))
    }

    func add(_ state: UnsafeMutablePointer<IntervalSumState>, _ input: UnsafePointer<IntervalValue>, _ row: Int) {
        state.pointee.months &+= Int64(input[row].months)
        state.pointee.days &+= Int64(input[row].days)
        state.pointee.microseconds &+= input[row].microseconds
        state.pointee.count &+= 1
    }
    func combine(_ state: UnsafeMutablePointer<IntervalSumState>, _ other: UnsafePointer<IntervalSumState>) {
        state.pointee.months &+= other.pointee.months
        state.pointee.days &+= other.pointee.days
        state.pointee.microseconds &+= other.pointee.microseconds
        state.pointee.count &+= other.pointee.count
    }
    func export(_ state: UnsafePointer<IntervalSumState>, to columns: [Vector], row: Int) {
        columns[0].values(Int64.self)[row] = state.pointee.months
        columns[1].values(Int64.self)[row] = state.pointee.days
        columns[2].values(Int64.self)[row] = state.pointee.microseconds
        columns[3].values(Int64.self)[row] = state.pointee.count
    }
    func load(_ columns: [Vector], row: Int) -> IntervalSumState {
        func column(_ index: Int) -> Int64 { columns[index].values(Int64.self)[row] }
        return IntervalSumState(months: column(0), days: column(1), microseconds: column(2), count: column(3))
    }
    func finish(_ state: UnsafePointer<IntervalSumState>, to result: Vector, row: Int) throws {
        let sum = state.pointee
        if sum.count == 0 { return result.setNull(row) }
        guard let months = Int32(exactly: sum.months), let days = Int32(exactly: sum.days) else {
            throw DateArithmetic.outOfRange("interval")
        }
        let total = IntervalValue(months: months, days: days, microseconds: sum.microseconds)
        guard let value = isAverage ? DateArithmetic.quotient(total, Double(sum.count)) : total else {
            throw DateArithmetic.outOfRange("interval")
        }
        result.values(IntervalValue.self)[row] = value
    }
}
