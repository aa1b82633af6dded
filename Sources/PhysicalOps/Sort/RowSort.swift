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

/// Sorts rows by key vectors (flat, over the same rows).
struct RowSort {
    let encoder: SortPrefixEncoder
    let comparator: RowComparator
    let keys: [Vector]

    init(_ sortKeys: [SortKey], keys: [Vector]) {
        encoder = SortPrefixEncoder(sortKeys)
        comparator = RowComparator(sortKeys)
        self.keys = keys
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
        run.radixSort()
        if !encoder.isExact {
            run.sortTies { comparator.compare(keys, Int($0.row), keys, Int($1.row)) < 0 }
        }
        return run
    }

    func isOrdered(_ a: SortEntry, _ b: SortEntry) -> Bool {
        if a.prefix != b.prefix { return a.prefix < b.prefix }
        return encoder.isExact || comparator.compare(keys, Int(a.row), keys, Int(b.row)) <= 0
    }

    /// Whether two rows tie in all keys.
    func ties(_ a: SortEntry, _ b: SortEntry) -> Bool {
        a.prefix == b.prefix && (encoder.isExact || comparator.compare(keys, Int(a.row), keys, Int(b.row)) == 0)
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

    /// Sorts entries with equal prefixes among themselves.
    func sortTies(_ isBefore: (SortEntry, SortEntry) -> Bool) {
        let entries = entries
        var start = 0
        while start < count {
            var end = start + 1
            while end < count && entries[end].prefix == entries[start].prefix { end += 1 }
            if end - start > 1 {
                var ties = UnsafeMutableBufferPointer(start: entries + start, count: end - start)
                ties.sort(by: isBefore)
            }
            start = end
        }
    }

    /// Least significant digit first, eight bits a digit; digits that are the same everywhere are skipped.
    func radixSort() {
        if count < 2 { return }
        if count < 192 {
            var all = UnsafeMutableBufferPointer(start: entries, count: count)
            all.sort { $0.prefix < $1.prefix }
            return
        }
        let histogramBuffer = Buffer(byteCount: 8 * 256 * 4)
        let histograms = histogramBuffer.base.assumingMemoryBound(to: UInt32.self)
        histograms.update(repeating: 0, count: 8 * 256)
        var source = entries
        var index = 0
        while index < count {
            let prefix = source[index].prefix
            var digit = 0
            while digit < 8 {
                histograms[digit &* 256 &+ Int(truncatingIfNeeded: (prefix &>> UInt64(digit &* 8)) & 255)] &+= 1
                digit &+= 1
            }
            index &+= 1
        }
        var other = Buffer(byteCount: count * MemoryLayout<SortEntry>.stride)
        for digit in 0..<8 {
            let histogram = histograms + digit * 256
            if (0..<256).contains(where: { histogram[$0] == UInt32(truncatingIfNeeded: count) }) { continue }
            var sum: UInt32 = 0
            for bucket in 0..<256 {
                let size = histogram[bucket]
                histogram[bucket] = sum
                sum &+= size
            }
            source = entries
            let target = other.base.assumingMemoryBound(to: SortEntry.self)
            let shift = UInt64(digit * 8)
            index = 0
            while index < count {
                let entry = source[index]
                let bucket = Int(truncatingIfNeeded: (entry.prefix &>> shift) & 255)
                target[Int(histogram[bucket])] = entry
                histogram[bucket] &+= 1
                index &+= 1
            }
            swap(&buffer, &other)
        }
    }
}
