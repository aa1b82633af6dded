// The variance family over whole numbers and decimals of up to 64 bits: exact sums in the group's row.

import Columnar
import Diagnostics

/// Sum of values in 128 bits and of their squares in 192, in halves and thirds: a state is aligned to 8 bytes only.
struct MomentsState {
    var sumLow: UInt64 = 0
    var sumHigh: Int64 = 0
    var squareLow: UInt64 = 0
    var squareMiddle: UInt64 = 0
    var squareHigh: UInt64 = 0
    var count: Int64 = 0

    @inline(__always) mutating func add(sum low: UInt64, _ high: Int64) {
        let (sum, carry) = sumLow.addingReportingOverflow(low)
        sumLow = sum
        sumHigh &+= high &+ Int64(flag(carry))
    }

    @inline(__always) mutating func add(square low: UInt64, _ middle: UInt64, _ high: UInt64) {
        let (first, carry) = squareLow.addingReportingOverflow(low)
        squareLow = first
        let (half, overflow) = squareMiddle.addingReportingOverflow(middle)
        let (second, further) = half.addingReportingOverflow(UInt64(flag(carry)))
        squareMiddle = second
        squareHigh &+= high &+ UInt64(flag(overflow)) &+ UInt64(flag(further))
    }

    var sum: Int128 {
        get { Int128(sumHigh) &<< 64 | Int128(sumLow) }
        set {
            sumLow = UInt64(truncatingIfNeeded: newValue)
            sumHigh = Int64(truncatingIfNeeded: newValue &>> 64)
        }
    }
}

struct ExactVariance<T: FixedWidthInteger & SignedInteger & Sendable>: AggregateLogic {
    let result: NumericVariance.Result
    let scale: Int
    var resultType: DataType { .anyNumeric }
    var initial: MomentsState { MomentsState() }
    /// The squares' upper third comes by itself, behind the 128 bits below it.
    var exportedTypes: [DataType] {
        [.decimal(precision: 38, scale: scale), .decimal(precision: 38, scale: 0), .int64, .int64]
    }

    func prepare(_ arguments: [Vector]) -> UnsafePointer<T> { UnsafePointer(arguments[0].values(T.self)) }

    @inline(__always)
    func add(_ state: UnsafeMutablePointer<MomentsState>, _ input: UnsafePointer<T>, _ row: Int) {
        let value = Int64(truncatingIfNeeded: input[row])
        let square = value.magnitude.multipliedFullWidth(by: value.magnitude)
        state.pointee.add(sum: UInt64(bitPattern: value), value &>> 63)
        state.pointee.add(square: square.low, square.high, 0)
        state.pointee.count &+= 1
    }

    func combine(_ state: UnsafeMutablePointer<MomentsState>, _ other: UnsafePointer<MomentsState>) {
        let other = other.pointee
        state.pointee.add(sum: other.sumLow, other.sumHigh)
        state.pointee.add(square: other.squareLow, other.squareMiddle, other.squareHigh)
        state.pointee.count &+= other.count
    }

    func export(_ state: UnsafePointer<MomentsState>, to columns: [Vector], row: Int) {
        let state = state.pointee
        columns[0].values(Int128.self)[row] = state.sum
        columns[1].values(UInt128.self)[row] = UInt128(state.squareMiddle) << 64 | UInt128(state.squareLow)
        columns[2].values(Int64.self)[row] = Int64(bitPattern: state.squareHigh)
        columns[3].values(Int64.self)[row] = state.count
    }

    func load(_ columns: [Vector], row: Int) -> MomentsState {
        var state = MomentsState()
        state.sum = columns[0].values(Int128.self)[row]
        let squares = columns[1].values(UInt128.self)[row]
        state.squareLow = UInt64(truncatingIfNeeded: squares)
        state.squareMiddle = UInt64(truncatingIfNeeded: squares >> 64)
        state.squareHigh = UInt64(bitPattern: columns[2].values(Int64.self)[row])
        state.count = columns[3].values(Int64.self)[row]
        return state
    }

    func finish(_ state: UnsafePointer<MomentsState>, to output: Vector, row: Int) throws {
        let state = state.pointee
        guard state.count > (result.isSample ? 1 : 0) else { return output.setNull(row) }
        let squares = Magnitude(limbs: [state.squareLow, state.squareMiddle, state.squareHigh])
        let value = result.value(
            sum: NumericValue(state.sum, scale: scale), squares: NumericValue(squares, scale: 2 * scale),
            count: state.count)
        output.setNumeric(try value.checked(), row)
    }
}

extension NumericVariance.Result {
    var isSample: Bool { self == .sampleVariance || self == .sampleDeviation }
    var isDeviation: Bool { self == .sampleDeviation || self == .populationDeviation }

    /// The result from exact sums, with as many digits as PostgreSQL gives.
    func value(sum: NumericValue, squares: NumericValue, count: Int64) -> NumericValue {
        guard sum.isFinite, squares.isFinite else { return .nan }
        let rows = NumericValue(count)
        let numerator = NumericValue.difference(NumericValue.product(rows, squares), NumericValue.product(sum, sum))
        if numerator.signum <= 0 { return .zero }
        let divisor = NumericValue.product(rows, isSample ? NumericValue(count - 1) : rows)
        let scale = NumericValue.quotientScale(numerator, divisor)
        let variance = NumericValue.finiteQuotient(numerator, divisor, scale: scale)
        return isDeviation ? NumericMath.squareRoot(variance, scale: scale) : variance
    }
}
