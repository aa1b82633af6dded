// Parts of Parquet files that were decoded before: dictionaries, and all of a column in a small row group.
//
// A dictionary of some hundred thousand entries costs more to decompress than the codes that refer to it, and a file of few
// rows costs more to open than to read; warm queries over the same files would do it again each time. What is kept is bounded.
// While there is no room, only some of the new entries take the place of old ones that were not used lately (the clock's rule),
// the fewer the less often those that were let in are asked for again: a scan larger than the bound neither washes the cache
// out nor pays for its own turnover.

import Columnar
import Storage
import Synchronization

/// Shared by the whole process; see `StoreCache` for its bound.
final class DecodedCache: Sendable {
    enum Part { case dictionary, allRows }

    struct Key: Hashable {
        /// `ParquetMetadata.number` of the file's footer.
        var file: Int
        /// Of a dictionary: the offset of its chunk in the file. Of rows: the row group, and the leaf in the low 32 bits.
        var place: Int
        var type: DataType
        var part: Part

        /// Keys that differ in type or part only are rare.
        func hash(into hasher: inout Hasher) { hasher.combine(file &* 0x1E37_79B9_7F4A_7C15 ^ place) }
    }

    struct Entry {
        var values: Vector
        /// Of a dictionary: where the page behind it begins.
        var end = 0
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
        /// Of the entries that come while there is no room, so many are passed over for one that gets room.
        var passCount = DecodedCache.passCountMin
        var passed = 0
    }

    static let shared = DecodedCache { StoreCache.byteLimit }
    /// Smaller dictionaries are made faster than they are found.
    private static let dictionaryByteCountMin = 16 << 10
    /// Roughly what an entry takes beyond its values.
    private static let entryByteCount = 400
    /// A power of two, as the largest one is.
    fileprivate static let passCountMin = 4
    fileprivate static let passCountMax = 256

    private let state = Mutex(State())

    private let byteLimit: @Sendable () -> Int

    init(byteLimit: @escaping @Sendable () -> Int) { self.byteLimit = byteLimit }

    func entry(_ key: Key) -> Entry? {
        state.withLock { state in
            guard let place = state.places[key] else { return nil }
            if !state.slots[place].isUsed { state.slots[place].isUsed = true }
            if !state.slots[place].wasFound { state.slots[place].wasFound = true }
            return state.slots[place].entry
        }
    }

    /// Keeps a copy of values.
    func keep(_ entry: Entry, _ key: Key) {
        let limit = byteLimit()
        let byteCount = entry.values.exactByteCount + DecodedCache.entryByteCount
        guard key.part == .allRows || byteCount >= DecodedCache.dictionaryByteCountMin, byteCount <= limit / 4 else {
            return
        }
        guard state.withLock({ $0.wants(key, byteCount, limit) }) else { return }
        let kept = Entry(values: entry.values.exactCopy(), end: entry.end)
        // Dropped outside of the lock.
        var dropped: [Slot] = []
        state.withLock { state in
            guard state.places[key] == nil else { return }
            while state.byteCount + byteCount > limit, let slot = state.removeOne() { dropped.append(slot) }
            state.places[key] = state.slots.count
            state.slots.append(Slot(key: key, entry: kept, byteCount: byteCount))
            state.byteCount += byteCount
        }
        _ = dropped
    }
}

extension DecodedCache.State {
    fileprivate mutating func wants(_ key: DecodedCache.Key, _ byteCount: Int, _ limit: Int) -> Bool {
        if places[key] != nil { return false }
        if self.byteCount + byteCount <= limit { return true }
        if key.part == .allRows {
            // A file is opened if any of its columns is missing: they are let in or passed over together.
            let mixed = UInt64(bitPattern: Int64(key.file)) &* 0x9E37_79B9_7F4A_7C15
            return mixed >> 48 & UInt64(passCount - 1) == 0
        }
        passed += 1
        guard passed >= passCount else { return false }
        passed = 0
        return true
    }

    /// Takes out one that was not used since the hand passed it; the last one takes its place.
    fileprivate mutating func removeOne() -> DecodedCache.Slot? {
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
                ? max(DecodedCache.passCountMin, passCount / 2) : min(DecodedCache.passCountMax, passCount * 2)
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
