// Loops over vectors of numerics of any size: short values in 128 bits, the others one by one.

import Columnar
import Diagnostics

/// A finite value of less than 38 digits or so: unscaled and scale.
typealias SmallNumeric = (unscaled: Int128, scale: Int)

enum NumericKernel {
    /// Small results must stay below this, so that they read back as small ones.
    private static let smallBound: UInt128 = 1 << 119

    @inline(__always)
    private static func isSmall(_ value: Int128) -> Bool { value.magnitude < smallBound }

    /// Bytes of a value from which an operation may take milliseconds.
    private static let longByteCount = 2_000

    /// Between operations on long values a statement may end.
    private static func checkInterruption(_ view: UnsafePointer<StringView>) throws {
        if view.pointee.count > longByteCount { try Interruption.check() }
    }

    /// r = op(a) for every row that is not null. `fast` may decline by giving nothing.
    @inline(__always)
    static func unary(
        _ a: Vector, _ type: DataType, _ count: Int, fast: (SmallNumeric) -> SmallNumeric? = { _ in nil },
        _ op: (NumericValue) throws -> NumericValue
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.views
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let x = ViewColumn(a)
        let mayHaveNulls = a.mayHaveNulls
        var row = 0
        while row < count {
            if mayHaveNulls && a.isNull(row) {
                target[row] = StringView()
            } else if let small = NumericBlob.small(x.view(row)), let value = fast(small), isSmall(value.unscaled) {
                target[row] = NumericBlob.view(value.unscaled, scale: value.scale, heap: heap)
            } else {
                try checkInterruption(x.view(row))
                target[row] = NumericBlob.view(try op(NumericBlob.value(x.view(row))).checked(), heap: heap)
            }
            row &+= 1
        }
        result.pinned = heap.buffers
        return result
    }

    /// r = op(a, b) for every row where neither is null.
    @inline(__always)
    static func binary(
        _ a: Vector, _ b: Vector, _ type: DataType, _ count: Int,
        fast: (SmallNumeric, SmallNumeric) -> SmallNumeric? = { _, _ in nil },
        _ op: (NumericValue, NumericValue) throws -> NumericValue
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.views
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let x = ViewColumn(a)
        let y = ViewColumn(b)
        let mayHaveNulls = a.mayHaveNulls || b.mayHaveNulls
        var row = 0
        while row < count {
            if mayHaveNulls && (a.isNull(row) || b.isNull(row)) {
                target[row] = StringView()
            } else if let left = NumericBlob.small(x.view(row)), let right = NumericBlob.small(y.view(row)),
                let value = fast(left, right), isSmall(value.unscaled)
            {
                target[row] = NumericBlob.view(value.unscaled, scale: value.scale, heap: heap)
            } else {
                try checkInterruption(x.view(row))
                try checkInterruption(y.view(row))
                let value = try op(NumericBlob.value(x.view(row)), NumericBlob.value(y.view(row))).checked()
                target[row] = NumericBlob.view(value, heap: heap)
            }
            row &+= 1
        }
        result.pinned = heap.buffers
        return result
    }

    /// A plain value for every row that is not null.
    @inline(__always)
    static func map<R>(_ a: Vector, _ type: DataType, _ count: Int, _ op: (NumericValue) throws -> R) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let target = result.values(R.self)
        let width = type.physical.width
        let x = ViewColumn(a)
        for row in 0..<count {
            if a.isNull(row) {
                (result.data + row * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
            } else {
                try checkInterruption(x.view(row))
                target[row] = try op(NumericBlob.value(x.view(row)))
            }
        }
        return result
    }

    /// A numeric for every row of any arguments, which `op` reads itself. Rows with a null argument are left out.
    static func rows(
        _ arguments: [Vector], _ type: DataType, _ count: Int, _ op: (Int) throws -> NumericValue
    ) throws -> Vector {
        let result = Vector(flat: type, capacity: count)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        for row in 0..<count {
            try Interruption.check()
            result.views[row] =
                ValidityMask.isValid(arguments, row)
                ? NumericBlob.view(try op(row).checked(), heap: heap) : StringView()
        }
        result.pinned = heap.buffers
        return result
    }

    // MARK: Short values

    static func sum(_ a: SmallNumeric, _ b: SmallNumeric) -> SmallNumeric? {
        guard let (x, y, scale) = aligned(a, b) else { return nil }
        let (value, overflow) = x.addingReportingOverflow(y)
        return overflow ? nil : (value, scale)
    }

    static func difference(_ a: SmallNumeric, _ b: SmallNumeric) -> SmallNumeric? {
        guard let (x, y, scale) = aligned(a, b) else { return nil }
        let (value, overflow) = x.subtractingReportingOverflow(y)
        return overflow ? nil : (value, scale)
    }

    static func product(_ a: SmallNumeric, _ b: SmallNumeric) -> SmallNumeric? {
        let scale = a.scale &+ b.scale
        guard scale <= NumericValue.scaleMax else { return nil }
        let (value, overflow) = a.unscaled.multipliedReportingOverflow(by: b.unscaled)
        return overflow ? nil : (value, scale)
    }

    static func remainder(_ a: SmallNumeric, _ b: SmallNumeric) -> SmallNumeric? {
        guard b.unscaled != 0, b.unscaled != -1, let (x, y, scale) = aligned(a, b) else { return nil }
        return (x % y, scale)
    }

    /// The quotient with PostgreSQL's digits; nothing for a divisor of zero and for what does not fit.
    static func quotient(_ a: SmallNumeric, _ b: SmallNumeric) -> SmallNumeric? {
        if b.unscaled == 0 { return nil }
        let x = leadingGroup(a)
        let y = leadingGroup(b)
        let weight = x.weight - y.weight - (x.value <= y.value ? 1 : 0)
        let scale = min(
            NumericValue.resultScaleMax, max(NumericValue.significantDigitsMin - weight * 4, a.scale, b.scale, 0))
        let shift = scale - a.scale + b.scale
        guard shift >= 0, shift <= 38,
            let value = DecimalMath.multiplyDivide(a.unscaled, PowerOfTen.value(shift), b.unscaled)
        else { return nil }
        return (value, scale)
    }

    private static func aligned(_ a: SmallNumeric, _ b: SmallNumeric) -> (Int128, Int128, Int)? {
        if a.scale == b.scale { return (a.unscaled, b.unscaled, a.scale) }
        let difference = a.scale - b.scale
        guard difference.magnitude <= 38 else { return nil }
        let factor = PowerOfTen.value(Int(difference.magnitude))
        if difference < 0 {
            let (value, overflow) = a.unscaled.multipliedReportingOverflow(by: factor)
            return overflow ? nil : (value, b.unscaled, b.scale)
        }
        let (value, overflow) = b.unscaled.multipliedReportingOverflow(by: factor)
        return overflow ? nil : (a.unscaled, value, a.scale)
    }

    private static func digitCount(_ value: UInt128) -> Int {
        // log10(2) is a little more than 1233 / 4096.
        let estimate = ((128 - value.leadingZeroBitCount) * 1_233) >> 12
        return estimate < 39 && value >= UInt128(PowerOfTen.value(min(38, estimate))) ? estimate + 1 : estimate
    }

    /// As `NumericValue.leadingGroup`.
    private static func leadingGroup(_ number: SmallNumeric) -> (weight: Int, value: Int) {
        let magnitude = number.unscaled.magnitude
        if magnitude == 0 { return (0, 0) }
        let digits = digitCount(magnitude)
        let exponent = digits - 1 - number.scale
        let weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4)
        let kept = exponent - weight * 4 + 1
        let value =
            digits >= kept
            ? magnitude / UInt128(PowerOfTen.value(digits - kept))
            : magnitude * UInt128(PowerOfTen.value(kept - digits))
        return (weight, Int(truncatingIfNeeded: value))
    }
}
