// Rows that an operator keeps: collected by every driver on its own, then put together column by column.

import Columnar
import Diagnostics
import Synchronization

/// Rows as one flat vector a column. Immutable once made.
package final class RowStore: Sendable {
    package let columns: [Vector]
    package let rowCount: Int
    /// Keeps the memory booked as long as the rows live.
    private let reservation: HeldReservation?

    fileprivate init(columns: [Vector], rowCount: Int, reservation: HeldReservation?) {
        self.columns = columns
        self.rowCount = rowCount
        self.reservation = reservation
    }

    /// The given rows as a batch; `columns` picks columns by position.
    package func batch(_ rows: UnsafePointer<UInt32>, count: Int, columns picked: [Int]) -> Batch {
        Batch(columns: picked.map { gatherRows(columns[$0], rows, count) }, rowCount: count)
    }
}

/// What one driver has collected: dense flat vectors by chunk. Strings lie in its own heap.
package final class RowPart: @unchecked Sendable {
    // Filled by one driver, then handed over under a lock.
    fileprivate var chunks: [[Vector]] = []
    fileprivate var chunkCounts: [Int] = []
    package private(set) var rowCount = 0
    fileprivate let heap = StringHeap(chunkByteCount: 256 << 10)
    private var fixedByteCount = 0
    private let reservation: MemoryReservation

    package init(memory: OperatorMemory) { reservation = MemoryReservation(memory) }

    /// Bytes that the rows take.
    package var byteCount: Int { fixedByteCount + heap.byteCount }

    /// The rows were copied: from now on only the heap counts, and the store that pins it accounts for it.
    fileprivate func handOverAccount() throws -> Int {
        chunks = []
        chunkCounts = []
        try reservation.resize(to: 0)
        return heap.byteCount
    }

    /// Adds `count` rows of dense vectors in any encoding.
    package func append(_ columns: [Vector], count: Int) throws {
        if count == 0 { return }
        add(columns, count: count)
        try reservation.resize(to: byteCount)
    }

    /// Adds rows and says whether it is time to spill what there is.
    func append(_ columns: [Vector], count: Int, within budget: SpillBudget) throws -> Bool {
        if count == 0 { return false }
        add(columns, count: count)
        return try budget.isExceeded(reservation, byteCount: byteCount)
    }

    /// The rows stay in memory from now on.
    func keep() { reservation.keep() }

    /// The rows as they were added, in pieces. The part is of no use afterwards.
    func drain(_ body: ([Vector], Int) throws -> Void) throws {
        while let columns = chunks.popLast() {
            let count = chunkCounts.removeLast()
            rowCount -= count
            // Who keeps some of the rows keeps their strings.
            for column in columns where column.physical == .view { column.pinned = [heap] }
            try body(columns, count)
        }
        fixedByteCount = 0
        try reservation.resize(to: 0)
    }

    private func add(_ columns: [Vector], count: Int) {
        var stored: [Vector] = []
        stored.reserveCapacity(columns.count)
        for column in columns {
            let flat = column.flattened()
            stored.append(flat.physical == .view ? copyStrings(flat) : flat)
            fixedByteCount += count * flat.physical.width
        }
        chunks.append(stored)
        chunkCounts.append(count)
        rowCount += count
    }

    /// Long strings move into the part's heap, so that the operator does not keep whole pages alive.
    private func copyStrings(_ vector: Vector) -> Vector {
        let result = Vector(flat: vector.type, capacity: vector.count)
        let source = vector.views
        let target = result.views
        let mayHaveNulls = vector.validity != nil
        var row = 0
        while row < vector.count {
            let view = source[row]
            if view.isInline {
                target[row] = view
            } else if mayHaveNulls && vector.isNull(row) {
                target[row] = StringView()
            } else {
                target[row] = heap.copy(view)
            }
            row &+= 1
        }
        result.validity = vector.validity
        result.validityOwner = vector.validityOwner
        return result
    }
}

/// Puts the parts of all drivers together, column by column, if wanted in parallel.
package final class RowAssembly: Sendable {
    private let parts: [RowPart]
    private let types: [DataType]
    private let rowCount: Int
    private let reservation: HeldReservation?
    private let columns: Mutex<[Vector?]>

    /// `memory` is `nil` for rows that live for a moment only: until they are written to disk.
    package init(parts: [RowPart], types: [DataType], memory: OperatorMemory?) throws {
        let rows = parts.reduce(0) { $0 + $1.rowCount }
        guard rows < Int(UInt32.max) - 1 else {
            throw QueryError(.programLimitExceeded, "an operator has to keep more than 4 billion rows on one worker")
        }
        self.parts = parts
        self.types = types
        rowCount = rows
        columns = Mutex([Vector?](repeating: nil, count: types.count))
        reservation = memory.map { HeldReservation(MemoryReservation($0)) }
        try reservation?.held.resize(to: types.reduce(0) { $0 + $1.physical.width } * rows)
    }

    /// Makes one column; different columns may be made at the same time.
    package func assemble(_ column: Int) {
        let type = types[column]
        let width = type.physical.width
        let result = Vector(flat: type, capacity: rowCount)
        var offset = 0
        var owners: [any AnyObject] = []
        for part in parts {
            for (chunk, count) in zip(part.chunks, part.chunkCounts) {
                let source = chunk[column]
                (result.data + offset * width).copyMemory(from: source.data, byteCount: count * width)
                if let validity = source.validity {
                    let words = result.ensureValidity()
                    var row = 0
                    while row < count {
                        if !Validity.isValid(validity, row) { Validity.setNull(words, offset &+ row) }
                        row &+= 1
                    }
                }
                offset += count
            }
            if type.physical == .view { owners += part.heap.buffers as [any AnyObject] }
        }
        result.pinned = owners
        columns.withLock { $0[column] = result }
    }

    /// The store, when every column was made.
    package func finish() throws -> RowStore {
        let made = columns.withLock { $0.compactMap { $0 } }
        guard made.count == types.count else { throw QueryError.internalError("a column was not assembled") }
        var bytes = types.reduce(0) { $0 + $1.physical.width } * rowCount
        for part in parts { bytes += try part.handOverAccount() }
        try reservation?.held.resize(to: bytes)
        return RowStore(columns: made, rowCount: rowCount, reservation: reservation)
    }

    /// All columns, one after the other.
    package func finishWhole() throws -> RowStore {
        for column in types.indices { assemble(column) }
        return try finish()
    }
}

/// A reservation that only lives as long as its holder; nothing changes it after the start.
private final class HeldReservation: @unchecked Sendable {
    let held: MemoryReservation
    init(_ held: MemoryReservation) { self.held = held }
}

/// The given rows of a flat column. Strings keep pointing into the column's heaps.
package func gatherRows(_ column: Vector, _ rows: UnsafePointer<UInt32>, _ count: Int) -> Vector {
    let result = Vector(flat: column.type, capacity: count)
    switch column.physical.width {
    case 1: gather(column.values(UInt8.self), rows, count, result.values(UInt8.self))
    case 2: gather(column.values(UInt16.self), rows, count, result.values(UInt16.self))
    case 4: gather(column.values(UInt32.self), rows, count, result.values(UInt32.self))
    case 8: gather(column.values(UInt64.self), rows, count, result.values(UInt64.self))
    default: gather(column.values(SIMD2<UInt64>.self), rows, count, result.values(SIMD2<UInt64>.self))
    }
    // The column itself keeps every heap alive: one owner is enough.
    if column.physical == .view { result.pinned = [column] }
    if let validity = column.validity {
        let words = Validity.make(rows: count, valid: false)
        let target = words.base.assumingMemoryBound(to: UInt64.self)
        var index = 0
        while index < count {
            let row = Int(rows[index])
            target[index &>> 6] |= ((validity[row &>> 6] &>> UInt64(row & 63)) & 1) &<< UInt64(index & 63)
            index &+= 1
        }
        result.validityOwner = words
        result.validity = target
    }
    return result
}

@inline(__always)
private func gather<T>(
    _ source: UnsafePointer<T>, _ rows: UnsafePointer<UInt32>, _ count: Int, _ target: UnsafeMutablePointer<T>
) {
    var index = 0
    while index < count {
        target[index] = source[Int(rows[index])]
        index &+= 1
    }
}
