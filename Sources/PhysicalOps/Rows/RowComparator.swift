// Comparing rows by sort keys, one pair at a time: for merging and for small sorts.

import Columnar
import QueryPlan
import SQLFunctions

/// Compares rows of flat key vectors. Dispatches once a key and pair; sorting many rows is better done on encoded keys.
package struct RowComparator {
    private struct Key {
        let isDescending: Bool
        let nullsFirst: Bool
    }
    private let keys: [Key]

    package init(_ keys: [SortKey]) {
        self.keys = keys.map { Key(isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
    }

    /// Negative, zero or positive. The vectors are flat, one for each sort key; keys in front of `first` are left out.
    package func compare(_ a: [Vector], _ rowA: Int, _ b: [Vector], _ rowB: Int, from first: Int = 0) -> Int {
        var index = first
        while index < keys.count {
            let key = keys[index]
            let vectorA = a[index]
            let vectorB = b[index]
            let nullA = vectorA.validity.map { !Validity.isValid($0, rowA) } ?? false
            let nullB = vectorB.validity.map { !Validity.isValid($0, rowB) } ?? false
            if nullA || nullB {
                if nullA != nullB { return nullA == key.nullsFirst ? -1 : 1 }
            } else {
                let result = ValueOrder.compare(vectorA, rowA, vectorB, rowB)
                if result != 0 { return key.isDescending ? -result : result }
            }
            index &+= 1
        }
        return 0
    }
}

/// The order of values of one type, as ORDER BY has it: NaN is the largest float, text compares bytewise.
package enum ValueOrder {
    /// Compares non-null values of flat vectors of the same type.
    package static func compare(_ a: Vector, _ rowA: Int, _ b: Vector, _ rowB: Int) -> Int {
        switch a.physical {
        case .boolean: order(a.values(UInt8.self)[rowA], b.values(UInt8.self)[rowB])
        case .int8: order(a.values(Int8.self)[rowA], b.values(Int8.self)[rowB])
        case .int16: order(a.values(Int16.self)[rowA], b.values(Int16.self)[rowB])
        case .int32: order(a.values(Int32.self)[rowA], b.values(Int32.self)[rowB])
        case .int64: order(a.values(Int64.self)[rowA], b.values(Int64.self)[rowB])
        case .int128: order(a.values(Int128.self)[rowA], b.values(Int128.self)[rowB])
        case .float32: orderFloats(Double(a.values(Float.self)[rowA]), Double(b.values(Float.self)[rowB]))
        case .float64: orderFloats(a.values(Double.self)[rowA], b.values(Double.self)[rowB])
        case .interval:
            order(
                a.values(IntervalValue.self)[rowA].comparisonMicroseconds,
                b.values(IntervalValue.self)[rowB].comparisonMicroseconds)
        case .uuid: orderUUIDs(a.values(UUIDValue.self)[rowA], b.values(UUIDValue.self)[rowB])
        case .view:
            // The bytes of an array are not in the order of its values.
            a.type.elementType == nil
                ? ViewKind(a.type).compare(a.views + rowA, b.views + rowB)
                : Comparison.compareValues(a, rowA, b, rowB)
        }
    }

    @inline(__always)
    private static func order<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }

    private static func orderFloats(_ a: Double, _ b: Double) -> Int {
        if a < b { return -1 }
        if a > b { return 1 }
        if a == b { return 0 }
        return (a.isNaN ? 1 : 0) - (b.isNaN ? 1 : 0)
    }

    private static func orderUUIDs(_ a: UUIDValue, _ b: UUIDValue) -> Int {
        a.high != b.high ? order(a.high, b.high) : order(a.low, b.low)
    }
}
