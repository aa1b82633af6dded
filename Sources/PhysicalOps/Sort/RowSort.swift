// Sorting row numbers: a radix sort over prefixes, then comparisons where prefixes tie.

import CKernels
import Columnar
import QueryPlan

/// A row with its prefix.
struct SortEntry {
    var prefix: UInt64
    var row: UInt32
    var padding: UInt32 = 0
}

/// Sorts rows by key vectors (flat, over the same rows). A class, because ties are many and small: what is copied for each of
/// them counts. Only read once it is made, hence unchecked.
final class RowSort: @unchecked Sendable {
    /// Ties of so few rows are compared, larger ones sorted by what comes behind their prefix.
    private static let comparedTieMax = 24

    let encoder: SortPrefixEncoder
    let comparator: RowComparator
    let rowKeys: RowKeys
    var keys: [Vector] { rowKeys.vectors }
    private let sortKeys: [SortKey]

    /// Prefixes of this sort are comparable with each other, not with those of another: `rowCount` rows say how many bits
    /// their values need.
    init(_ sortKeys: [SortKey], keys: [Vector], rowCount: Int) {
        self.sortKeys = sortKeys
        encoder = SortPrefixEncoder(
            sortKeys, knowledge: SortPrefixEncoder.knowledge(of: keys, from: 0, count: rowCount))
        comparator = RowComparator(sortKeys)
        rowKeys = RowKeys(keys)
    }

    /// Rows `start ..< start + count` in order.
    func sorted(from start: Int, count: Int) -> SortRun {
        let run = SortRun(count: count)
        let prefixes = Buffer(byteCount: max(1, count) * 8)
        let values = prefixes.base.assumingMemoryBound(to: UInt64.self)
        encoder.encode(keys, from: start, count: count, into: values)
        let entries = run.entries
        for index in 0..<count {
            entries[index] = SortEntry(prefix: values[index], row: UInt32(truncatingIfNeeded: start + index))
        }
        withExtendedLifetime(prefixes) {}
        run.radixSort()
        sortTies(run.all, after: encoder.coverage, firstKey: 0)
        return run
    }

    // MARK: Ties

    /// Sorts entries with equal prefixes, of whatever kind, by all keys.
    func sortTies(of run: SortRun) { sortTies(run.all, by: .keys(from: 0, hasPart: false)) }

    /// What the next prefix of tied rows is made of.
    private enum Rest {
        /// Keys from this one on; whether it is NULL is told apart already, if a part of it is.
        case keys(from: Int, hasPart: Bool)
        /// Bytes of a key from an offset on.
        case bytes(ofKey: Int, offset: Int)
        /// The lengths of a key whose bytes are all equal, up to the length of the shortest.
        case length(ofKey: Int)
    }

    /// Sorts rows with equal prefixes among themselves. `coverage` counts keys from `firstKey`.
    private func sortTies(
        _ entries: UnsafeMutableBufferPointer<SortEntry>, after coverage: SortPrefixEncoder.Coverage, firstKey: Int
    ) {
        switch coverage {
        case .everything: return
        case .keys(let count): sortTies(entries, by: .keys(from: firstKey + count, hasPart: false))
        case .leadingBytes(let key, let count):
            sortTies(entries, by: .bytes(ofKey: firstKey + key, offset: count))
        case .leadingBits(let key): sortTies(entries, by: .keys(from: firstKey + key, hasPart: true))
        }
    }

    private func sortTies(_ entries: UnsafeMutableBufferPointer<SortEntry>, by rest: Rest) {
        var start = 0
        while start < entries.count {
            let prefix = entries[start].prefix
            var end = start + 1
            while end < entries.count && entries[end].prefix == prefix { end += 1 }
            if end - start > 1 {
                let ties = UnsafeMutableBufferPointer(rebasing: entries[start..<end])
                sort(ties, by: rest)
                for index in ties.indices { ties[index].prefix = prefix }
            }
            start = end
        }
    }

    /// Sorts rows that are equal up to `rest`. Changes their prefixes.
    private func sort(_ ties: UnsafeMutableBufferPointer<SortEntry>, by rest: Rest) {
        switch rest {
        case .keys(let key, let hasPart):
            if key == keys.count { return }
            if ties.count <= RowSort.comparedTieMax || !canEncode(key, hasPart: hasPart) {
                return compare(ties, from: key)
            }
            let rows = ties.map(\.row)
            let vectors = rows.withUnsafeBufferPointer { rows in
                keys[key...].map { gatherRows($0, rows.baseAddress.unsafelyUnwrapped, rows.count) }
            }
            var knowledge = SortPrefixEncoder.knowledge(of: vectors, from: 0, count: ties.count)
            if hasPart { knowledge[0].hasNoNulls = true }
            let encoder = SortPrefixEncoder(Array(sortKeys[key...]), knowledge: knowledge)
            let prefixes = [UInt64](unsafeUninitializedCapacity: ties.count) { buffer, count in
                count = ties.count
                encoder.encode(vectors, count: count, into: buffer.baseAddress.unsafelyUnwrapped)
            }
            for index in ties.indices { ties[index].prefix = prefixes[index] }
            SortRun.radixSort(ties)
            sortTies(ties, after: encoder.coverage, firstKey: key)
        case .bytes(let key, let offset):
            if ties.count <= RowSort.comparedTieMax { return compare(ties, from: key) }
            let views = keys[key].views
            let invert: UInt64 = sortKeys[key].isDescending ? .max : 0
            var hasMore = false
            var next = offset
            // Bytes that all rows have in common are passed over.
            while true {
                hasMore = false
                var isSame = true
                var first: UInt64?
                for index in ties.indices {
                    let row = Int(ties[index].row)
                    let bytes = keys[key].isNull(row) ? 0 : SortPrefixEncoder.bytes(views + row, from: next)
                    if !keys[key].isNull(row), views[row].count > next + 8 { hasMore = true }
                    ties[index].prefix = bytes ^ invert
                    if first == nil { first = bytes }
                    isSame = isSame && bytes == first
                }
                next += 8
                if !isSame || !hasMore { break }
            }
            SortRun.radixSort(ties)
            sortTies(ties, by: hasMore ? .bytes(ofKey: key, offset: next) : .length(ofKey: key))
        case .length(let key):
            if ties.count <= RowSort.comparedTieMax { return compare(ties, from: key) }
            let invert: UInt64 = sortKeys[key].isDescending ? .max : 0
            for index in ties.indices {
                let row = Int(ties[index].row)
                ties[index].prefix = UInt64(keys[key].isNull(row) ? 0 : keys[key].views[row].count) ^ invert
            }
            SortRun.radixSort(ties)
            sortTies(ties, by: .keys(from: key + 1, hasPart: false))
        }
    }

    /// Whether a prefix of the keys from this one on says more than is known.
    private func canEncode(_ key: Int, hasPart: Bool) -> Bool {
        switch keys[key].physical {
        case .boolean, .int8, .int16, .int32, .int64, .float32, .float64: true
        case .view where keys[key].type.ordersByBytes: !hasPart
        case .int128, .uuid, .interval, .view: !hasPart && keys.count > key + 1
        }
    }

    private func compare(_ ties: UnsafeMutableBufferPointer<SortEntry>, from key: Int) {
        if ties.count <= RowSort.comparedTieMax { return insert(ties, from: key) }
        var ties = ties
        ties.sort { [comparator, rowKeys] a, b in
            comparator.compare(rowKeys, Int(a.row), rowKeys, Int(b.row), from: key) < 0
        }
    }

    /// Insertion sort.
    private func insert(_ ties: UnsafeMutableBufferPointer<SortEntry>, from key: Int) {
        guard let entries = ties.baseAddress else { return }
        let (comparator, rowKeys) = (comparator, rowKeys)
        var next = 1
        while next < ties.count {
            let entry = entries[next]
            var place = next
            while place > 0,
                comparator.compare(rowKeys, Int(entry.row), rowKeys, Int(entries[place &- 1].row), from: key) < 0
            {
                entries[place] = entries[place &- 1]
                place &-= 1
            }
            entries[place] = entry
            next &+= 1
        }
    }

    func isOrdered(_ a: SortEntry, _ b: SortEntry) -> Bool {
        if a.prefix != b.prefix { return a.prefix < b.prefix }
        return encoder.isExact || comparator.compare(rowKeys, Int(a.row), rowKeys, Int(b.row)) <= 0
    }

    /// Whether two rows tie in all keys.
    func ties(_ a: SortEntry, _ b: SortEntry) -> Bool {
        a.prefix == b.prefix && (encoder.isExact || comparator.compare(rowKeys, Int(a.row), rowKeys, Int(b.row)) == 0)
    }

    /// The runs as one; pairs of runs are merged until one is left.
    func merged(_ runs: [SortRun]) -> SortRun {
        var runs = runs
        if runs.isEmpty { return SortRun(count: 0) }
        while runs.count > 1 {
            var next: [SortRun] = []
            var index = 0
            while index + 1 < runs.count {
                next.append(merge(runs[index], runs[index + 1]))
                index += 2
            }
            if index < runs.count { next.append(runs[index]) }
            runs = next
        }
        return runs[0]
    }

    private func merge(_ a: SortRun, _ b: SortRun) -> SortRun {
        let result = SortRun(count: a.count + b.count)
        let target = result.entries
        let first = a.entries
        let second = b.entries
        var i = 0
        var j = 0
        var k = 0
        while i < a.count && j < b.count {
            if isOrdered(first[i], second[j]) {
                target[k] = first[i]
                i &+= 1
            } else {
                target[k] = second[j]
                j &+= 1
            }
            k &+= 1
        }
        (target + k).update(from: first + i, count: a.count - i)
        k += a.count - i
        (target + k).update(from: second + j, count: b.count - j)
        return result
    }
}

/// A list of entries. Made by one thread, then read, hence unchecked.
final class SortRun: @unchecked Sendable {
    private var buffer: Buffer
    private(set) var count: Int
    var entries: UnsafeMutablePointer<SortEntry> { buffer.base.assumingMemoryBound(to: SortEntry.self) }

    init(count: Int) {
        buffer = Buffer(byteCount: max(1, count) * MemoryLayout<SortEntry>.stride)
        self.count = count
    }

    var all: UnsafeMutableBufferPointer<SortEntry> { UnsafeMutableBufferPointer(start: entries, count: count) }

    func radixSort() { SortRun.radixSort(all) }

    /// Least significant digit first, eight bits a digit; digits that are the same everywhere are skipped.
    static func radixSort(_ all: UnsafeMutableBufferPointer<SortEntry>) {
        let count = all.count
        guard count > 1, let entries = all.baseAddress else { return }
        if count < 192 {
            var all = all
            all.sort { $0.prefix < $1.prefix }
            return
        }
        let histogramBuffer = Buffer(byteCount: 8 * 256 * 4)
        let histograms = histogramBuffer.base.assumingMemoryBound(to: UInt32.self)
        histograms.update(repeating: 0, count: 8 * 256)
        var index = 0
        while index < count {
            let prefix = entries[index].prefix
            var digit = 0
            while digit < 8 {
                histograms[digit &* 256 &+ Int(truncatingIfNeeded: (prefix &>> UInt64(digit &* 8)) & 255)] &+= 1
                digit &+= 1
            }
            index &+= 1
        }
        let other = Buffer(byteCount: count * MemoryLayout<SortEntry>.stride)
        var source = entries
        var target = other.base.assumingMemoryBound(to: SortEntry.self)
        for digit in 0..<8 {
            let histogram = histograms + digit * 256
            if (0..<256).contains(where: { histogram[$0] == UInt32(truncatingIfNeeded: count) }) { continue }
            var sum: UInt32 = 0
            for bucket in 0..<256 {
                let size = histogram[bucket]
                histogram[bucket] = sum
                sum &+= size
            }
            let shift = UInt64(digit * 8)
            index = 0
            while index < count {
                let entry = source[index]
                let bucket = Int(truncatingIfNeeded: (entry.prefix &>> shift) & 255)
                target[Int(histogram[bucket])] = entry
                histogram[bucket] &+= 1
                index &+= 1
            }
            swap(&source, &target)
        }
        if source != entries { entries.update(from: source, count: count) }
        // Nothing above names the buffers that its pointers lead into.
        withExtendedLifetime((histogramBuffer, other)) {}
    }
}
