// Stored batches with the numbers of their rows.

import Columnar
import Storage
import Synchronization

/// Numbers that rows keep while versions of their table come and go: a row that is updated is another row. A run of
/// successive numbers needs no memory; rows that were put together from several writes have a list.
enum RowNumbers: Sendable {
    case run(start: Int64, count: Int)
    /// Never empty.
    case list([Int64])

    private static let last = Atomic<Int64>(0)

    /// Numbers that no row had before.
    static func fresh(_ count: Int) -> RowNumbers {
        let end = last.wrappingAdd(Int64(count), ordering: .relaxed).newValue
        return .run(start: end - Int64(count) + 1, count: count)
    }

    var count: Int {
        switch self {
        case .run(_, let count): count
        case .list(let numbers): numbers.count
        }
    }

    func number(at row: Int) -> Int64 {
        switch self {
        case .run(let start, _): start + Int64(row)
        case .list(let numbers): numbers[row]
        }
    }

    func selecting(_ rows: [Int]) -> RowNumbers {
        rows.isEmpty ? .run(start: 0, count: 0) : .list(rows.map { number(at: $0) })
    }

    static func + (left: RowNumbers, right: RowNumbers) -> RowNumbers {
        if case .run(let start, let count) = left, case .run(start + Int64(count), let added) = right {
            return .run(start: start, count: count + added)
        }
        return .list((0..<left.count).map { left.number(at: $0) } + (0..<right.count).map { right.number(at: $0) })
    }

    var vector: Vector {
        let vector = Vector(flat: .int64, capacity: count)
        let values = vector.values(Int64.self)
        for row in 0..<count { values[row] = number(at: row) }
        vector.count = count
        return vector
    }
}

/// Rows that never change.
struct MemoryBatch: Sendable {
    var batch: Batch
    var numbers: RowNumbers
    var rowCount: Int { batch.rowCount }
}

/// Numbers of rows, to be found in batches.
struct RowSet {
    let numbers: Set<Int64>
    private let sorted: [Int64]

    init(_ numbers: Set<Int64>) {
        self.numbers = numbers
        sorted = numbers.sorted()
    }

    /// Whether a batch may hold some of them.
    private func mayMeet(_ batch: RowNumbers) -> Bool {
        guard let first = sorted.first, let last = sorted.last else { return false }
        switch batch {
        case .run(let start, let count):
            if start > last || start + Int64(count) <= first { return false }
            var (low, high) = (0, sorted.count)
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle] < start { low = middle + 1 } else { high = middle }
            }
            return low < sorted.count && sorted[low] < start + Int64(count)
        case .list(let list): return list.contains { numbers.contains($0) }
        }
    }

    /// The other rows of a batch; `nil` if it holds none of the set's.
    func others(_ batch: RowNumbers) -> [Int]? {
        guard mayMeet(batch) else { return nil }
        return (0..<batch.count).filter { !numbers.contains(batch.number(at: $0)) }
    }

    /// What is left of batches without the rows of the set.
    func removed(from batches: [MemoryBatch], types: [DataType]) -> [MemoryBatch] {
        batches.compactMap { stored in
            guard let kept = others(stored.numbers) else { return stored }
            if kept.isEmpty { return nil }
            return MemoryBatch(
                batch: BatchCopy.rows(kept, of: stored.batch, types: types), numbers: stored.numbers.selecting(kept))
        }
    }
}
