// Moving keys between vectors and rows, and comparing them: one loop a column.

import CKernels
import Columnar

private typealias Pair = SIMD2<UInt64>

extension GroupLayout {
    /// Says that no key of the given rows' groups is null.
    func clearNulls(
        groups: UnsafePointer<UnsafeMutableRawPointer>, rows: UnsafePointer<UInt16>, count: Int
    ) {
        var word = 0
        while word < nullWordCount {
            let offset = nullOffset &+ word &* 8
            var index = 0
            while index < count {
                (groups[Int(rows[index])] + offset).storeBytes(of: 0, as: UInt64.self)
                index &+= 1
            }
            word &+= 1
        }
    }

    /// Writes column `column` of the given rows into their groups. `key` is flat. Long text goes to `heap`, or stays where
    /// it is if there is none.
    func write(
        _ column: Int, _ key: Vector, groups: UnsafePointer<UnsafeMutableRawPointer>, rows: UnsafePointer<UInt16>,
        count: Int, heap: StringHeap?
    ) {
        let offset = keyOffsets[column]
        switch physical[column] {
        case .boolean, .int8: copy(key.values(UInt8.self), groups, rows, count, offset)
        case .int16: copy(key.values(UInt16.self), groups, rows, count, offset)
        case .int32, .float32: copy(key.values(UInt32.self), groups, rows, count, offset)
        case .int64, .float64: copy(key.values(UInt64.self), groups, rows, count, offset)
        case .int128, .interval, .uuid: copy(key.values(Pair.self), groups, rows, count, offset)
        case .view:
            var index = 0
            while index < count {
                let row = Int(rows[index])
                let isNull = key.validity.map { !Validity.isValid($0, row) } ?? false
                var view = StringView()
                if !isNull { view = heap?.copy(key.views[row]) ?? key.views[row] }
                (groups[row] + offset).storeBytes(of: view.head, as: UInt64.self)
                (groups[row] + (offset &+ 8)).storeBytes(of: view.tail, as: UInt64.self)
                index &+= 1
            }
        }
        if let validity = key.validity {
            var index = 0
            while index < count {
                let row = Int(rows[index])
                let isNull = !Validity.isValid(validity, row)
                (groups[row] + (nullOffset &+ column)).storeBytes(
                    of: unsafeBitCast(isNull, to: UInt8.self), as: UInt8.self)
                index &+= 1
            }
        }
    }

    @inline(__always)
    private func copy<T: BitwiseCopyable>(
        _ values: UnsafePointer<T>, _ groups: UnsafePointer<UnsafeMutableRawPointer>, _ rows: UnsafePointer<UInt16>,
        _ count: Int, _ offset: Int
    ) {
        var index = 0
        while index < count {
            let row = Int(rows[index])
            (groups[row] + offset).storeBytes(of: values[row], as: T.self)
            index &+= 1
        }
    }

    /// Reads a key of rows into a flat vector.
    func read(
        _ column: Int, rows: UnsafePointer<UnsafeMutableRawPointer>, count: Int, mayBeNull: Bool, heap: StringHeap
    ) -> Vector {
        let vector = Vector(flat: types[column], capacity: count)
        let offset = keyOffsets[column]
        switch physical[column] {
        case .boolean, .int8: load(vector.values(UInt8.self), rows, count, offset)
        case .int16: load(vector.values(UInt16.self), rows, count, offset)
        case .int32, .float32: load(vector.values(UInt32.self), rows, count, offset)
        case .int64, .float64: load(vector.values(UInt64.self), rows, count, offset)
        case .int128, .interval, .uuid: loadPairs(vector.values(UInt64.self), rows, count, offset)
        case .view:
            loadPairs(vector.values(UInt64.self), rows, count, offset)
            vector.pinned = [heap]
        }
        if mayBeNull {
            var words: UnsafeMutablePointer<UInt64>?
            let place = nullOffset &+ column
            var index = 0
            while index < count {
                if rows[index].load(fromByteOffset: place, as: UInt8.self) != 0 {
                    let bits = words ?? vector.ensureValidity()
                    words = bits
                    Validity.setNull(bits, index)
                }
                index &+= 1
            }
        }
        return vector
    }

    @inline(__always)
    private func load<T: BitwiseCopyable>(
        _ target: UnsafeMutablePointer<T>, _ rows: UnsafePointer<UnsafeMutableRawPointer>, _ count: Int, _ offset: Int
    ) {
        var index = 0
        while index < count {
            target[index] = rows[index].load(fromByteOffset: offset, as: T.self)
            index &+= 1
        }
    }

    /// 16-byte keys are 8-byte aligned only.
    @inline(__always)
    private func loadPairs(
        _ target: UnsafeMutablePointer<UInt64>, _ rows: UnsafePointer<UnsafeMutableRawPointer>, _ count: Int,
        _ offset: Int
    ) {
        var index = 0
        while index < count {
            target[index &* 2] = rows[index].load(fromByteOffset: offset, as: UInt64.self)
            target[index &* 2 &+ 1] = rows[index].load(fromByteOffset: offset &+ 8, as: UInt64.self)
            index &+= 1
        }
    }

    /// Compares column `column` of the candidate rows with their groups. Those that are equal stay in `candidates`, the
    /// others are added to `different`. Returns both new counts.
    func compare(
        _ column: Int, _ key: Vector, mayBeNull: Bool, groups: UnsafePointer<UnsafeMutableRawPointer>,
        candidates: UnsafeMutablePointer<UInt16>, _ count: Int, different: UnsafeMutablePointer<UInt16>, _ left: Int
    ) -> (Int, Int) {
        let offset = keyOffsets[column]
        let validity = mayBeNull || key.validity != nil ? key.validity : nil
        let checksNulls = mayBeNull || key.validity != nil
        let nullPlace = nullOffset &+ column

        @inline(__always)
        func run(_ isEqual: (Int, UnsafeMutableRawPointer) -> Bool) -> (Int, Int) {
            var equalCount = 0
            var differentCount = left
            var index = 0
            if checksNulls {
                while index < count {
                    let row = Int(candidates[index])
                    let group = groups[row]
                    let rowIsNull = validity.map { !Validity.isValid($0, row) } ?? false
                    let groupIsNull = group.load(fromByteOffset: nullPlace, as: UInt8.self) != 0
                    let equal = rowIsNull == groupIsNull && (rowIsNull || isEqual(row, group))
                    candidates[equalCount] = UInt16(truncatingIfNeeded: row)
                    different[differentCount] = UInt16(truncatingIfNeeded: row)
                    let bit = Int(unsafeBitCast(equal, to: UInt8.self))
                    equalCount &+= bit
                    differentCount &+= 1 &- bit
                    index &+= 1
                }
            } else {
                while index < count {
                    let row = Int(candidates[index])
                    let equal = isEqual(row, groups[row])
                    candidates[equalCount] = UInt16(truncatingIfNeeded: row)
                    different[differentCount] = UInt16(truncatingIfNeeded: row)
                    let bit = Int(unsafeBitCast(equal, to: UInt8.self))
                    equalCount &+= bit
                    differentCount &+= 1 &- bit
                    index &+= 1
                }
            }
            return (equalCount, differentCount)
        }

        switch physical[column] {
        case .boolean, .int8:
            let values = key.values(UInt8.self)
            return run { values[$0] == $1.load(fromByteOffset: offset, as: UInt8.self) }
        case .int16:
            let values = key.values(UInt16.self)
            return run { values[$0] == $1.load(fromByteOffset: offset, as: UInt16.self) }
        case .int32:
            let values = key.values(UInt32.self)
            return run { values[$0] == $1.load(fromByteOffset: offset, as: UInt32.self) }
        case .int64:
            let values = key.values(UInt64.self)
            return run { values[$0] == $1.load(fromByteOffset: offset, as: UInt64.self) }
        case .float32:
            let values = key.values(Float.self)
            return run { FloatKey.bits(values[$0]) == FloatKey.bits($1.load(fromByteOffset: offset, as: Float.self)) }
        case .float64:
            let values = key.values(Double.self)
            return run { FloatKey.bits(values[$0]) == FloatKey.bits($1.load(fromByteOffset: offset, as: Double.self)) }
        case .int128, .uuid:
            let values = key.values(UInt64.self)
            return run { row, group in
                let low = values[row &* 2] ^ group.load(fromByteOffset: offset, as: UInt64.self)
                let high = values[row &* 2 &+ 1] ^ group.load(fromByteOffset: offset &+ 8, as: UInt64.self)
                return low | high == 0
            }
        case .interval:
            let values = key.values(IntervalValue.self)
            return run { row, group in
                values[row].comparisonMicroseconds
                    == group.load(fromByteOffset: offset, as: IntervalValue.self).comparisonMicroseconds
            }
        case .view where !types[column].comparesByBytes:
            let views = key.views
            let kind = ViewKind(types[column])
            return run { row, group in
                let view = StringView(
                    head: group.load(fromByteOffset: offset, as: UInt64.self),
                    tail: group.load(fromByteOffset: offset &+ 8, as: UInt64.self))
                return withUnsafePointer(to: view) { kind.equal(views + row, $0) }
            }
        case .view:
            let views = key.views
            let kind = ViewKind(key.type)
            if !kind.isBytes {
                return run { row, group in
                    var view = StringView(
                        head: group.load(fromByteOffset: offset, as: UInt64.self),
                        tail: group.load(fromByteOffset: offset &+ 8, as: UInt64.self))
                    return withUnsafePointer(to: &view) { kind.equal(views + row, $0) }
                }
            }
            return run { row, group in
                StringView.equal(
                    views[row],
                    StringView(
                        head: group.load(fromByteOffset: offset, as: UInt64.self),
                        tail: group.load(fromByteOffset: offset &+ 8, as: UInt64.self)))
            }
        }
    }

    /// Adds column `column` to the packed words; a null row has no bits there and its flag set. `key` is flat.
    func pack(
        _ column: Int, _ key: Vector, words: [UnsafeMutablePointer<UInt64>], nullFlags: UnsafeMutablePointer<UInt64>,
        count: Int
    ) {
        let place = packedKeys[column]
        let target = words[place.word]
        let shift = UInt64(place.shift)
        let validity = key.validity
        let flag = UInt64(1) &<< UInt64(column)

        @inline(__always)
        func run(_ bits: (Int) -> UInt64) {
            var row = 0
            if let validity {
                while row < count {
                    let valid = (validity[row &>> 6] &>> UInt64(row & 63)) & 1
                    target[row] |= (bits(row) & (0 &- valid)) &<< shift
                    nullFlags[row] |= flag &* (1 &- valid)
                    row &+= 1
                }
            } else {
                while row < count {
                    target[row] |= bits(row) &<< shift
                    row &+= 1
                }
            }
        }

        switch physical[column] {
        case .boolean, .int8:
            let values = key.values(UInt8.self)
            run { UInt64(values[$0]) }
        case .int16:
            let values = key.values(UInt16.self)
            run { UInt64(values[$0]) }
        case .int32:
            let values = key.values(UInt32.self)
            run { UInt64(values[$0]) }
        case .int64:
            let values = key.values(UInt64.self)
            run { values[$0] }
        case .float32:
            let values = key.values(Float.self)
            run { UInt64(FloatKey.bits(values[$0])) }
        case .float64:
            let values = key.values(Double.self)
            run { FloatKey.bits(values[$0]) }
        case .int128, .uuid:
            let values = key.values(UInt64.self)
            run { values[$0 &* 2] }
            let high = words[1]
            var row = 0
            while row < count {
                let isValid = validity.map { Validity.isValid($0, row) } ?? true
                high[row] = isValid ? values[row &* 2 &+ 1] : 0
                row &+= 1
            }
        case .view, .interval: preconditionFailure("keys of this type are not packed")
        }
    }
}

/// Floats as group keys: -0 equals 0, every NaN equals every other.
enum FloatKey {
    @inline(__always)
    static func bits(_ value: Double) -> UInt64 {
        value == 0 ? 0 : value != value ? 0x7FF8_0000_0000_0000 : value.bitPattern
    }
    @inline(__always)
    static func bits(_ value: Float) -> UInt32 {
        value == 0 ? 0 : value != value ? 0x7FC0_0000 : value.bitPattern
    }
}
