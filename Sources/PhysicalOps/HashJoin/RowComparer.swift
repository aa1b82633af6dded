// Equality of keys, column by column: build rows with build rows, and probe rows with build rows.

import CKernels
import Columnar
import QueryPlan

/// Compares key columns. Confined to one thread; vectors are flat.
struct RowComparer {
    private struct Column {
        let vector: Vector
        let physical: PhysicalType
        /// Whether views are equal only if their bytes are.
        let comparesByBytes: Bool
        let nullsAreEqual: Bool
    }
    private let columns: [Column]

    init(store: RowStore, layout: JoinLayout) {
        columns = layout.keyPositions.enumerated().map { index, position in
            Column(
                vector: store.columns[position], physical: store.columns[position].physical,
                comparesByBytes: store.columns[position].type.comparesByBytes,
                nullsAreEqual: layout.plan.nullsAreEqual[index])
        }
    }

    /// Whether two build rows have equal keys.
    func equal(_ a: Int, _ b: Int) -> Bool {
        for column in columns where !equalValues(column.vector, a, column.vector, b, column.nullsAreEqual) {
            return false
        }
        return true
    }

    /// Keeps the pairs (probe row, build row) with equal keys: compacts both lists in place and returns how many are left.
    func filter(
        _ probe: [Vector], probeRows: UnsafeMutablePointer<UInt16>, buildRows: UnsafeMutablePointer<UInt32>, count: Int
    ) -> Int {
        var left = count
        for (index, column) in columns.enumerated() {
            if left == 0 { return 0 }
            left = filterColumn(column, probe[index], probeRows, buildRows, left)
        }
        return left
    }

    private func filterColumn(
        _ column: Column, _ probe: Vector, _ probeRows: UnsafeMutablePointer<UInt16>,
        _ buildRows: UnsafeMutablePointer<UInt32>, _ count: Int
    ) -> Int {
        let hasNulls = probe.validity != nil || column.vector.validity != nil
        if !hasNulls {
            switch column.physical {
            case .boolean, .int8:
                return compact(probe.values(UInt8.self), column.vector.values(UInt8.self), probeRows, buildRows, count)
            case .int16:
                return compact(
                    probe.values(UInt16.self), column.vector.values(UInt16.self), probeRows, buildRows, count)
            case .int32:
                return compact(
                    probe.values(UInt32.self), column.vector.values(UInt32.self), probeRows, buildRows, count)
            case .int64:
                return compact(
                    probe.values(UInt64.self), column.vector.values(UInt64.self), probeRows, buildRows, count)
            case .int128, .uuid:
                return compact(
                    probe.values(UInt128.self), column.vector.values(UInt128.self), probeRows, buildRows, count)
            case .view where column.comparesByBytes:
                return compactViews(probe.views, column.vector.views, probeRows, buildRows, count)
            case .float32, .float64, .interval, .view: break
            }
        }
        var kept = 0
        var pair = 0
        while pair < count {
            let probeRow = Int(probeRows[pair])
            let buildRow = Int(buildRows[pair])
            if equalValues(probe, probeRow, column.vector, buildRow, column.nullsAreEqual) {
                probeRows[kept] = probeRows[pair]
                buildRows[kept] = buildRows[pair]
                kept &+= 1
            }
            pair &+= 1
        }
        return kept
    }

    @inline(__always)
    private func compact<T: Equatable>(
        _ probe: UnsafePointer<T>, _ build: UnsafePointer<T>, _ probeRows: UnsafeMutablePointer<UInt16>,
        _ buildRows: UnsafeMutablePointer<UInt32>, _ count: Int
    ) -> Int {
        var kept = 0
        var pair = 0
        while pair < count {
            let probeRow = probeRows[pair]
            let buildRow = buildRows[pair]
            probeRows[kept] = probeRow
            buildRows[kept] = buildRow
            let same = probe[Int(probeRow)] == build[Int(buildRow)]
            kept &+= Int(unsafeBitCast(same, to: UInt8.self))
            pair &+= 1
        }
        return kept
    }

    private func compactViews(
        _ probe: UnsafePointer<StringView>, _ build: UnsafePointer<StringView>,
        _ probeRows: UnsafeMutablePointer<UInt16>, _ buildRows: UnsafeMutablePointer<UInt32>, _ count: Int
    ) -> Int {
        var kept = 0
        var pair = 0
        while pair < count {
            let probeRow = probeRows[pair]
            let buildRow = buildRows[pair]
            probeRows[kept] = probeRow
            buildRows[kept] = buildRow
            let same = StringView.equal(probe[Int(probeRow)], build[Int(buildRow)])
            kept &+= Int(unsafeBitCast(same, to: UInt8.self))
            pair &+= 1
        }
        return kept
    }
}

/// Whether two values of flat vectors of one type are equal; two NULLs are if `nullsAreEqual`.
func equalValues(_ a: Vector, _ rowA: Int, _ b: Vector, _ rowB: Int, _ nullsAreEqual: Bool) -> Bool {
    let isNullA = a.validity.map { !Validity.isValid($0, rowA) } ?? false
    let isNullB = b.validity.map { !Validity.isValid($0, rowB) } ?? false
    if isNullA || isNullB { return isNullA && isNullB && nullsAreEqual }
    switch a.physical {
    case .boolean, .int8: return a.values(UInt8.self)[rowA] == b.values(UInt8.self)[rowB]
    case .int16: return a.values(UInt16.self)[rowA] == b.values(UInt16.self)[rowB]
    case .int32: return a.values(UInt32.self)[rowA] == b.values(UInt32.self)[rowB]
    case .int64: return a.values(UInt64.self)[rowA] == b.values(UInt64.self)[rowB]
    case .int128, .uuid: return a.values(UInt128.self)[rowA] == b.values(UInt128.self)[rowB]
    case .float32:
        let x = a.values(Float.self)[rowA]
        let y = b.values(Float.self)[rowB]
        return x == y || (x.isNaN && y.isNaN)
    case .float64:
        let x = a.values(Double.self)[rowA]
        let y = b.values(Double.self)[rowB]
        return x == y || (x.isNaN && y.isNaN)
    case .interval:
        return a.values(IntervalValue.self)[rowA].comparisonMicroseconds
            == b.values(IntervalValue.self)[rowB].comparisonMicroseconds
    case .view: return ViewKind(a.type).equal(a.views + rowA, b.views + rowB)
    }
}
