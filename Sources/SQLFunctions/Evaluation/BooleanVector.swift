// Boolean vectors: selections, three-valued connectives, and validity bitmaps.

import Columnar

/// A Bool as 0 or 1, without a branch.
@inline(__always) func flag(_ value: Bool) -> UInt8 { unsafeBitCast(value, to: UInt8.self) }

enum BooleanVector {
    /// Rows that are true; `nil`: all of them.
    static func selection(of vector: Vector) -> Selection? {
        let count = vector.count
        switch vector.encoding {
        case .constant:
            let isTrue = !vector.isNull(0) && vector.values(UInt8.self)[0] != 0
            return isTrue ? nil : Selection(capacity: 0)
        case .dictionary: return selection(of: vector.flattened())
        case .flat: break
        }
        let result = Selection(capacity: count + 8)
        let flags = UnsafePointer(vector.values(UInt8.self))
        if let validity = vector.validity {
            result.count = compact(flags, validity, count, into: result.rows)
        } else {
            result.count = compact(flags, count, into: result.rows)
        }
        return result.count == count ? nil : result
    }

    /// Row numbers whose flag is set; skips eight rows at once where none is. Returns how many there are.
    static func compact(_ flags: UnsafePointer<UInt8>, _ count: Int, into rows: UnsafeMutablePointer<UInt16>) -> Int {
        let raw = UnsafeRawPointer(flags)
        var selected = 0
        var row = 0
        while row &+ 8 <= count {
            if raw.loadUnaligned(fromByteOffset: row, as: UInt64.self) != 0 {
                var lane = 0
                while lane < 8 {
                    rows[selected] = UInt16(truncatingIfNeeded: row &+ lane)
                    selected &+= Int(flags[row &+ lane])
                    lane &+= 1
                }
            }
            row &+= 8
        }
        while row < count {
            rows[selected] = UInt16(truncatingIfNeeded: row)
            selected &+= Int(flags[row])
            row &+= 1
        }
        return selected
    }

    private static func compact(
        _ flags: UnsafePointer<UInt8>, _ validity: UnsafePointer<UInt64>, _ count: Int,
        into rows: UnsafeMutablePointer<UInt16>
    ) -> Int {
        var selected = 0
        var row = 0
        while row < count {
            rows[selected] = UInt16(truncatingIfNeeded: row)
            let valid = UInt8(truncatingIfNeeded: validity[row &>> 6] &>> UInt64(row & 63)) & 1
            selected &+= Int(flags[row] & valid)
            row &+= 1
        }
        return selected
    }

    /// A flat boolean vector of one value.
    static func filled(_ value: Bool, count: Int) -> Vector {
        let vector = Vector(flat: .boolean, capacity: count)
        vector.values(UInt8.self).update(repeating: flag(value), count: count)
        return vector
    }

    /// AND or OR of vectors for all rows, three-valued.
    static func combine(_ operands: [Vector], isAnd: Bool, count: Int) -> Vector {
        var result = operands[0]
        for operand in operands.dropFirst() { result = combine(result, operand, isAnd: isAnd, count: count) }
        return result
    }

    private static func combine(_ a: Vector, _ b: Vector, isAnd: Bool, count: Int) -> Vector {
        for (constant, other) in [(a, b), (b, a)] where constant.encoding == .constant && !constant.isNull(0) {
            // TRUE AND x, FALSE OR x are x; FALSE AND x, TRUE OR x are the constant.
            let value = constant.values(UInt8.self)[0] != 0
            return value == isAnd ? other : constant
        }
        let x = a.flattened()
        let y = b.flattened()
        let result = Vector(flat: .boolean, capacity: count)
        let target = result.values(UInt8.self)
        let left = UnsafePointer(x.values(UInt8.self))
        let right = UnsafePointer(y.values(UInt8.self))
        if x.validity == nil && y.validity == nil {
            var row = 0
            if isAnd {
                while row < count {
                    target[row] = left[row] & right[row]
                    row &+= 1
                }
            } else {
                while row < count {
                    target[row] = left[row] | right[row]
                    row &+= 1
                }
            }
            return result
        }
        let words = result.ensureValidity()
        let absorbing: UInt8 = isAnd ? 0 : 1
        for row in 0..<count {
            let leftValid = x.validity.map { Validity.isValid($0, row) } ?? true
            let rightValid = y.validity.map { Validity.isValid($0, row) } ?? true
            if (leftValid && left[row] == absorbing) || (rightValid && right[row] == absorbing) {
                target[row] = absorbing
            } else if leftValid && rightValid {
                target[row] = 1 ^ absorbing
            } else {
                target[row] = 0
                Validity.setNull(words, row)
            }
        }
        return result
    }
}

/// Bitmaps of several vectors together.
enum ValidityMask {
    /// Clears in `result` the rows that are null in one of the flat or constant `arguments`; `result` is fresh or shared
    /// with an argument.
    static func apply(_ arguments: [Vector], to result: Vector, count: Int) -> Vector {
        let masks = arguments.filter { $0.encoding == .flat && $0.validity != nil }
        if masks.isEmpty { return result }
        if masks.count == 1, masks[0] === result { return result }
        let target: Vector
        if result.encoding != .flat {
            target = shallowCopy(result.flattened())
        } else {
            target = arguments.contains { $0 === result } ? shallowCopy(result) : result
        }
        if target.validity == nil && masks.count == 1 {
            target.validity = masks[0].validity
            target.validityOwner = masks[0].validityOwner
            return target
        }
        let buffer = Validity.make(rows: max(count, 1), valid: true)
        let words = buffer.base.assumingMemoryBound(to: UInt64.self)
        let wordCount = Validity.wordCount(count)
        for mask in masks + (target.validity == nil ? [] : [target]) {
            guard let source = mask.validity else { continue }
            var word = 0
            while word < wordCount {
                words[word] &= source[word]
                word &+= 1
            }
        }
        target.validity = words
        target.validityOwner = buffer
        return target
    }

    /// Another vector over the same memory, whose validity may be changed.
    static func shallowCopy(_ vector: Vector) -> Vector {
        let copy = Vector(
            type: vector.type, encoding: vector.encoding, count: vector.count, data: vector.data,
            dataOwner: vector.dataOwner, dictionary: vector.dictionary, pinned: vector.pinned)
        copy.validity = vector.validity
        copy.validityOwner = vector.validityOwner
        return copy
    }

    /// Whether no argument is null in a row. For the slow passes that look for the row to blame.
    static func isValid(_ arguments: [Vector], _ row: Int) -> Bool {
        for argument in arguments where argument.isNull(row) { return false }
        return true
    }
}
