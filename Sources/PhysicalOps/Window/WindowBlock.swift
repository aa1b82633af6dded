// Rows of whole partitions in their order, and the ranges that partitions and peers take in it.

import Columnar
import QueryPlan

/// Some partitions of a window operator, sorted. Made by one thread, then read, hence unchecked.
final class WindowBlock: @unchecked Sendable {
    let count: Int
    private let rowBuffer: Buffer
    private let peerBuffer: Buffer
    /// Where partitions begin in the order, and the end behind the last.
    var bounds: [Int] = []

    init(count: Int) {
        self.count = count
        rowBuffer = Buffer(byteCount: max(1, count) * 4)
        peerBuffer = Buffer(byteCount: max(1, count))
    }

    /// Rows of the store in their order.
    var rows: UnsafeMutablePointer<UInt32> { rowBuffer.base.assumingMemoryBound(to: UInt32.self) }
    /// Whether a row ties with the one before it in partition and order: 0 or 1.
    var tiesWithPrevious: UnsafeMutablePointer<UInt8> { peerBuffer.base.assumingMemoryBound(to: UInt8.self) }
    var partitionCount: Int { bounds.count - 1 }
}

/// Whole partitions that are evaluated together, one behind the other. Positions are among these rows.
struct WindowGeometry {
    let rowCount: Int
    let partitions: [Range<Int>]
    /// For each row, the first row of its partition and the one behind its last.
    let partitionStart: [Int32]
    let partitionEnd: [Int32]
    /// For each row, the first of its peers and the one behind the last.
    let peerStart: [Int32]
    let peerEnd: [Int32]

    init(_ block: WindowBlock, partitions: Range<Int>) {
        let first = block.bounds[partitions.lowerBound]
        let count = block.bounds[partitions.upperBound] - first
        rowCount = count
        self.partitions = partitions.map { block.bounds[$0] - first..<block.bounds[$0 + 1] - first }
        let ties = block.tiesWithPrevious + first
        partitionStart = Self.filled(count, self.partitions, \.lowerBound)
        partitionEnd = Self.filled(count, self.partitions, \.upperBound)
        peerStart = [Int32](unsafeUninitializedCapacity: count) { target, initialized in
            var start = 0
            var row = 0
            while row < count {
                start = ties[row] == 0 ? row : start
                target[row] = Int32(truncatingIfNeeded: start)
                row &+= 1
            }
            initialized = count
        }
        peerEnd = [Int32](unsafeUninitializedCapacity: count) { target, initialized in
            var end = count
            var row = count &- 1
            while row >= 0 {
                target[row] = Int32(truncatingIfNeeded: end)
                end = ties[row] == 0 ? row : end
                row &-= 1
            }
            initialized = count
        }
    }

    private static func filled(_ count: Int, _ ranges: [Range<Int>], _ value: KeyPath<Range<Int>, Int>) -> [Int32] {
        [Int32](unsafeUninitializedCapacity: count) { target, initialized in
            guard let base = target.baseAddress else { return }
            for range in ranges {
                (base + range.lowerBound).update(
                    repeating: Int32(truncatingIfNeeded: range[keyPath: value]), count: range.count)
            }
            initialized = count
        }
    }
}
