// Comparing rows by sort keys, one pair at a time: for merging and for small sorts.

import Columnar
import QueryPlan
import SQLFunctions

/// The key vectors of some rows, laid open: comparing rows counts no references.
package struct RowKeys {
    fileprivate struct Column {
        let physical: PhysicalType
        /// Whether views compare by their bytes.
        let comparesBytes: Bool
        let data: UnsafeMutableRawPointer
        let validity: UnsafeMutablePointer<UInt64>?
        unowned(unsafe) let vector: Vector

        @inline(__always)
        func value<T>(_ row: Int) -> T { data.assumingMemoryBound(to: T.self)[row] }

        @inline(__always)
        func view(_ row: Int) -> UnsafePointer<StringView> {
            UnsafePointer(data.assumingMemoryBound(to: StringView.self)) + row
        }
    }

    /// One for each sort key.
    package let vectors: [Vector]
    private let buffer: Buffer

    /// The vectors are flat and over the same rows.
    package init(_ vectors: [Vector]) {
        self.vectors = vectors
        buffer = Buffer(byteCount: max(1, vectors.count) * MemoryLayout<Column>.stride)
        let columns = buffer.base.assumingMemoryBound(to: Column.self)
        for (index, vector) in vectors.enumerated() {
            (columns + index).initialize(
                to: Column(
                    physical: vector.physical,
                    comparesBytes: vector.type.elementType == nil && ViewKind(vector.type).isBytes, data: vector.data,
                    validity: vector.validity, vector: vector))
        }
    }

    fileprivate var columns: UnsafePointer<Column> { UnsafePointer(buffer.base.assumingMemoryBound(to: Column.self)) }
}

/// Compares rows by their keys. Dispatches once a key and pair; sorting many rows is better done on encoded keys.
package struct RowComparator {
    private struct Key {
        let isDescending: Bool
        let nullsFirst: Bool
    }
    private let keys: [Key]

    package init(_ keys: [SortKey]) {
        self.keys = keys.map { Key(isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
    }

    /// Negative, zero or positive. Keys in front of `first` are left out.
    package func compare(_ a: RowKeys, _ rowA: Int, _ b: RowKeys, _ rowB: Int, from first: Int = 0) -> Int {
        keys.withUnsafeBufferPointer { keys in
            let (columnsA, columnsB) = (a.columns, b.columns)
            defer { withExtendedLifetime((a, b)) {} }
            var index = first
            while index < keys.count {
                let result = RowComparator.compare(
                    columnsA + index, rowA, columnsB + index, rowB, nullsFirst: keys[index].nullsFirst)
                switch result {
                case .equal: break
                case .nullOrder(let order): return order
                case .valueOrder(let order): return keys[index].isDescending ? -order : order
                }
                index &+= 1
            }
            return 0
        }
    }

    private enum Outcome {
        case equal
        /// One of them is NULL: the direction of the key has no say.
        case nullOrder(Int)
        case valueOrder(Int)
    }

    @inline(__always)
    private static func compare(
        _ a: UnsafePointer<RowKeys.Column>, _ rowA: Int, _ b: UnsafePointer<RowKeys.Column>, _ rowB: Int,
        nullsFirst: Bool
    ) -> Outcome {
        let nullA = a.pointee.validity.map { !Validity.isValid($0, rowA) } ?? false
        let nullB = b.pointee.validity.map { !Validity.isValid($0, rowB) } ?? false
        if nullA || nullB {
            return nullA == nullB ? .equal : .nullOrder(nullA == nullsFirst ? -1 : 1)
        }
        let order = ValueOrder.compare(a, rowA, b, rowB)
        return order == 0 ? .equal : .valueOrder(order)
    }
}

/// The order of values of one type, as ORDER BY has it: NaN is the largest float, text compares bytewise.
private enum ValueOrder {
    /// Compares non-null values of the same type.
    static func compare(
        _ a: UnsafePointer<RowKeys.Column>, _ rowA: Int, _ b: UnsafePointer<RowKeys.Column>, _ rowB: Int
    ) -> Int {
        switch a.pointee.physical {
        case .boolean: order(a.pointee.value(rowA) as UInt8, b.pointee.value(rowB))
        case .int8: order(a.pointee.value(rowA) as Int8, b.pointee.value(rowB))
        case .int16: order(a.pointee.value(rowA) as Int16, b.pointee.value(rowB))
        case .int32: order(a.pointee.value(rowA) as Int32, b.pointee.value(rowB))
        case .int64: order(a.pointee.value(rowA) as Int64, b.pointee.value(rowB))
        case .int128: order(a.pointee.value(rowA) as Int128, b.pointee.value(rowB))
        case .float32: orderFloats(Double(a.pointee.value(rowA) as Float), Double(b.pointee.value(rowB) as Float))
        case .float64: orderFloats(a.pointee.value(rowA), b.pointee.value(rowB))
        case .interval:
            order(
                (a.pointee.value(rowA) as IntervalValue).comparisonMicroseconds,
                (b.pointee.value(rowB) as IntervalValue).comparisonMicroseconds)
        case .uuid: orderUUIDs(a.pointee.value(rowA), b.pointee.value(rowB))
        case .view:
            a.pointee.comparesBytes
                ? StringView.compare(a.pointee.view(rowA), b.pointee.view(rowB)) : orderViews(a, rowA, b, rowB)
        }
    }

    private static func orderViews(
        _ a: UnsafePointer<RowKeys.Column>, _ rowA: Int, _ b: UnsafePointer<RowKeys.Column>, _ rowB: Int
    ) -> Int {
        let (vectorA, vectorB) = (a.pointee.vector, b.pointee.vector)
        // The bytes of an array are not in the order of its values.
        return vectorA.type.elementType == nil
            ? ViewKind(vectorA.type).compare(a.pointee.view(rowA), b.pointee.view(rowB))
            : Comparison.compareValues(vectorA, rowA, vectorB, rowB)
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
