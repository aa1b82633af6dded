// The rows that a cursor has taken from its query and may be asked for again.
//
// Rows are gathered into blocks. A block stays in memory as long as there is room; the others are on disk, and the one that
// was read last is in memory, too: whoever goes through the rows in either direction reads each block once.

import Columnar
import Diagnostics
import Storage
import Synchronization

/// Rows by their number, the first one being 0. Used by one statement after the other, hence the lock is never waited for.
final class ScrolledRows: Sendable {
    /// Bytes of a block that is full.
    static let blockByteCount = 1 << 20

    private struct Block {
        var firstRow: Int
        var rowCount = 0
        var byteCount = 0
        /// Empty while the rows are on disk only.
        var batches: [Batch] = []
        var stored: (any RowBlock)?
    }

    private struct State {
        var blocks: [Block] = []
        var rowCount = 0
        /// Bytes of all rows, wherever they are.
        var byteCount = 0
        /// Bytes of the room that full blocks take.
        var reservedByteCount = 0
        /// The block on disk whose rows are in memory as well.
        var readBlock: Int?
        var store: (any RowBlockStore)?
    }

    private let types: [DataType]
    private let room: HoldBackRoom
    private let makeStore: @Sendable () throws -> any RowBlockStore
    private let state = Mutex(State())

    init(types: [DataType], room: HoldBackRoom, makeStore: @escaping @Sendable () throws -> any RowBlockStore) {
        self.types = types
        self.room = room
        self.makeStore = makeStore
    }

    deinit { room.release(state.withLock { $0.reservedByteCount }) }

    var rowCount: Int { state.withLock { $0.rowCount } }
    var byteCount: Int { state.withLock { $0.byteCount } }

    /// Throws 53100 when rows must leave memory and the disk is full.
    func append(_ batch: Batch) throws {
        let batch = batch.densified()
        let size = batch.estimatedByteCount
        try state.withLock { state in
            if state.blocks.last.map({ $0.byteCount >= Self.blockByteCount }) ?? true {
                try closeLastBlock(&state)
                state.blocks.append(Block(firstRow: state.rowCount))
            }
            let last = state.blocks.count - 1
            state.blocks[last].batches.append(batch)
            state.blocks[last].rowCount += batch.rowCount
            state.blocks[last].byteCount += size
            state.rowCount += batch.rowCount
            state.byteCount += size
        }
    }

    /// Rows from this one on, at most `count`, at least one.
    func rows(from row: Int, atMost count: Int) throws -> Batch {
        try state.withLock { state in
            let (batch, start) = try find(row, &state)
            return batch.slice(start, min(count, batch.rowCount - start))
        }
    }

    /// Rows before this one, the nearest first; at most `count`, at least one.
    func rowsBackwards(before row: Int, atMost count: Int) throws -> Batch {
        try state.withLock { state in
            let (batch, last) = try find(row - 1, &state)
            let taken = min(count, last + 1)
            let order = Selection(capacity: taken)
            for index in 0..<taken { order.rows[index] = UInt16(truncatingIfNeeded: last - index) }
            order.count = taken
            // Not a selection of the batch: those are in the order of the rows.
            return Batch(columns: batch.columns.map { $0.gathered(order) }, rowCount: taken)
        }
    }

    /// The batch with this row, and the row's place in it.
    private func find(_ row: Int, _ state: inout State) throws -> (Batch, Int) {
        var low = 0
        var high = state.blocks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if state.blocks[middle].firstRow <= row { low = middle } else { high = middle }
        }
        guard low < state.blocks.count else { throw QueryError.internalError("a cursor has no row \(row)") }
        if state.blocks[low].batches.isEmpty, let stored = state.blocks[low].stored {
            forgetReadBlock(&state)
            state.blocks[low].batches = try stored.read()
            state.readBlock = low
        }
        var start = row - state.blocks[low].firstRow
        for batch in state.blocks[low].batches {
            if start < batch.rowCount { return (batch, start) }
            start -= batch.rowCount
        }
        throw QueryError.internalError("a cursor has no row \(row)")
    }

    /// A full block stays in memory if there is room for it.
    private func closeLastBlock(_ state: inout State) throws {
        guard let block = state.blocks.last else { return }
        let size = block.byteCount
        if state.reservedByteCount + size <= room.queryByteLimit, room.reserve(size) {
            state.reservedByteCount += size
            return
        }
        let store = try state.store ?? makeStore()
        state.store = store
        let last = state.blocks.count - 1
        state.blocks[last].stored = try store.store(block.batches, types: types)
        forgetReadBlock(&state)
        // Its rows are about to be given.
        state.readBlock = last
    }

    private func forgetReadBlock(_ state: inout State) {
        if let block = state.readBlock { state.blocks[block].batches = [] }
        state.readBlock = nil
    }
}
