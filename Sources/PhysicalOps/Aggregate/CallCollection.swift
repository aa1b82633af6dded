// Rows kept for one call until all of a group's rows are there: DISTINCT arguments, and ORDER BY within a call.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

/// For DISTINCT alone, the set of (group, arguments); for an ordered call, all rows, which are sorted by group and keys in
/// the end. Groups are named by the addresses of their rows. Confined to one thread at a time.
final class CallCollection {
    private let call: AggregateCallPlan
    private let distinct: GroupTable?
    /// Group addresses (int64), arguments, ordering keys.
    private var batches: [Batch] = []
    private var accumulator: BatchAccumulator
    private var collectedBytes = 0

    init(_ call: AggregateCallPlan) {
        self.call = call
        let types = [DataType.int64] + call.arguments.map(\.type) + call.ordering.map(\.expression.type)
        accumulator = BatchAccumulator(types: types)
        distinct =
            call.call.isDistinct && call.ordering.isEmpty
            ? GroupTable(layout: GroupLayout(types: types, executors: [])) : nil
    }

    var byteCount: Int { (distinct?.byteCount ?? 0) + collectedBytes }

    /// Adds rows; without `single`, row i belongs to `groups[i]`.
    func add(
        groups: UnsafePointer<UnsafeMutableRawPointer>, single: UnsafeMutableRawPointer?, arguments: [Vector],
        ordering: [Vector], count: Int
    ) {
        let addresses = Vector(flat: .int64, capacity: count)
        let target = addresses.values(Int.self)
        if let single {
            target.update(repeating: Int(bitPattern: single), count: count)
        } else {
            UnsafeMutableRawPointer(target).copyMemory(from: groups, byteCount: count * 8)
        }
        add([addresses] + arguments + ordering, count: count)
    }

    private func add(_ columns: [Vector], count: Int) {
        if let distinct {
            distinct.find(columns, count: count)
            return
        }
        let batch = Batch(columns: columns, rowCount: count)
        accumulator.append(batch)
        collectedBytes += count * columns.reduce(0) { $0 + $1.physical.width }
        if accumulator.rowCount >= Batch.standardRowCount { batches.append(accumulator.take()) }
    }

    /// Adds what another driver collected; `translate` gives the address of this side's group for one of the other's.
    func absorb(_ other: CallCollection, _ translate: (UInt) -> UInt) {
        func add(_ columns: [Vector], count: Int) {
            let addresses = Vector(flat: .int64, capacity: count)
            let flat = columns[0].flattened()
            let source = flat.values(UInt.self)
            for row in 0..<count { addresses.values(UInt.self)[row] = translate(source[row]) }
            self.add([addresses] + columns.dropFirst(), count: count)
        }
        if let theirs = other.distinct {
            theirs.store.forEachChunk(partition: 0) { rows, count in
                add(theirs.readKeys(rows, count: count), count: count)
            }
            return
        }
        for batch in other.batches + [other.accumulator.take()] where !batch.isEmpty {
            add(batch.columns, count: batch.rowCount)
        }
    }

    /// Feeds the executor.
    func settle(into executor: any AggregateExecutor, offset: Int) throws {
        if let distinct {
            try distinct.store.forEachChunk(partition: 0) { rows, count in
                let columns = distinct.readKeys(rows, count: count)
                try update(executor, offset: offset, columns: columns, count: count)
            }
            return
        }
        if accumulator.rowCount > 0 { batches.append(accumulator.take()) }
        try settleOrdered(into: executor, offset: offset)
    }

    private func update(_ executor: any AggregateExecutor, offset: Int, columns: [Vector], count: Int) throws {
        let addresses = columns[0].flattened()
        try addresses.data.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: count) { groups in
            try executor.update(
                groups, offset: offset, arguments: Array(columns[1..<1 + call.arguments.count]), count: count)
        }
    }

    /// Sorts all rows by group, keys and, for DISTINCT, arguments; then feeds them in that order.
    private func settleOrdered(into executor: any AggregateExecutor, offset: Int) throws {
        let flat = batches.map { $0.columns.map { $0.flattened() } }
        let argumentCount = call.arguments.count
        let isDistinct = call.call.isDistinct
        let byKeys = RowComparator(call.ordering)
        let byArguments = RowComparator(call.arguments.map { SortKey($0) })
        let keys = flat.map { RowKeys(Array($0[(1 + argumentCount)...])) }
        let arguments = flat.map { RowKeys(Array($0[1..<1 + argumentCount])) }
        var order: [UInt64] = []
        for (index, batch) in batches.enumerated() {
            for row in 0..<batch.rowCount { order.append(UInt64(index) << 16 | UInt64(row)) }
        }
        func group(_ entry: UInt64) -> UInt { flat[Int(entry >> 16)][0].values(UInt.self)[Int(entry & 0xFFFF)] }
        func compareArguments(_ a: UInt64, _ b: UInt64) -> Int {
            byArguments.compare(arguments[Int(a >> 16)], Int(a & 0xFFFF), arguments[Int(b >> 16)], Int(b & 0xFFFF))
        }
        order.sort { a, b in
            let groupA = group(a)
            let groupB = group(b)
            if groupA != groupB { return groupA < groupB }
            var result = byKeys.compare(keys[Int(a >> 16)], Int(a & 0xFFFF), keys[Int(b >> 16)], Int(b & 0xFFFF))
            if result == 0 && isDistinct { result = compareArguments(a, b) }
            // Equal rows stay in the order in which they came.
            return result != 0 ? result < 0 : a < b
        }
        let sorted = BatchAccumulator(types: [.int64] + call.arguments.map(\.type))
        let trimmed = zip(batches, flat).map { Batch(columns: Array($1[0...argumentCount]), rowCount: $0.rowCount) }
        var previous: UInt64?
        func flush() throws {
            if sorted.rowCount == 0 { return }
            let batch = sorted.take()
            try update(executor, offset: offset, columns: batch.columns, count: batch.rowCount)
        }
        for entry in order {
            if isDistinct, let previous, group(previous) == group(entry), compareArguments(previous, entry) == 0 {
                continue
            }
            previous = entry
            var row = UInt16(truncatingIfNeeded: entry)
            sorted.append(trimmed[Int(entry >> 16)], rows: &row, count: 1)
            if sorted.rowCount == Batch.standardRowCount { try flush() }
        }
        try flush()
        batches = []
    }
}
