// Dictionaries of column chunks that were decoded before.
//
// A dictionary of some hundred thousand entries costs more to decompress than the codes that refer to it, and warm queries
// over the same files would do it again each time. What is kept is bounded. While there is no room, only some of the new
// dictionaries take the place of old ones that were not used lately (the clock's rule), the fewer the less often those that
// were let in are asked for again: a scan larger than the bound neither washes the cache out nor pays for its own turnover.

import Columnar
import Storage
import Synchronization

/// Shared by the whole process; see `StoreCache` for its bound.
final class DictionaryCache: Sendable {
    struct Key: Hashable {
        var identity: FileIdentity
        /// Of the chunk in the file.
        var offset: Int
        var type: DataType
    }

    /// A dictionary, and where the page behind it begins.
    struct Entry {
        var values: Vector
        var end: Int
    }

    fileprivate struct Slot {
        var key: Key
        var entry: Entry
        var byteCount: Int
        /// Found since the hand last passed; a new one has to be found first to be preferred.
        var isUsed = false
        /// Since it was let in.
        var wasFound = false
    }

    fileprivate struct State {
        var slots: [Slot] = []
        var places: [Key: Int] = [:]
        var byteCount = 0
        var hand = 0
        /// Of the dictionaries that come while there is no room, so many are passed over for one that gets room.
        var passCount = DictionaryCache.passCountMin
        var passed = 0
    }

    static let shared = DictionaryCache { StoreCache.byteLimit }
    /// Smaller ones are made faster than they are found.
    private static let byteCountMin = 16 << 10
    fileprivate static let passCountMin = 4
    fileprivate static let passCountMax = 256

    private let state = Mutex(State())

    private let byteLimit: @Sendable () -> Int

    init(byteLimit: @escaping @Sendable () -> Int) { self.byteLimit = byteLimit }

    func entry(_ key: Key) -> Entry? {
        state.withLock { state in
            guard let place = state.places[key] else { return nil }
            state.slots[place].isUsed = true
            state.slots[place].wasFound = true
            return state.slots[place].entry
        }
    }

    /// Keeps a dictionary that nobody changes any more. `page` are the bytes that its views point into, if they do.
    func keep(_ entry: Entry, _ key: Key, page: Buffer?) {
        let limit = byteLimit()
        let own = entry.values.count * entry.values.physical.width
        // Blocks of buffers have up to twice the bytes that were asked for.
        let byteCount = page.map { 2 * ($0.byteCount + own) } ?? own
        guard byteCount >= DictionaryCache.byteCountMin, byteCount <= limit / 4 else { return }
        guard state.withLock({ $0.wants(key, byteCount, limit) }) else { return }
        var entry = entry
        if page == nil { entry.values = entry.values.exactCopy(byteCount: own) }
        // Dropped outside of the lock.
        var dropped: [Slot] = []
        state.withLock { state in
            guard state.places[key] == nil else { return }
            while state.byteCount + byteCount > limit, let slot = state.removeOne() { dropped.append(slot) }
            state.places[key] = state.slots.count
            state.slots.append(Slot(key: key, entry: entry, byteCount: byteCount))
            state.byteCount += byteCount
        }
        _ = dropped
    }
}

/// Memory of just the size that is needed.
private final class ExactBytes {
    let base: UnsafeMutableRawPointer
    init(copying source: UnsafeRawPointer, byteCount: Int) {
        base = .allocate(byteCount: byteCount + Buffer.padding, alignment: 64)
        base.copyMemory(from: source, byteCount: byteCount)
    }
    deinit { base.deallocate() }
}

extension Vector {
    /// The same values in memory that is not rounded up to the size of a block.
    fileprivate func exactCopy(byteCount: Int) -> Vector {
        let bytes = ExactBytes(copying: data, byteCount: byteCount)
        let owner = Buffer(borrowing: bytes.base, byteCount: byteCount, owner: bytes)
        return Vector(type: type, encoding: .flat, count: count, data: bytes.base, dataOwner: owner)
    }
}

extension DictionaryCache.State {
    fileprivate mutating func wants(_ key: DictionaryCache.Key, _ byteCount: Int, _ limit: Int) -> Bool {
        if places[key] != nil { return false }
        if self.byteCount + byteCount <= limit { return true }
        passed += 1
        guard passed >= passCount else { return false }
        passed = 0
        return true
    }

    /// Takes out one that was not used since the hand passed it; the last one takes its place.
    fileprivate mutating func removeOne() -> DictionaryCache.Slot? {
        guard !slots.isEmpty else { return nil }
        while true {
            hand = hand >= slots.count ? 0 : hand
            if slots[hand].isUsed {
                slots[hand].isUsed = false
                hand += 1
                continue
            }
            let slot = slots[hand]
            passCount =
                slot.wasFound
                ? max(DictionaryCache.passCountMin, passCount / 2) : min(DictionaryCache.passCountMax, passCount * 2)
            places[slot.key] = nil
            byteCount -= slot.byteCount
            let last = slots.removeLast()
            if hand < slots.count {
                slots[hand] = last
                places[last.key] = hand
            }
            return slot
        }
    }
}
