// Gathering: new vectors from the chosen rows of old ones.

import CKernels

extension Vector {
    /// The selected rows as a dense vector of the same encoding. Strings keep pointing into the same memory.
    package func gathered(_ selection: Selection) -> Vector {
        let rows = selection.rows
        let count = selection.count
        switch encoding {
        case .constant: return constantCopy(count: count)
        case .flat:
            let result = Vector(flat: type, capacity: count)
            gatherBytes(from: data, to: result.data, width: physical.width, rows: rows, count: count)
            result.pinned = pinned.isEmpty && physical != .view ? [] : pinned + [dataOwner]
            gatherValidity(into: result, rows: rows, count: count)
            return result
        case .dictionary:
            let codes = Buffer(byteCount: max(1, count) * 4)
            gatherBytes(from: data, to: codes.base, width: 4, rows: rows, count: count)
            let result = Vector(codes: codes, count: count, dictionary: dictionary.unsafelyUnwrapped)
            gatherValidity(into: result, rows: rows, count: count)
            return result
        }
    }

    /// A constant of the same value for another number of rows.
    package func constantCopy(count: Int) -> Vector {
        precondition(encoding == .constant, "only a constant can be stretched")
        let result = Vector(
            type: type, encoding: .constant, count: count, data: data, dataOwner: dataOwner, pinned: pinned)
        result.validity = validity
        result.validityOwner = validityOwner
        return result
    }

    private func gatherValidity(into result: Vector, rows: UnsafePointer<UInt16>, count: Int) {
        guard let validity else { return }
        let target = Validity.make(rows: count, valid: false)
        let words = target.base.assumingMemoryBound(to: UInt64.self)
        var index = 0
        while index < count {
            let row = Int(rows[index])
            words[index &>> 6] |= ((validity[row &>> 6] &>> UInt64(row & 63)) & 1) &<< UInt64(index & 63)
            index &+= 1
        }
        result.validityOwner = target
        result.validity = words
    }

    /// Constant and dictionary vectors as flat ones; flat vectors as they are.
    package func flattened() -> Vector {
        switch encoding {
        case .flat: return self
        case .constant:
            let result = Vector(flat: type, capacity: count)
            let width = physical.width
            switch width {
            case 1: result.values(UInt8.self).update(repeating: values(UInt8.self)[0], count: count)
            case 2: result.values(UInt16.self).update(repeating: values(UInt16.self)[0], count: count)
            case 4: result.values(UInt32.self).update(repeating: values(UInt32.self)[0], count: count)
            case 8: result.values(UInt64.self).update(repeating: values(UInt64.self)[0], count: count)
            default: result.values(Wide.self).update(repeating: values(Wide.self)[0], count: count)
            }
            result.pinned = pinned
            if let validity, !Validity.isValid(validity, 0) {
                let words = Validity.make(rows: count, valid: false)
                result.validityOwner = words
                result.validity = words.base.assumingMemoryBound(to: UInt64.self)
            }
            return result
        case .dictionary:
            let entries = dictionary.unsafelyUnwrapped
            let result = Vector(flat: type, capacity: count)
            gatherBytes(from: entries.data, to: result.data, width: physical.width, codes: codes, count: count)
            result.pinned = physical == .view ? entries.pinned + [entries.dataOwner] : []
            if validity != nil || entries.validity != nil {
                let target = Validity.make(rows: count, valid: true)
                let words = target.base.assumingMemoryBound(to: UInt64.self)
                var row = 0
                while row < count {
                    if isNull(row) { Validity.setNull(words, row) }
                    row &+= 1
                }
                result.validityOwner = target
                result.validity = words
            }
            return result
        }
    }
}

/// Any 16-byte value, for copying.
@usableFromInline typealias Wide = SIMD2<UInt64>

/// Copies `count` values of `width` bytes from the given rows.
private func gatherBytes(
    from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, width: Int, rows: UnsafePointer<UInt16>,
    count: Int
) {
    switch width {
    case 1: gather(source.assumingMemoryBound(to: UInt8.self), target.assumingMemoryBound(to: UInt8.self), rows, count)
    case 2:
        gather(source.assumingMemoryBound(to: UInt16.self), target.assumingMemoryBound(to: UInt16.self), rows, count)
    case 4:
        gather(source.assumingMemoryBound(to: UInt32.self), target.assumingMemoryBound(to: UInt32.self), rows, count)
    case 8:
        gather(source.assumingMemoryBound(to: UInt64.self), target.assumingMemoryBound(to: UInt64.self), rows, count)
    default: gather(source.assumingMemoryBound(to: Wide.self), target.assumingMemoryBound(to: Wide.self), rows, count)
    }
}

private func gatherBytes(
    from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, width: Int, codes: UnsafePointer<UInt32>,
    count: Int
) {
    switch width {
    case 1: gather(source.assumingMemoryBound(to: UInt8.self), target.assumingMemoryBound(to: UInt8.self), codes, count)
    case 2:
        gather(source.assumingMemoryBound(to: UInt16.self), target.assumingMemoryBound(to: UInt16.self), codes, count)
    case 4:
        gather(source.assumingMemoryBound(to: UInt32.self), target.assumingMemoryBound(to: UInt32.self), codes, count)
    case 8:
        gather(source.assumingMemoryBound(to: UInt64.self), target.assumingMemoryBound(to: UInt64.self), codes, count)
    default: gather(source.assumingMemoryBound(to: Wide.self), target.assumingMemoryBound(to: Wide.self), codes, count)
    }
}

@inline(__always)
private func gather<T, Index: FixedWidthInteger>(
    _ source: UnsafePointer<T>, _ target: UnsafeMutablePointer<T>, _ rows: UnsafePointer<Index>, _ count: Int
) {
    var index = 0
    while index < count {
        target[index] = source[Int(truncatingIfNeeded: rows[index])]
        index &+= 1
    }
}
