// What stores keep in memory from one query to the next, beyond what their queries have asked for.

import Synchronization

/// The bound of such caches. One for the process: stores of all catalogues read the same files.
package enum StoreCache {
    private static let limit = Atomic<Int>(64 << 20)

    /// Bytes that each cache of a store may take. Caches look at it when they grow.
    package static var byteLimit: Int {
        get { limit.load(ordering: .relaxed) }
        set { limit.store(newValue, ordering: .relaxed) }
    }
}
