// Rows of a result that the client has not been given yet, so that the query can still be repeated behind its back.

import Columnar
import Synchronization

/// The coordinator's room for results that are held back, over all queries.
package final class HoldBackRoom: Sendable {
    package let byteLimit: Int
    /// Bytes that one query may hold back; 0: none holds back.
    package let queryByteLimit: Int
    private let reserved = Atomic<Int>(0)

    package init(byteLimit: Int, queryByteLimit: Int) {
        self.byteLimit = byteLimit
        self.queryByteLimit = queryByteLimit
    }

    /// For results that go out as they come.
    static let none = HoldBackRoom(byteLimit: 0, queryByteLimit: 0)

    package var reservedByteCount: Int { reserved.load(ordering: .relaxed) }

    /// `false`: there is no room for so much.
    func reserve(_ byteCount: Int) -> Bool {
        let sum = reserved.wrappingAdd(byteCount, ordering: .relaxed).newValue
        if sum <= byteLimit { return true }
        reserved.wrappingSubtract(byteCount, ordering: .relaxed)
        return false
    }

    func release(_ byteCount: Int) { reserved.wrappingSubtract(byteCount, ordering: .relaxed) }
}

/// The batches that one query holds back, in their order. Guarded by the lock of the stream that it belongs to.
struct HeldRows {
    /// Newest first once it is being given out.
    private var batches: [Batch] = []
    private var isReversed = false
    private var byteCount = 0
    /// Rows that are held.
    private(set) var rowCount = 0
    private let room: HoldBackRoom

    init(room: HoldBackRoom) { self.room = room }

    /// Keeps the batch. `false`: that was more than may be held.
    mutating func append(_ batch: Batch) -> Bool {
        batches.append(batch)
        rowCount += batch.rowCount
        let size = batch.estimatedByteCount
        guard byteCount + size <= room.queryByteLimit, room.reserve(size) else { return false }
        byteCount += size
        return true
    }

    /// The oldest batch; nothing is appended any more.
    mutating func take() -> Batch? {
        if !isReversed {
            isReversed = true
            batches.reverse()
        }
        let batch = batches.popLast()
        rowCount -= batch?.rowCount ?? 0
        if batches.isEmpty { giveBackRoom() }
        return batch
    }

    mutating func drop() {
        batches = []
        rowCount = 0
        giveBackRoom()
    }

    private mutating func giveBackRoom() {
        room.release(byteCount)
        byteCount = 0
    }
}
