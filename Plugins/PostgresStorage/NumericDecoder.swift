// The server's numerics: groups of four decimal digits, as scaled integers or as the engine's blobs.

import Columnar
import Diagnostics

/// The head of a numeric on the wire.
private struct NumericHead {
    var groupCount: Int
    /// The power of 10,000 that the first group counts.
    var weight: Int
    var sign: UInt16
    var scale: Int

    @inline(__always)
    init?(_ field: UnsafeRawPointer, _ length: Int) {
        guard length >= 8 else { return nil }
        groupCount = Int(Int16(bigEndian: field.loadUnaligned(as: Int16.self)))
        weight = Int(Int16(bigEndian: field.loadUnaligned(fromByteOffset: 2, as: Int16.self)))
        sign = UInt16(bigEndian: field.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        scale = Int(Int16(bigEndian: field.loadUnaligned(fromByteOffset: 6, as: Int16.self)))
        guard groupCount >= 0, length == 8 + groupCount * 2 else { return nil }
    }

    static let negative: UInt16 = 0x4000
    static let nan: UInt16 = 0xC000
    static let infinity: UInt16 = 0xD000
    static let minusInfinity: UInt16 = 0xF000
}

extension ColumnDecoder {
    private static let groupsSmall = 4

    /// numeric(p, s) as integers of `scale` digits behind the point.
    @inline(__always)
    func decimals<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ fields: FieldColumn, _: T.Type, precision: Int, scale: Int
    ) throws -> Vector {
        let vector = Vector(flat: type, capacity: fields.count)
        let values = vector.values(T.self)
        var failure: DecimalFailure?
        var row = 0
        while row < fields.count {
            let length = Int(fields.lengths[row])
            values[row] = 0
            if length < 0 {
                Validity.setNull(vector.ensureValidity(), row)
            } else {
                let field = UnsafeRawPointer(fields.bytes + Int(fields.starts[row]))
                switch Self.unscaled(field, length, scale: scale) {
                case .value(let value):
                    if let fitting = T(exactly: value) { values[row] = fitting } else { failure = .form }
                case .failed(let reason): failure = reason
                }
            }
            row &+= 1
        }
        switch failure {
        case nil: return vector
        case .form:
            throw QueryError(
                .protocolViolation, "a value of column \"\(columnName)\" has another form than its type says")
        case .special:
            throw QueryError(
                .featureNotSupported, "NaN in column \"\(columnName)\" of type \(type.sqlName) is not supported",
                hint: "Read it by a view of the server that casts it to numeric.", object: columnName)
        }
    }

    private enum DecimalFailure { case form, special }
    private enum Unscaled {
        case value(Int128)
        case failed(DecimalFailure)
    }

    @inline(__always)
    private static func unscaled(_ field: UnsafeRawPointer, _ length: Int, scale: Int) -> Unscaled {
        guard let head = NumericHead(field, length) else { return .failed(.form) }
        if head.sign > NumericHead.negative { return .failed(.special) }
        // Digits behind the point that the last group reaches to.
        let reach = (head.groupCount - 1 - head.weight) * 4
        var result: Int128
        if head.groupCount <= groupsSmall {
            var sum: Int64 = 0
            var index = 0
            while index < head.groupCount {
                sum = sum &* 10_000 &+ group(field, index)
                index &+= 1
            }
            if reach <= scale {
                guard let factor = power(scale - reach) else { return sum == 0 ? .value(0) : .failed(.form) }
                let (product, overflow) = Int128(sum).multipliedReportingOverflow(by: factor)
                if overflow { return .failed(.form) }
                result = product
            } else {
                // The last group has zeros where the scale ends within it.
                guard reach - scale < 4, let divisor = power(reach - scale) else { return .failed(.form) }
                let (quotient, remainder) = sum.quotientAndRemainder(dividingBy: Int64(divisor))
                if remainder != 0 { return .failed(.form) }
                result = Int128(quotient)
            }
        } else {
            result = 0
            var index = 0
            while index < head.groupCount {
                var digits = Int128(group(field, index))
                var factor: Int128 = 10_000
                let over = (index - head.weight) * 4 - scale
                if over > 0 {
                    guard over < 4, let divisor = power(over), digits % divisor == 0 else { return .failed(.form) }
                    digits /= divisor
                    factor /= divisor
                }
                let (product, overflow) = result.multipliedReportingOverflow(by: factor)
                if overflow { return .failed(.form) }
                result = product &+ digits
                index &+= 1
            }
            if reach < scale {
                guard let factor = power(scale - reach) else { return .failed(.form) }
                let (product, overflow) = result.multipliedReportingOverflow(by: factor)
                if overflow { return .failed(.form) }
                result = product
            }
        }
        return .value(head.sign == NumericHead.negative ? 0 &- result : result)
    }

    @inline(__always)
    private static func group(_ field: UnsafeRawPointer, _ index: Int) -> Int64 {
        Int64(UInt16(bigEndian: field.loadUnaligned(fromByteOffset: 8 &+ index &* 2, as: UInt16.self)))
    }

    private static let powers: [Int128] = (0...38).map { exponent in
        (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 }
    }
    @inline(__always)
    private static func power(_ exponent: Int) -> Int128? { exponent <= 38 ? powers[exponent] : nil }

    /// Numerics of any size.
    func numerics(_ fields: FieldColumn) throws -> Vector {
        let vector = Vector(flat: type, capacity: fields.count)
        let values = vector.views
        let heap = StringHeap()
        var row = 0
        while row < fields.count {
            let length = Int(fields.lengths[row])
            if length < 0 {
                values[row] = StringView()
                Validity.setNull(vector.ensureValidity(), row)
            } else {
                let field = UnsafeRawPointer(fields.bytes + Int(fields.starts[row]))
                guard let head = NumericHead(field, length), head.scale >= 0 else {
                    throw QueryError(
                        .protocolViolation, "a value of column \"\(columnName)\" has another form than its type says")
                }
                if head.sign <= NumericHead.negative, head.groupCount <= 8, head.scale <= 32,
                    case .value(let value) = Self.unscaled(field, length, scale: head.scale)
                {
                    values[row] = NumericBlob.view(value, scale: head.scale, heap: heap)
                } else {
                    values[row] = NumericBlob.view(try large(field, head), heap: heap)
                }
            }
            row &+= 1
        }
        vector.pinned = heap.buffers
        return vector
    }

    private func large(_ field: UnsafeRawPointer, _ head: NumericHead) throws -> NumericValue {
        switch head.sign {
        case NumericHead.nan: return .nan
        case NumericHead.infinity: return .infinity
        case NumericHead.minusInfinity: return .minusInfinity
        default: break
        }
        var magnitude = Magnitude()
        for index in 0..<head.groupCount {
            magnitude = magnitude * 10_000 + Magnitude(UInt64(Self.group(field, index)))
        }
        let reach = (head.groupCount - 1 - head.weight) * 4
        let exact =
            reach < 0
            ? NumericValue(magnitude.timesPowerOfTen(-reach), scale: 0) : NumericValue(magnitude, scale: reach)
        let shown = exact.rounded(toScale: head.scale)
        return head.sign == NumericHead.negative ? shown.negated : shown
    }
}
