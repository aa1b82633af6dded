// Stored batches with the numbers of their rows.

import Columnar
import Storage
import Synchronization

/// Numbers that rows keep while versions of their table come and go: a row that is updated is another row. A run of
/// successive numbers needs no memory; rows that were put together from several writes have a list.
enum RowNumbers: Sendable {
    case run(start: Int64, count: Int)
    case list(List)

    /// Numbers in any order.
    struct List: Sendable {
        let numbers: [Int64]
        let first: Int64
        let last: Int64

        init(_ numbers: [Int64]) {
            self.numbers = numbers
            first = numbers.min() ?? 0
            last = numbers.max() ?? -1
        }
    }

    private static let last = Atomic<Int64>(0)

    /// Numbers that no row had before.
    static func fresh(_ count: Int) -> RowNumbers {
        let end = last.wrappingAdd(Int64(count), ordering: .relaxed).newValue
        return .run(start: end - Int64(count) + 1, count: count)
    }

    var count: Int {
        switch self {
        case .run(_, let count): count
        case .list(let list): list.numbers.count
        }
    }

    /// The least and the greatest number; the least is the greater one where there are none.
    var bounds: (first: Int64, last: Int64) {
        switch self {
        case .run(let start, let count): (start, start + Int64(count) - 1)
        case .list(let list): (list.first, list.last)
        }
    }

    func number(at row: Int) -> Int64 {
        switch self {
        case .run(let start, _): start + Int64(row)
        case .list(let list): list.numbers[row]
        }
    }

    func row(of number: Int64) -> Int? {
        let (first, last) = bounds
        guard number >= first, number <= last else { return nil }
        switch self {
        case .run(let start, _): return Int(number - start)
        case .list(let list): return list.numbers.firstIndex(of: number)
        }
    }

    func selecting(_ rows: [Int]) -> RowNumbers {
        rows.isEmpty ? .run(start: 0, count: 0) : .list(List(rows.map { number(at: $0) }))
    }

    static func + (left: RowNumbers, right: RowNumbers) -> RowNumbers {
        if case .run(let start, let count) = left, case .run(start + Int64(count), let added) = right {
            return .run(start: start, count: count + added)
        }
        return .list(
            List((0..<left.count).map { left.number(at: $0) } + (0..<right.count).map { right.number(at: $0) }))
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
    let batch: Batch
    let numbers: RowNumbers
    let facts: BatchFacts
    var rowCount: Int { batch.rowCount }

    init(batch: Batch, numbers: RowNumbers) {
        self.init(batch: batch, numbers: numbers, facts: BatchFacts(batch))
    }

    private init(batch: Batch, numbers: RowNumbers, facts: BatchFacts) {
        self.batch = batch
        self.numbers = numbers
        self.facts = facts
    }

    /// Two batches as one.
    func joined(with other: MemoryBatch, types: [DataType]) -> MemoryBatch {
        var facts = facts
        facts.merge(other.facts)
        return MemoryBatch(
            batch: BatchCopy.concatenated([batch, other.batch], types: types), numbers: numbers + other.numbers,
            facts: facts)
    }
}

/// What is known about the values of a batch.
struct BatchFacts: Sendable {
    var rowCount = 0
    var byteCount = 0
    var columns: [ColumnSummary]

    init(columnCount: Int) { columns = Array(repeating: ColumnSummary(), count: columnCount) }

    init(_ batch: Batch) {
        self.init(columnCount: batch.columnCount)
        rowCount = batch.rowCount
        for (index, column) in batch.columns.enumerated() {
            columns[index].add(column)
            byteCount += batch.rowCount * column.physical.width
            if column.physical == .view { byteCount += column.longStringByteCount }
        }
    }

    mutating func merge(_ other: BatchFacts) {
        rowCount += other.rowCount
        byteCount += other.byteCount
        for index in columns.indices { columns[index].merge(other.columns[index]) }
    }
}

/// Numbers of rows, to be found in batches.
struct RowSet {
    private let numbers: Set<Int64>
    private let sorted: [Int64]

    init(_ numbers: Set<Int64>) {
        self.numbers = numbers
        sorted = numbers.sorted()
    }

    /// Whether a number of the set lies within the bounds of a batch.
    private func mayMeet(_ batch: RowNumbers) -> Bool {
        let (first, last) = batch.bounds
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < first { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] <= last
    }

    /// The other rows of a batch; `nil` if it holds none of the set's.
    func others(_ batch: RowNumbers) -> [Int]? {
        guard mayMeet(batch) else { return nil }
        let kept = (0..<batch.count).filter { !numbers.contains(batch.number(at: $0)) }
        return kept.count == batch.count ? nil : kept
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
