// Batches outside of memory: what an operator writes when it may keep no more, and reads again.
//
//   SpillStore        makes files; the worker has one
//   SpillFile         batches in the order they came, written once, then read
//   SpillBudget       when an operator's driver should write rather than keep

import Columnar
import Diagnostics
import Storage

/// Makes files of batches. Thread-safe.
package protocol SpillStore: AnyObject, Sendable {
    /// An empty file for batches with columns of these types. It vanishes with the object, and with the process however
    /// that ends.
    func makeFile(types: [DataType]) throws -> any SpillFile
}

/// Written by one thread, then read by one thread; handed from one to the other under a lock.
package protocol SpillFile: AnyObject {
    var rowCount: Int { get }
    /// Bytes on disk.
    var byteCount: Int { get }
    /// Throws 53100 when the disk is full.
    func append(_ batch: Batch) throws
    /// Ends the writing: everything is on disk.
    func seal() throws
    /// The batches of a sealed file from the first on. Throws XX001 when bytes have changed since.
    func read() throws -> any BatchReader
}

/// When one driver of an operator writes what it has: at its share of half of the task's budget, which all operators that
/// keep rows and their drivers divide, when the budget is used up, or when others need memory. The rest is for what operators need beside
/// their rows: tables over them, partitions that are read again.
struct SpillBudget {
    /// Bytes that one driver keeps; `.max` without a place to spill to.
    let keptByteCountMax: Int
    private let store: (any SpillStore)?

    /// Less is not worth a file, nor an error when others have all the memory.
    static let keptByteCountMin = 64 << 10

    init(_ task: TaskContext) {
        store = task.environment.spillStore
        let limit = task.environment.memory.limit
        keptByteCountMax =
            store == nil || limit == .max
            ? .max
            : max(SpillBudget.keptByteCountMin, limit / (2 * max(2, task.keeperCount) * task.threads))
    }

    var canSpill: Bool { store != nil }

    func makeFile(types: [DataType]) throws -> any SpillFile {
        guard let store else { throw QueryError.internalError("there is no place to spill to") }
        return try store.makeFile(types: types)
    }

    /// Keeps an account in step with `byteCount` bytes and says whether it is time to spill. Throws 53200 only without a place
    /// to spill to.
    func isExceeded(_ reservation: MemoryReservation, byteCount: Int) throws -> Bool {
        guard canSpill else {
            try reservation.resize(to: byteCount)
            return byteCount > keptByteCountMax
        }
        if reservation.takeRevocation(), isWorthSpilling(byteCount) { return true }
        do {
            try reservation.resize(revocableTo: byteCount)
        } catch let error as QueryError where error.state == .outOfMemory {
            return isWorthSpilling(byteCount)
        }
        return byteCount > keptByteCountMax
    }

    /// Whether a file is worth it.
    func isWorthSpilling(_ byteCount: Int) -> Bool { canSpill && byteCount >= SpillBudget.keptByteCountMin }
}
