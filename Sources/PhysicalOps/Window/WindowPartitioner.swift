// Rows spread by the hash of their partition keys: whole partitions come together, and several drivers can work on them.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// Lists the rows of a store by hash. The steps are tasks that may run in parallel, one step after the other; within a
/// step no two tasks write the same place, hence unchecked.
final class WindowPartitioner: @unchecked Sendable {
    /// Rows that a task hashes and scatters. A multiple of 64: bitmaps are cut there.
    private static let chunkRows = 1 << 16
    /// Rows of a part, about: its keys and its order stay in the second-level cache.
    private static let partRows = 1 << 15
    private static let partCountMax = 256

    private let keys: [Vector]
    private let rowCount: Int
    let partCount: Int
    private let hashBuffer: Buffer
    private let rowBuffer: Buffer
    /// By chunk, then part: first rows, then the next place to write to.
    private let placeBuffer: Buffer
    /// Where the parts begin, and the end behind the last.
    private(set) var partStarts: [Int] = []

    init(keys: [Vector], rowCount: Int) {
        self.keys = keys
        self.rowCount = rowCount
        var parts = 1
        while parts < Self.partCountMax && parts * Self.partRows < rowCount { parts *= 2 }
        // A few parts more, so that no driver waits long for the last one.
        partCount = parts == 1 ? 1 : min(Self.partCountMax, parts * 4)
        hashBuffer = Buffer(byteCount: max(1, rowCount) * 8)
        rowBuffer = Buffer(byteCount: max(1, rowCount) * 4)
        placeBuffer = Buffer(byteCount: max(1, partCount * ((rowCount + Self.chunkRows - 1) / Self.chunkRows)) * 4)
    }

    static func byteCount(rows: Int) -> Int { rows * 12 }

    var hashes: UnsafeMutablePointer<UInt64> { hashBuffer.base.assumingMemoryBound(to: UInt64.self) }
    /// Rows by part, each part's in the order in which they came.
    var rows: UnsafeMutablePointer<UInt32> { rowBuffer.base.assumingMemoryBound(to: UInt32.self) }

    private var places: UnsafeMutablePointer<UInt32> { placeBuffer.base.assumingMemoryBound(to: UInt32.self) }

    private var chunks: [Range<Int>] {
        stride(from: 0, to: rowCount, by: Self.chunkRows).map { $0..<min(rowCount, $0 + Self.chunkRows) }
    }

    @inline(__always)
    private func part(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> 48) & (partCount &- 1) }

    /// Hashes the keys and counts the rows of each part.
    func hashTasks() -> [FinalizeTask] {
        chunks.enumerated().map { index, chunk in
            { [self] in
                let target = hashes + chunk.lowerBound
                for (position, key) in keys.enumerated() {
                    Hashing.hash(Self.slice(key, chunk), into: target, combining: position > 0)
                }
                let counts = places + index * partCount
                counts.update(repeating: 0, count: partCount)
                for row in 0..<chunk.count { counts[part(target[row])] &+= 1 }
            }
        }
    }

    /// Writes every row's number to its part.
    func scatterTasks() -> [FinalizeTask] {
        let chunks = chunks
        var next: UInt32 = 0
        for part in 0..<partCount {
            partStarts.append(Int(next))
            for chunk in chunks.indices {
                let count = places[chunk * partCount + part]
                places[chunk * partCount + part] = next
                next += count
            }
        }
        partStarts.append(rowCount)
        return chunks.enumerated().map { index, chunk in
            { [self] in
                let next = places + index * partCount
                let (hashes, rows) = (hashes, rows)
                for row in chunk {
                    let part = part(hashes[row])
                    rows[Int(next[part])] = UInt32(truncatingIfNeeded: row)
                    next[part] &+= 1
                }
            }
        }
    }

    private static func slice(_ vector: Vector, _ rows: Range<Int>) -> Vector {
        if rows.count == vector.count { return vector }
        let slice = Vector(
            type: vector.type, encoding: .flat, count: rows.count,
            data: vector.data + rows.lowerBound * vector.physical.width, dataOwner: vector)
        slice.validity = vector.validity.map { $0 + rows.lowerBound >> 6 }
        slice.validityOwner = vector
        return slice
    }
}
