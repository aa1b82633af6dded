// What this process has waited for and holds on disk, for metrics: counted where it happens, once a wait, a block or a
// request, never once a row. Kept for the process as its processor time is, whatever workers live in it.

import Synchronization

/// The meters of this process. Thread-safe.
package enum ProcessMeters {
    private static let readerWait = Atomic<UInt64>(0)
    private static let writerWait = Atomic<UInt64>(0)
    private static let creditWait = Atomic<UInt64>(0)
    private static let heldSpill = Atomic<Int>(0)
    private static let orphanedSpill = Atomic<Int>(0)
    private static let stores = Mutex<[String: Histogram]>([:])

    /// A driver has waited for rows of another stage.
    package static func addExchangeReaderWait(nanoseconds: UInt64) {
        readerWait.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// A driver has waited because the buffer of its task's output was full.
    package static func addExchangeWriterWait(nanoseconds: UInt64) {
        writerWait.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// A channel to another node has waited for its reader's credit.
    package static func addExchangeCreditWait(_ duration: Duration) {
        creditWait.wrappingAdd(UInt64(max(0, duration / .nanoseconds(1))), ordering: .relaxed)
    }

    /// Spill files have become larger, or, if negative, have gone.
    package static func addHeldSpill(byteCount: Int) { heldSpill.wrappingAdd(byteCount, ordering: .relaxed) }

    /// Spill files of an earlier process were found and removed.
    package static func addOrphanedSpill(byteCount: Int) { orphanedSpill.wrappingAdd(byteCount, ordering: .relaxed) }

    /// A store's server has answered a request, or begun to.
    package static func addStoreRequest(catalog: String, duration: Duration) {
        stores.withLock { stores in
            stores[catalog, default: Histogram(bounds: MeterReading.requestBounds)].record(
                max(0, duration / .seconds(1)))
        }
    }

    package static var reading: MeterReading {
        MeterReading(
            exchangeReaderWaitNanoseconds: readerWait.load(ordering: .relaxed),
            exchangeWriterWaitNanoseconds: writerWait.load(ordering: .relaxed),
            exchangeCreditWaitNanoseconds: creditWait.load(ordering: .relaxed),
            heldSpillBytes: max(0, heldSpill.load(ordering: .relaxed)),
            orphanedSpillBytes: orphanedSpill.load(ordering: .relaxed), storeRequests: stores.withLock { $0 })
    }
}

/// What a process's meters show. Times and sums are those since it began.
package struct MeterReading: Sendable, Hashable {
    /// Where the ranges of `storeRequests` end, in seconds.
    package static let requestBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    package var exchangeReaderWaitNanoseconds: UInt64
    package var exchangeWriterWaitNanoseconds: UInt64
    package var exchangeCreditWaitNanoseconds: UInt64
    /// What spill files hold now.
    package var heldSpillBytes: Int
    /// What earlier processes had left of theirs.
    package var orphanedSpillBytes: Int
    /// Seconds until servers answered, by catalogue.
    package var storeRequests: [String: Histogram]

    package init(
        exchangeReaderWaitNanoseconds: UInt64 = 0, exchangeWriterWaitNanoseconds: UInt64 = 0,
        exchangeCreditWaitNanoseconds: UInt64 = 0, heldSpillBytes: Int = 0, orphanedSpillBytes: Int = 0,
        storeRequests: [String: Histogram] = [:]
    ) {
        self.exchangeReaderWaitNanoseconds = exchangeReaderWaitNanoseconds
        self.exchangeWriterWaitNanoseconds = exchangeWriterWaitNanoseconds
        self.exchangeCreditWaitNanoseconds = exchangeCreditWaitNanoseconds
        self.heldSpillBytes = heldSpillBytes
        self.orphanedSpillBytes = orphanedSpillBytes
        self.storeRequests = storeRequests
    }
}
