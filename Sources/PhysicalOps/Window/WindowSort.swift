// Sorts the rows of a part by partition and order.

import Columnar
import QueryPlan

/// Finds the partitions of a part by hashing and sorts by their numbers: keys of partitions are compared once a row, and
/// leave more of the sort's prefix to the keys of the order.
struct WindowSort {
    private let keys: [Vector]
    private let ordering: [Vector]
    private let orderKeys: [SortKey]

    /// Keys over all rows of the store, flat.
    init(partitions: [Vector], ordering: [Vector], orderKeys: [SortKey]) {
        keys = partitions
        self.ordering = ordering
        self.orderKeys = orderKeys
    }

    /// Bytes that sorting so many rows takes besides the block that it makes.
    static func byteCount(rows: Int) -> Int { rows * 64 }

    func sorted(_ rows: UnsafePointer<UInt32>, hashes: UnsafePointer<UInt64>, count: Int) -> WindowBlock {
        let block = WindowBlock(count: count)
        let (numbers, partitionCount) = number(rows, hashes, count)
        let ids = numbers.base.assumingMemoryBound(to: UInt32.self)
        let bits = partitionCount <= 1 ? 0 : 64 - (partitionCount - 1).leadingZeroBitCount
        let local = ordering.map { gatherRows($0, rows, count) }
        let sort = RowSort(orderKeys, keys: local, rowCount: count)
        let prefixBuffer = Buffer(byteCount: max(1, count) * 8)
        let prefixes = prefixBuffer.base.assumingMemoryBound(to: UInt64.self)
        sort.encoder.encode(local, count: count, into: prefixes)
        let run = SortRun(count: count)
        var entries = run.entries
        var row = 0
        while row < count {
            let number = bits == 0 ? 0 : UInt64(ids[row]) &<< UInt64(64 &- bits)
            entries[row] = SortEntry(
                prefix: number | prefixes[row] &>> UInt64(bits), row: UInt32(truncatingIfNeeded: row))
            row &+= 1
        }
        run.radixSort()
        let isExact = sort.encoder.isExact && sort.encoder.usedBits <= 64 - bits
        if !isExact { sort.sortTies(of: run) }
        entries = run.entries
        block.bounds = [0]
        for index in 0..<count {
            let entry = entries[index]
            block.rows[index] = rows[Int(entry.row)]
            if index == 0 {
                block.tiesWithPrevious[0] = 0
                continue
            }
            let previous = entries[index &- 1]
            var ties = entry.prefix == previous.prefix
            if !ties {
                if bits > 0, (entry.prefix ^ previous.prefix) &>> UInt64(64 &- bits) != 0 { block.bounds.append(index) }
            } else if !isExact {
                ties = sort.comparator.compare(sort.rowKeys, Int(previous.row), sort.rowKeys, Int(entry.row)) == 0
            }
            block.tiesWithPrevious[index] = ties ? 1 : 0
        }
        if count > 0 { block.bounds.append(count) }
        return block
    }

    // MARK: Partitions

    /// A number for each row, equal for rows of the same partition, and how many there are.
    private func number(_ rows: UnsafePointer<UInt32>, _ hashes: UnsafePointer<UInt64>, _ count: Int) -> (Buffer, Int) {
        let ids = Buffer(byteCount: max(1, count) * 4)
        let firsts = Buffer(byteCount: max(1, count) * 4)
        let found = number(rows, hashes, count, ids, firsts, comparesKeys: false)
        // As a rule equal hashes are equal keys, which is checked column by column.
        let numbers = ids.base.assumingMemoryBound(to: UInt32.self)
        let representatives = firsts.base.assumingMemoryBound(to: UInt32.self)
        let others = Buffer(byteCount: max(1, count) * 4)
        let partners = others.base.assumingMemoryBound(to: UInt32.self)
        for row in 0..<count { partners[row] = representatives[Int(numbers[row])] }
        if keys.allSatisfy({ KeyEquality.allEqual($0, rows, partners, count) }) { return (ids, found) }
        return (ids, number(rows, hashes, count, ids, firsts, comparesKeys: true))
    }

    /// Open addressing over hashes; `firsts` gets a row of each partition.
    private func number(
        _ rows: UnsafePointer<UInt32>, _ hashes: UnsafePointer<UInt64>, _ count: Int, _ ids: Buffer, _ firsts: Buffer,
        comparesKeys: Bool
    ) -> Int {
        let numbers = ids.base.assumingMemoryBound(to: UInt32.self)
        let representatives = firsts.base.assumingMemoryBound(to: UInt32.self)
        var size = 16
        while size < count * 2 { size *= 2 }
        let slotBuffer = Buffer(byteCount: size * 4)
        let slots = slotBuffer.base.assumingMemoryBound(to: UInt32.self)
        slots.update(repeating: 0, count: size)
        let mask = size - 1
        var found = 0
        var index = 0
        while index < count {
            let row = rows[index]
            let hash = hashes[Int(row)]
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 {
                let first = representatives[Int(slots[slot] &- 1)]
                if hashes[Int(first)] == hash, !comparesKeys || areEqual(Int(first), Int(row)) { break }
                slot = (slot &+ 1) & mask
            }
            if slots[slot] == 0 {
                representatives[found] = row
                found &+= 1
                slots[slot] = UInt32(truncatingIfNeeded: found)
            }
            numbers[index] = slots[slot] &- 1
            index &+= 1
        }
        return found
    }

    private func areEqual(_ a: Int, _ b: Int) -> Bool { keys.allSatisfy { equalValues($0, a, $0, b, true) } }
}

/// Equality of many pairs of rows of one flat column; NULLs are equal.
enum KeyEquality {
    static func allEqual(
        _ vector: Vector, _ a: UnsafePointer<UInt32>, _ b: UnsafePointer<UInt32>, _ count: Int
    ) -> Bool {
        switch vector.physical {
        case .boolean, .int8: return plain(vector, vector.values(UInt8.self), a, b, count)
        case .int16: return plain(vector, vector.values(UInt16.self), a, b, count)
        case .int32: return plain(vector, vector.values(UInt32.self), a, b, count)
        case .int64: return plain(vector, vector.values(UInt64.self), a, b, count)
        case .int128, .uuid: return plain(vector, vector.values(UInt128.self), a, b, count)
        case .view where vector.type.comparesByBytes:
            let views = vector.views
            return check(vector, a, b, count) { StringView.equal(views[$0], views[$1]) }
        case .float32, .float64, .interval, .view:
            var row = 0
            while row < count {
                if !equalValues(vector, Int(a[row]), vector, Int(b[row]), true) { return false }
                row &+= 1
            }
            return true
        }
    }

    @inline(__always)
    private static func plain<T: Equatable>(
        _ vector: Vector, _ values: UnsafePointer<T>, _ a: UnsafePointer<UInt32>, _ b: UnsafePointer<UInt32>,
        _ count: Int
    ) -> Bool {
        check(vector, a, b, count) { values[$0] == values[$1] }
    }

    @inline(__always)
    private static func check(
        _ vector: Vector, _ a: UnsafePointer<UInt32>, _ b: UnsafePointer<UInt32>, _ count: Int,
        _ isSame: (Int, Int) -> Bool
    ) -> Bool {
        var row = 0
        guard let validity = vector.validity else {
            while row < count {
                if !isSame(Int(a[row]), Int(b[row])) { return false }
                row &+= 1
            }
            return true
        }
        while row < count {
            let (x, y) = (Int(a[row]), Int(b[row]))
            let isValid = Validity.isValid(validity, x)
            if isValid != Validity.isValid(validity, y) || (isValid && !isSame(x, y)) { return false }
            row &+= 1
        }
        return true
    }
}
