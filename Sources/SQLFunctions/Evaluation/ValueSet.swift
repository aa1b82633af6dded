// Sets of literals for IN: a few values are compared one after the other, many are hashed.

import Columnar

/// An immutable set of values of one type.
final class ValueSet {
    private let values: Vector
    private let physical: PhysicalType
    /// Open addressing over positions + 1 in `values`; empty for small sets.
    private let table: [UInt32]
    private let mask: Int
    /// Integers within a small span have one byte each.
    private let bitmap: [UInt8]
    private let least: Int64

    private static let linearCountMax = 6
    private static let spanMax: Int64 = 4096

    init(_ literals: [ScalarValue], type: DataType) {
        let builder = VectorBuilder(type: type, capacity: max(1, literals.count))
        for literal in literals { builder.append(literal) }
        values = builder.finish()
        physical = type.physical
        var bitmap: [UInt8] = []
        var least: Int64 = 0
        let integers = literals.compactMap { literal -> Int64? in
            switch literal {
            case .integer(let value): value
            case .decimal(let value): Int64(exactly: value)
            default: nil
            }
        }
        if integers.count == literals.count, let low = integers.min(), let high = integers.max(), physical != .int128,
            high.subtractingReportingOverflow(low).overflow == false, high - low < ValueSet.spanMax
        {
            least = low
            bitmap = [UInt8](repeating: 0, count: Int(high - low) + 1)
            for value in integers { bitmap[Int(value - low)] = 1 }
        }
        self.bitmap = bitmap
        self.least = least
        guard literals.count > ValueSet.linearCountMax, bitmap.isEmpty else {
            table = []
            mask = 0
            return
        }
        var size = 16
        while size < literals.count * 2 { size *= 2 }
        var slots = [UInt32](repeating: 0, count: size)
        let hashes = Buffer(byteCount: literals.count * 8)
        let hash = hashes.base.assumingMemoryBound(to: UInt64.self)
        Hashing.hash(values, into: hash, combining: false)
        for index in literals.indices {
            var slot = Int(truncatingIfNeeded: hash[index]) & (size - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = UInt32(index + 1)
        }
        table = slots
        mask = size - 1
    }

    /// Writes 1 for the rows of a flat or constant vector that are in the set.
    func contains(_ vector: Vector, count: Int, into target: UnsafeMutablePointer<UInt8>) {
        switch physical {
        case .boolean: integers(vector, UInt8.self, count, target)
        case .int8: integers(vector, Int8.self, count, target)
        case .int16: integers(vector, Int16.self, count, target)
        case .int32: integers(vector, Int32.self, count, target)
        case .int64: integers(vector, Int64.self, count, target)
        case .int128: general(vector, count, target, equals(Int128.self))
        case .float32:
            general(vector, count, target) { [values] a, row, entry in
                FloatOrder.equal(a.values(Float.self)[row], values.values(Float.self)[entry])
            }
        case .float64:
            general(vector, count, target) { [values] a, row, entry in
                FloatOrder.equal(a.values(Double.self)[row], values.values(Double.self)[entry])
            }
        case .interval:
            general(vector, count, target) { [values] a, row, entry in
                a.values(IntervalValue.self)[row].comparisonMicroseconds
                    == values.values(IntervalValue.self)[entry].comparisonMicroseconds
            }
        case .uuid: general(vector, count, target, equals(UUIDValue.self))
        case .view: views(vector, count, target)
        }
    }

    private func equals<T: Equatable>(_: T.Type) -> (Vector, Int, Int) -> Bool {
        { [values] a, row, entry in a.values(T.self)[row] == values.values(T.self)[entry] }
    }

    @inline(__always)
    private func integers<T: FixedWidthInteger>(
        _ vector: Vector, _: T.Type, _ count: Int, _ target: UnsafeMutablePointer<UInt8>
    ) {
        let source = UnsafePointer(vector.values(T.self))
        if !bitmap.isEmpty {
            let span = UInt64(bitmap.count)
            let base = least
            bitmap.withUnsafeBufferPointer { table in
                guard let entries = table.baseAddress else { return }
                var row = 0
                while row < count {
                    let offset = UInt64(bitPattern: Int64(truncatingIfNeeded: source[row]) &- base)
                    target[row] = offset < span ? entries[Int(offset)] : 0
                    row &+= 1
                }
            }
            return
        }
        if table.isEmpty {
            target.update(repeating: 0, count: count)
            let wanted = UnsafePointer(values.values(T.self))
            for entry in 0..<values.count {
                let value = wanted[entry]
                var row = 0
                while row < count {
                    target[row] |= flag(source[row] == value)
                    row &+= 1
                }
            }
            return
        }
        probe(vector, count, target) { [values] row, entry in source[row] == values.values(T.self)[entry] }
    }

    private func views(_ vector: Vector, _ count: Int, _ target: UnsafeMutablePointer<UInt8>) {
        let source = UnsafePointer(vector.views)
        let wanted = UnsafePointer(values.views)
        let kind = ViewKind(values.type)
        if !kind.isBytes {
            return general(vector, count, target) { a, row, entry in kind.equal(a.views + row, wanted + entry) }
        }
        if table.isEmpty {
            target.update(repeating: 0, count: count)
            for entry in 0..<values.count {
                let value = wanted[entry]
                var row = 0
                while row < count {
                    target[row] |= flag(StringView.equal(source[row], value))
                    row &+= 1
                }
            }
            return
        }
        probe(vector, count, target) { row, entry in StringView.equal(source[row], wanted[entry]) }
    }

    private func general(
        _ vector: Vector, _ count: Int, _ target: UnsafeMutablePointer<UInt8>, _ equal: (Vector, Int, Int) -> Bool
    ) {
        if !table.isEmpty { return probe(vector, count, target) { row, entry in equal(vector, row, entry) } }
        for row in 0..<count {
            var found = false
            for entry in 0..<values.count where equal(vector, row, entry) { found = true }
            target[row] = flag(found)
        }
    }

    @inline(__always)
    private func probe(
        _ vector: Vector, _ count: Int, _ target: UnsafeMutablePointer<UInt8>, _ equal: (Int, Int) -> Bool
    ) {
        let hashes = Buffer(byteCount: max(1, count) * 8)
        let hash = hashes.base.assumingMemoryBound(to: UInt64.self)
        Hashing.hash(vector, into: hash, combining: false)
        table.withUnsafeBufferPointer { slots in
            var row = 0
            while row < count {
                var slot = Int(truncatingIfNeeded: hash[row]) & mask
                var found: UInt8 = 0
                while slots[slot] != 0 {
                    if equal(row, Int(slots[slot]) &- 1) {
                        found = 1
                        break
                    }
                    slot = (slot &+ 1) & mask
                }
                target[row] = found
                row &+= 1
            }
        }
    }
}
