// Casts between numerics of any size and the other numbers.

import Columnar
import Diagnostics

struct NumericBlobCast {
    let cast: FlatCast

    init(cast: FlatCast) { self.cast = cast }

    func run() throws -> Vector {
        if case .numeric(let modifier) = cast.target {
            return cast.source.type.isNumericBlob ? try constrain(modifier) : try toNumeric(modifier)
        }
        switch cast.target {
        case .int8: return try toInteger(Int8.self)
        case .int16: return try toInteger(Int16.self)
        case .int32: return try toInteger(Int32.self)
        case .int64: return try toInteger(Int64.self)
        case .float32:
            return try map { value -> Float in
                let double = value.double
                let narrow = Float(double)
                if value.isFinite, narrow.isInfinite || (narrow == 0 && !value.isZero) {
                    throw unrepresentable(value, "real")
                }
                return narrow
            }
        case .float64:
            return try map { value -> Double in
                let double = value.double
                if value.isFinite, double.isInfinite || (double == 0 && !value.isZero) {
                    throw unrepresentable(value, "double precision")
                }
                return double
            }
        case .decimal(let precision, let scale): return try toDecimal(precision, scale)
        default:
            throw QueryError(
                .cannotCoerce,
                "cannot cast type \(TypeConversion.displayName(cast.source.type)) to \(TypeConversion.displayName(cast.target))"
            )
        }
    }

    private func unrepresentable(_ value: NumericValue, _ type: String) -> QueryError {
        QueryError(.numericValueOutOfRange, "\"\(value.text)\" is out of range for type \(type)")
    }

    /// Every row that is not null by `op`; with a lenient cast, what fails is NULL.
    private func map<R>(_ op: (NumericValue) throws -> R) throws -> Vector {
        let result = Vector(flat: cast.target, capacity: cast.count)
        let output = result.values(R.self)
        for row in 0..<cast.count {
            if cast.source.isNull(row) {
                clear(result, row)
                continue
            }
            do { output[row] = try op(NumericBlob.value(cast.source.views + row)) } catch {
                if cast.kind != .lenient { throw error }
                result.setNull(row)
            }
        }
        return result
    }

    private func clear(_ vector: Vector, _ row: Int) {
        let width = vector.physical.width
        (vector.data + row * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
    }

    private func toInteger<R: FixedWidthInteger>(_: R.Type) throws -> Vector {
        let name = TypeConversion.displayName(cast.target)
        return try map { value -> R in
            guard value.isFinite else {
                throw QueryError(
                    .featureNotSupported, "cannot convert \(value.isNaN ? "NaN" : "infinity") to \(name)")
            }
            guard let wide = value.int64, let narrow = R(exactly: wide) else { throw Casting.outOfRange(cast.target) }
            return narrow
        }
    }

    private func toDecimal(_ precision: Int, _ scale: Int) throws -> Vector {
        func convert(_ value: NumericValue) throws -> Int128 {
            if let unscaled = value.unscaled(precision: precision, scale: scale) { return unscaled }
            if value.isNaN {
                throw QueryError(
                    .featureNotSupported, "NaN does not fit numeric(\(precision),\(scale))",
                    hint: "Columns of type numeric without modifiers hold NaN.")
            }
            _ = try value.constrained(to: NumericModifier(precision: precision, scale: scale))
            throw TextFormat.decimalOverflow(precision: precision, scale: scale)
        }
        if cast.target.physical == .int64 { return try map { Int64(truncatingIfNeeded: try convert($0)) } }
        return try map(convert)
    }

    // MARK: To numeric

    private func constrain(_ modifier: NumericModifier?) throws -> Vector {
        guard let modifier else { return cast.source.retyped(cast.target) }
        return try numerics { try NumericBlob.value(cast.source.views + $0).constrained(to: modifier) }
    }

    private func toNumeric(_ modifier: NumericModifier?) throws -> Vector {
        let source = cast.source
        guard modifier == nil, !source.type.isFloat else {
            return try numerics { row in
                let value = value(row)
                return try modifier.map { modifier throws(QueryError) in try value.constrained(to: modifier) } ?? value
            }
        }
        let scale = source.type.scale
        switch source.physical {
        case .int8: return integers(Int8.self, scale)
        case .int16: return integers(Int16.self, scale)
        case .int32: return integers(Int32.self, scale)
        case .int64: return integers(Int64.self, scale)
        case .int128: return integers(Int128.self, scale)
        default: throw QueryError.internalError("a numeric cast of \(source.type.sqlName)")
        }
    }

    @inline(__always)
    private func integers<T: FixedWidthInteger>(_: T.Type, _ scale: Int) -> Vector {
        let result = Vector(flat: cast.target, capacity: cast.count)
        let target = result.views
        let source = UnsafePointer(cast.source.values(T.self))
        let heap = StringHeap(chunkByteCount: 4 << 10)
        let count = cast.count
        var row = 0
        while row < count {
            target[row] = NumericBlob.view(Int128(truncatingIfNeeded: source[row]), scale: scale, heap: heap)
            row &+= 1
        }
        result.pinned = heap.buffers
        return result
    }

    private func numerics(_ op: (Int) throws -> NumericValue) throws -> Vector {
        let result = Vector(flat: cast.target, capacity: cast.count)
        let heap = StringHeap(chunkByteCount: 4 << 10)
        for row in 0..<cast.count {
            result.views[row] = StringView()
            if cast.source.isNull(row) { continue }
            do { result.views[row] = NumericBlob.view(try op(row), heap: heap) } catch {
                if cast.kind != .lenient { throw error }
                result.setNull(row)
            }
        }
        result.pinned = heap.buffers
        return result
    }

    private func value(_ row: Int) -> NumericValue {
        let source = cast.source
        switch source.physical {
        case .float32: return NumericValue(Double(source.values(Float.self)[row]), significantDigits: 6)
        case .float64: return NumericValue(source.values(Double.self)[row], significantDigits: 15)
        default:
            switch source.value(at: row) {
            case .integer(let value): return NumericValue(value)
            case .decimal(let value): return NumericValue(value, scale: source.type.scale)
            default: return .zero
            }
        }
    }
}

extension Vector {
    /// Writes a numeric into a row of a flat vector; a long one gets memory of its own.
    func setNumeric(_ value: NumericValue, _ row: Int) {
        if value.kind == .finite, let small = value.magnitude.small,
            let view = NumericBlob.inlineView(
                small, isNegative: value.isNegative, scale: value.scale)
        {
            views[row] = view
            return
        }
        let heap = StringHeap(chunkByteCount: 32)
        views[row] = NumericBlob.view(value, heap: heap)
        if !heap.buffers.isEmpty { pinned += heap.buffers as [any AnyObject] }
    }

    /// The same for a finite value of at most 38 digits.
    func setNumeric(_ unscaled: Int128, scale: Int, _ row: Int) {
        if let view = NumericBlob.inlineView(unscaled.magnitude, isNegative: unscaled < 0, scale: scale) {
            views[row] = view
        } else {
            setNumeric(NumericValue(unscaled, scale: scale), row)
        }
    }
}
