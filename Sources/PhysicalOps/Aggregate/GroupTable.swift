// The hash table of groups: finds or makes the group of every row of a batch.

import CKernels
import Columnar
import Diagnostics

/// Linear probing over a power of two of slots, at most 3/4 full. A slot of packed keys is the key's words and a pointer
/// with the null flags in its top 16 bits; a slot of other keys is a pointer with 16 bits of the hash as salt, so that
/// most rows of other groups are never looked at. Confined to one thread at a time.
final class GroupTable {
    /// Rows looked up at a time; callers cut larger batches.
    static let chunkRows = Batch.standardRowCount
    private static let slotCountMin = 4096
    /// How many rows ahead slots are fetched, once the table is larger than the second-level cache.
    private static let prefetchRows = 16

    let layout: GroupLayout
    private(set) var store: GroupRowStore
    /// Where long keys lie.
    private(set) var heap = StringHeap()
    /// Whether keys that were ever null have been seen, by key.
    private(set) var keyHasNulls: [Bool]
    /// The table gives up its slots at this size instead of growing: equal groups may then be in several rows.
    private let slotCountMax: Int
    /// `false`: long keys stay where they are; the caller keeps that memory alive.
    private let copiesStrings: Bool
    /// Bits of the hash that are used; tests force collisions by it.
    private let hashMask: UInt64
    /// Whether a group may be in several rows.
    private(set) var hasDuplicates = false

    private var slots = Buffer(byteCount: 8)
    private var slotCount = 0
    private let slotWords: Int
    /// Groups that the slots know.
    private var groupsInSlots = 0
    private var direct: DirectGroups?

    /// The group of each row of the last call.
    let groups: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let hashes: UnsafeMutablePointer<UInt64>
    private let words: [UnsafeMutablePointer<UInt64>]
    private let nullFlags: UnsafeMutablePointer<UInt64>
    private let newRows: UnsafeMutablePointer<UInt16>
    private let candidates: UnsafeMutablePointer<UInt16>
    private let remaining: UnsafeMutablePointer<UInt16>
    private let positions: UnsafeMutablePointer<Int>
    private let newGroups: UnsafeMutablePointer<UnsafeMutableRawPointer>

    /// `slotCountMax` must be a power of two, or `.max`.
    init(layout: GroupLayout, slotCountMax: Int = .max, copiesStrings: Bool = true, hashMask: UInt64 = .max) {
        self.layout = layout
        self.hashMask = hashMask
        self.slotCountMax = slotCountMax
        self.copiesStrings = copiesStrings
        store = GroupRowStore(layout: layout, isPartitioned: false)
        keyHasNulls = layout.types.map { _ in false }
        switch layout.packing {
        case .rows: slotWords = 1
        case .oneWord: slotWords = 2
        case .twoWords: slotWords = 3
        }
        let rows = GroupTable.chunkRows
        groups = .allocate(capacity: rows)
        hashes = .allocate(capacity: rows + GroupTable.prefetchRows)
        hashes.initialize(repeating: 0, count: rows + GroupTable.prefetchRows)
        words = [.allocate(capacity: rows), .allocate(capacity: rows)]
        nullFlags = .allocate(capacity: rows)
        newRows = .allocate(capacity: rows)
        candidates = .allocate(capacity: rows)
        remaining = .allocate(capacity: rows)
        positions = .allocate(capacity: rows)
        newGroups = .allocate(capacity: rows)
        if !layout.types.isEmpty { direct = DirectGroups(layout: layout) }
    }

    deinit {
        groups.deallocate()
        hashes.deallocate()
        for pointer in words { pointer.deallocate() }
        nullFlags.deallocate()
        newRows.deallocate()
        candidates.deallocate()
        remaining.deallocate()
        positions.deallocate()
        newGroups.deallocate()
    }

    var groupCount: Int { store.rowCount }
    var byteCount: Int { store.byteCount + slots.byteCount + heap.byteCount }

    // MARK: Finding groups

    /// Sets `groups[i]` for row i of the dense key vectors, at most `chunkRows`. New groups have fresh states. Returns how
    /// many are new; `newRow(_:)` tells which.
    @discardableResult
    func find(_ keys: [Vector], count: Int) -> Int {
        if let direct {
            switch direct.lookUp(keys, count: count, groups: groups, missing: remaining) {
            case .allFound: return 0
            case .missing(let missing):
                // Few rows: every combination is missing once a dictionary.
                let added = findSelected(keys, rows: remaining, count: missing)
                direct.remember(rows: remaining, count: missing, groups: groups)
                return added
            case .unsuitable: if direct.isDisabled { self.direct = nil }
            }
        }
        let flat = keys.map { $0.flattened() }
        // Entries of a dictionary are hashed once, for all batches that have it.
        makeHashes(layout.packing == .rows ? keys : flat, count: count)
        return insert(flat, count: count)
    }

    /// As `find` for rows whose hashes are known: those of another table with the same layout.
    func find(_ keys: [Vector], hashes known: UnsafePointer<UInt64>, count: Int) {
        hashes.update(from: known, count: count)
        if layout.packing != .rows { pack(keys, count: count) }
        _ = insert(keys, count: count)
    }

    /// Which row made the i-th new group of the last call.
    func newRow(_ index: Int) -> Int { Int(newRows[index]) }

    /// Looks up only some rows; the results go to their places in `groups`.
    private func findSelected(_ keys: [Vector], rows: UnsafeMutablePointer<UInt16>, count: Int) -> Int {
        let selection = Selection(capacity: count)
        selection.rows.update(from: rows, count: count)
        selection.count = count
        let gathered = keys.map { $0.gathered(selection).flattened() }
        // `remaining` is in use by the caller and by the probe loop: the rows are kept in the selection.
        let saved = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: GroupTable.chunkRows)
        defer { saved.deallocate() }
        saved.update(from: groups, count: GroupTable.chunkRows)
        makeHashes(gathered, count: count)
        let added = insert(gathered, count: count)
        var index = 0
        while index < count {
            saved[Int(selection.rows[index])] = groups[index]
            index &+= 1
        }
        groups.update(from: saved, count: GroupTable.chunkRows)
        rows.update(from: selection.rows, count: count)
        index = 0
        while index < added {
            newRows[index] = selection.rows[Int(newRows[index])]
            index &+= 1
        }
        return added
    }

    private func makeHashes(_ keys: [Vector], count: Int) {
        switch layout.packing {
        case .rows:
            if keys.isEmpty { hashes.update(repeating: Hashing.nullHash, count: count) }
            for (index, key) in keys.enumerated() { Hashing.hash(key, into: hashes, combining: index > 0) }
        case .oneWord:
            pack(keys, count: count)
            let first = words[0]
            var row = 0
            while row < count {
                hashes[row] = Hashing.mix(first[row] ^ nullFlags[row] &* Hashing.nullHash)
                row &+= 1
            }
        case .twoWords:
            pack(keys, count: count)
            let (first, second) = (words[0], words[1])
            var row = 0
            while row < count {
                hashes[row] = Hashing.combine(Hashing.mix(first[row] ^ nullFlags[row] &* Hashing.nullHash), second[row])
                row &+= 1
            }
        }
        if hashMask != .max {
            for row in 0..<count { hashes[row] &= hashMask }
        }
    }

    private func insert(_ keys: [Vector], count: Int) -> Int {
        makeRoom(for: count)
        let added =
            switch layout.packing {
            case .oneWord: insertOneWord(count)
            case .twoWords: insertTwoWords(count)
            case .rows: insertRows(keys, count)
            }
        if added > 0 {
            if layout.packing != .rows { writeKeys(keys, from: 0, to: added) }
            groupsInSlots += added
            var index = 0
            while index < added {
                newGroups[index] = groups[Int(newRows[index])]
                index &+= 1
            }
            layout.initializeStates(newGroups, count: added)
        }
        return added
    }

    /// A group of its own for every row, without looking for equal ones. `find` must not be called afterwards.
    func append(_ keys: [Vector], count: Int) {
        let flat = keys.map { $0.flattened() }
        makeHashes(layout.packing == .rows ? keys : flat, count: count)
        hasDuplicates = true
        var row = 0
        while row < count {
            groups[row] = newRow(hash: hashes[row])
            newRows[row] = UInt16(truncatingIfNeeded: row)
            row &+= 1
        }
        writeKeys(flat, from: 0, to: count)
        layout.initializeStates(groups, count: count)
    }

    // MARK: Slots

    private func makeRoom(for added: Int) {
        while (groupsInSlots + added) * 4 > slotCount * 3 {
            if slotCount >= slotCountMax {
                clearSlots()
                hasDuplicates = true
                return
            }
            grow(to: max(GroupTable.slotCountMin, slotCount * 2))
        }
    }

    /// Makes room for that many groups at once.
    func reserve(_ count: Int) {
        var wanted = max(GroupTable.slotCountMin, slotCount)
        while count * 4 > wanted * 3 { wanted *= 2 }
        if wanted > slotCount { grow(to: min(wanted, slotCountMax)) }
    }

    /// Forgets all groups and gives their memory back, but for the slots.
    func removeAll() {
        store = GroupRowStore(layout: layout, isPartitioned: store.partitionCount > 1)
        heap = StringHeap()
        keyHasNulls = layout.types.map { _ in false }
        hasDuplicates = false
        if slotCount > 0 { clearSlots() }
    }

    private func clearSlots() {
        slots.base.initializeMemory(as: UInt64.self, repeating: 0, count: slotCount * slotWords)
        groupsInSlots = 0
        direct?.forgetGroups()
    }

    private func grow(to count: Int) {
        let old = slots
        let oldCount = slotCount
        slots = Buffer(byteCount: count * slotWords * 8)
        slotCount = count
        slots.base.initializeMemory(as: UInt64.self, repeating: 0, count: count * slotWords)
        let source = old.base.assumingMemoryBound(to: UInt64.self)
        let target = slots.base.assumingMemoryBound(to: UInt64.self)
        let mask = count &- 1
        let width = slotWords
        var slot = 0
        while slot < oldCount {
            let entry = source[slot &* width &+ width &- 1]
            if entry != 0 {
                var position = Int(truncatingIfNeeded: rowHash(rowPointer(entry))) & mask
                while target[position &* width &+ width &- 1] != 0 { position = (position &+ 1) & mask }
                var word = 0
                while word < width {
                    target[position &* width &+ word] = source[slot &* width &+ word]
                    word &+= 1
                }
            }
            slot &+= 1
        }
    }

    /// Moves the rows into partitions; for tables that have outgrown the cache. Addresses of groups change.
    func partition() {
        if store.partitionCount > 1 { return }
        store = store.repartitioned()
        direct?.forgetGroups()
        guard slotCount > 0 else { return }
        // The slots are filled again from the rows.
        slots.base.initializeMemory(as: UInt64.self, repeating: 0, count: slotCount * slotWords)
        let target = slots.base.assumingMemoryBound(to: UInt64.self)
        let mask = slotCount - 1
        for partition in 0..<store.partitionCount {
            store.forEachChunk(partition: partition) { rows, count in
                let keys = layout.packing == .rows ? [] : readKeys(rows, count: count)
                if layout.packing != .rows { pack(keys, count: count) }
                var row = 0
                while row < count {
                    var position = Int(truncatingIfNeeded: rowHash(rows[row])) & mask
                    while target[position &* slotWords &+ slotWords &- 1] != 0 { position = (position &+ 1) & mask }
                    let address = UInt64(UInt(bitPattern: rows[row]))
                    switch layout.packing {
                    case .rows: target[position] = address | (rowHash(rows[row]) &>> 48) &<< 48
                    case .oneWord:
                        target[position &* 2] = words[0][row]
                        target[position &* 2 &+ 1] = address | nullFlags[row] &<< 48
                    case .twoWords:
                        target[position &* 3] = words[0][row]
                        target[position &* 3 &+ 1] = words[1][row]
                        target[position &* 3 &+ 2] = address | nullFlags[row] &<< 48
                    }
                    row &+= 1
                }
            }
        }
    }

    private var prefetchDistance: Int { slots.byteCount > 256 << 10 ? GroupTable.prefetchRows : 0 }

    @inline(__always)
    private func newRow(hash: UInt64) -> UnsafeMutableRawPointer {
        let row = store.allocate(hash: hash)
        row.storeBytes(of: hash, as: UInt64.self)
        return row
    }

    private func insertOneWord(_ count: Int) -> Int {
        let slots = slots.base.assumingMemoryBound(to: UInt64.self)
        let mask = slotCount &- 1
        let (first, nulls, hashes, groups, newRows) = (words[0], nullFlags, hashes, groups, newRows)
        let ahead = prefetchDistance
        var added = 0
        var row = 0
        while row < count {
            if ahead > 0 {
                // Hashes behind the last row are of an earlier batch, and as good as any.
                let next = Int(truncatingIfNeeded: hashes[row &+ ahead]) & mask
                ck_prefetch(slots + next &* 2)
            }
            let key = first[row]
            let tag = nulls[row]
            var position = Int(truncatingIfNeeded: hashes[row]) & mask
            while true {
                let entry = slots[position &* 2 &+ 1]
                if entry == 0 {
                    let made = newRow(hash: hashes[row])
                    slots[position &* 2] = key
                    slots[position &* 2 &+ 1] = UInt64(UInt(bitPattern: made)) | tag &<< 48
                    groups[row] = made
                    newRows[added] = UInt16(truncatingIfNeeded: row)
                    added &+= 1
                    break
                }
                if slots[position &* 2] == key && entry &>> 48 == tag {
                    groups[row] = rowPointer(entry)
                    // The states lie there; they are updated when all rows of the batch have their groups.
                    if ahead > 0 { ck_prefetch(groups[row]) }
                    break
                }
                position = (position &+ 1) & mask
            }
            row &+= 1
        }
        return added
    }

    private func insertTwoWords(_ count: Int) -> Int {
        let slots = slots.base.assumingMemoryBound(to: UInt64.self)
        let mask = slotCount &- 1
        let (first, second, nulls, hashes, groups, newRows) = (words[0], words[1], nullFlags, hashes, groups, newRows)
        let ahead = prefetchDistance
        var added = 0
        var row = 0
        while row < count {
            if ahead > 0 {
                let next = Int(truncatingIfNeeded: hashes[row &+ ahead]) & mask
                ck_prefetch(slots + next &* 3)
            }
            let (low, high) = (first[row], second[row])
            let tag = nulls[row]
            var position = Int(truncatingIfNeeded: hashes[row]) & mask
            while true {
                let slot = slots + position &* 3
                let entry = slot[2]
                if entry == 0 {
                    let made = newRow(hash: hashes[row])
                    slot[0] = low
                    slot[1] = high
                    slot[2] = UInt64(UInt(bitPattern: made)) | tag &<< 48
                    groups[row] = made
                    newRows[added] = UInt16(truncatingIfNeeded: row)
                    added &+= 1
                    break
                }
                if slot[0] == low && slot[1] == high && entry &>> 48 == tag {
                    groups[row] = rowPointer(entry)
                    if ahead > 0 { ck_prefetch(groups[row]) }
                    break
                }
                position = (position &+ 1) & mask
            }
            row &+= 1
        }
        return added
    }

    /// In rounds: every row goes to its next slot that is empty or has its salt; keys of new groups are written; then rows
    /// are compared with what they found, column by column, and those that differ go on in the next round.
    private func insertRows(_ keys: [Vector], _ count: Int) -> Int {
        let slots = slots.base.assumingMemoryBound(to: UInt64.self)
        let mask = slotCount &- 1
        let (hashes, groups, positions) = (hashes, groups, positions)
        var row = 0
        while row < count {
            positions[row] = Int(truncatingIfNeeded: hashes[row]) & mask
            remaining[row] = UInt16(truncatingIfNeeded: row)
            row &+= 1
        }
        var added = 0
        var left = count
        while left > 0 {
            let addedBefore = added
            var candidateCount = 0
            var index = 0
            while index < left {
                let row = Int(remaining[index])
                let salt = (hashes[row] &>> 48) &<< 48
                var position = positions[row]
                while true {
                    let entry = slots[position]
                    if entry == 0 {
                        let made = newRow(hash: hashes[row])
                        slots[position] = UInt64(UInt(bitPattern: made)) | salt
                        groups[row] = made
                        newRows[added] = UInt16(truncatingIfNeeded: row)
                        added &+= 1
                        break
                    }
                    if entry & 0xFFFF_0000_0000_0000 == salt {
                        groups[row] = rowPointer(entry)
                        candidates[candidateCount] = UInt16(truncatingIfNeeded: row)
                        candidateCount &+= 1
                        break
                    }
                    position = (position &+ 1) & mask
                }
                positions[row] = (position &+ 1) & mask
                index &+= 1
            }
            writeKeys(keys, from: addedBefore, to: added)
            left = 0
            for column in keys.indices where candidateCount > 0 {
                (candidateCount, left) = layout.compare(
                    column, keys[column], mayBeNull: keyHasNulls[column], groups: groups, candidates: candidates,
                    candidateCount, different: remaining, left)
            }
        }
        return added
    }

    // MARK: Keys

    /// Writes the keys of new groups `from..<to` into their rows.
    private func writeKeys(_ keys: [Vector], from: Int, to: Int) {
        if from == to { return }
        layout.clearNulls(groups: groups, rows: newRows + from, count: to - from)
        for (column, key) in keys.enumerated() {
            if key.validity != nil { keyHasNulls[column] = true }
            layout.write(
                column, key, groups: groups, rows: newRows + from, count: to - from,
                heap: copiesStrings ? heap : nil)
        }
    }

    /// The keys of rows as vectors. Text stays in the table's heap, which the vectors pin.
    func readKeys(_ rows: UnsafePointer<UnsafeMutableRawPointer>, count: Int) -> [Vector] {
        layout.types.indices.map { column in
            layout.read(column, rows: rows, count: count, mayBeNull: keyHasNulls[column], heap: heap)
        }
    }

    private func pack(_ keys: [Vector], count: Int) {
        words[0].update(repeating: 0, count: count)
        if layout.packing == .twoWords { words[1].update(repeating: 0, count: count) }
        nullFlags.update(repeating: 0, count: count)
        for (column, key) in keys.enumerated() {
            layout.pack(column, key, words: words, nullFlags: nullFlags, count: count)
        }
    }
}
