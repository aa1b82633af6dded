// From keys to build rows. Rows of one key form a chain: the table has the first row, `next` the following ones.
//
//   direct   keys pack into small numbers: an array from key to first row
//   packed   keys pack into 63 bits: open addressing over (key, first row)
//   hashed   anything else: open addressing over (salt, first row), keys compared column by column

import CKernels
import Columnar
import Diagnostics
import QueryPlan

/// The table of one join. Filled by the tasks of `insertTasks`, each in its own part of the table, read-only afterwards,
/// hence unchecked. Row numbers in it are one too high: 0 is "none".
final class JoinTable: @unchecked Sendable {
    enum Form: Sendable {
        case direct(KeyPacking)
        case packed(KeyPacking)
        case hashed
    }

    /// A slot of the packed form.
    struct PackedSlot {
        var key: UInt64
        var row: UInt32
        var padding: UInt32
    }

    let form: Form
    let store: RowStore
    let layout: JoinLayout
    /// `next[row]`: the following row of the same key (plus one), or 0.
    private let nextBuffer: Buffer
    var next: UnsafeMutablePointer<UInt32> { nextBuffer.base.assumingMemoryBound(to: UInt32.self) }
    /// direct: UInt32 a key; packed: `PackedSlot`; hashed: UInt64 of 16 bits salt and 48 bits row.
    private let slotBuffer: Buffer
    var heads: UnsafeMutablePointer<UInt32> { slotBuffer.base.assumingMemoryBound(to: UInt32.self) }
    var packedSlots: UnsafeMutablePointer<PackedSlot> { slotBuffer.base.assumingMemoryBound(to: PackedSlot.self) }
    var hashedSlots: UnsafeMutablePointer<UInt64> { slotBuffer.base.assumingMemoryBound(to: UInt64.self) }
    let slotMask: UInt64
    /// Packed key or hash of every build row; `UInt64.max` for rows that are not in the table (packed forms).
    private let rowKeys: Buffer
    /// Bytes by row: 1 if the row's keys can match (hashed form).
    private let liveRows: Buffer?
    private let reservation: MemoryReservation
    /// Whether some key has several rows; each inserting task adds its own finding.
    private let duplicateFlags: Buffer
    var hasDuplicates: Bool {
        duplicateFlags.base.assumingMemoryBound(to: SIMD64<UInt8>.self).pointee != SIMD64<UInt8>(repeating: 0)
    }

    private init(
        form: Form, store: RowStore, layout: JoinLayout, slotBytes: Int, slotMask: UInt64, rowKeys: Buffer,
        liveRows: Buffer?, memory: OperatorMemory
    ) throws {
        self.form = form
        self.store = store
        self.layout = layout
        self.slotMask = slotMask
        self.rowKeys = rowKeys
        self.liveRows = liveRows
        reservation = MemoryReservation(memory)
        try reservation.resize(to: slotBytes + store.rowCount * 4)
        nextBuffer = Buffer(byteCount: max(1, store.rowCount) * 4)
        slotBuffer = Buffer(byteCount: slotBytes)
        memset(slotBuffer.base, 0, slotBytes)
        duplicateFlags = Buffer(byteCount: 64)
        memset(duplicateFlags.base, 0, 64)
    }

    /// An empty table of the best form for these rows.
    static func make(store: RowStore, layout: JoinLayout, memory: OperatorMemory) throws -> JoinTable {
        let count = store.rowCount
        let keys = layout.keyPositions.map { store.columns[$0] }
        let live = liveFlags(keys, layout: layout, count: count)
        let nullsMatch = layout.plan.nullsAreEqual.contains(true) && keys.contains { $0.validity != nil }
        let probeTypes = layout.plan.leftKeys.map(\.type)
        if !nullsMatch, keys.allSatisfy({ KeyPacking.isPackable($0.type) }),
            probeTypes.allSatisfy(KeyPacking.isPackable), !layout.plan.nullsAreEqual.contains(true)
        {
            let widened = keys.map { key -> Buffer in
                let buffer = Buffer(byteCount: max(1, count) * 8)
                loadIntegers(key, count: count, into: buffer.base.assumingMemoryBound(to: Int64.self))
                return buffer
            }
            let flags = live?.base.assumingMemoryBound(to: UInt8.self)
            let pointers = widened.map { $0.base.assumingMemoryBound(to: Int64.self) }
            // Pointers do not keep what they point to: both buffers must outlive the look at the ranges.
            let found = withExtendedLifetime((widened, live)) {
                KeyPacking(
                    values: pointers, isLive: { flags == nil || flags.unsafelyUnwrapped[$0] != 0 }, rowCount: count)
            }
            if let packing = found {
                return try makePacked(packing, store: store, layout: layout, keys: keys, live: live, memory: memory)
            }
        }
        let rowKeys = Buffer(byteCount: max(1, count) * 8)
        let hashes = rowKeys.base.assumingMemoryBound(to: UInt64.self)
        for (index, key) in keys.enumerated() { Hashing.hash(key, into: hashes, combining: index > 0) }
        let slots = slotCount(count)
        return try JoinTable(
            form: .hashed, store: store, layout: layout, slotBytes: slots * 8, slotMask: UInt64(slots - 1),
            rowKeys: rowKeys, liveRows: live, memory: memory)
    }

    private static func makePacked(
        _ packing: KeyPacking, store: RowStore, layout: JoinLayout, keys: [Vector], live: Buffer?,
        memory: OperatorMemory
    ) throws -> JoinTable {
        let count = store.rowCount
        let rowKeys = Buffer(byteCount: max(1, count) * 8)
        let scratch = Buffer(byteCount: max(1, count) * 8)
        let packed = rowKeys.base.assumingMemoryBound(to: UInt64.self)
        withExtendedLifetime(scratch) {
            packing.pack(keys, count: count, into: packed, scratch: scratch.base.assumingMemoryBound(to: Int64.self))
        }
        if let flags = live?.base.assumingMemoryBound(to: UInt8.self) {
            for row in 0..<count where flags[row] == 0 { packed[row] = .max }
        }
        // An array pays while it is not much larger than a table of the same rows would be.
        if packing.range <= UInt64(max(count * 8, 1 << 16)) {
            return try JoinTable(
                form: .direct(packing), store: store, layout: layout, slotBytes: Int(packing.range) * 4, slotMask: 0,
                rowKeys: rowKeys, liveRows: nil, memory: memory)
        }
        let slots = slotCount(count)
        return try JoinTable(
            form: .packed(packing), store: store, layout: layout, slotBytes: slots * 16, slotMask: UInt64(slots - 1),
            rowKeys: rowKeys, liveRows: nil, memory: memory)
    }

    private static func slotCount(_ rows: Int) -> Int {
        var slots = 1024
        while slots < rows * 2 { slots *= 2 }
        return slots
    }

    /// One byte a row: 0 where a key is null that equals nothing; `nil` if there is no such row.
    private static func liveFlags(_ keys: [Vector], layout: JoinLayout, count: Int) -> Buffer? {
        let strict = keys.indices.filter { !layout.plan.nullsAreEqual[$0] && keys[$0].validity != nil }.map { keys[$0] }
        if strict.isEmpty { return nil }
        let buffer = Buffer(byteCount: max(1, count))
        let flags = buffer.base.assumingMemoryBound(to: UInt8.self)
        for row in 0..<count { flags[row] = strict.contains { $0.isNull(row) } ? 0 : 1 }
        return buffer
    }

    // MARK: - Building

    /// Tasks that fill the table, each the part of it that it owns: no two write the same slot or chain.
    func insertTasks(threads: Int) -> [FinalizeTask] {
        insertParts = store.rowCount < 50_000 ? 1 : SlotRegion.powerOfTwo(notAbove: min(64, threads))
        let parts = insertParts
        return (0..<parts).map { part in { [self] in insert(part: part, of: parts) } }
    }

    private func insert(part: Int, of parts: Int) {
        let duplicates: Bool
        switch form {
        case .direct(let packing): duplicates = insertDirect(packing.range, part, parts)
        case .packed: duplicates = insertPacked(part, parts)
        case .hashed: duplicates = insertHashed(part, parts)
        }
        duplicateFlags.base.assumingMemoryBound(to: UInt8.self)[part] = duplicates ? 1 : 0
    }

    /// Rows go in from the last to the first, so that chains run upwards.
    private func insertDirect(_ range: UInt64, _ part: Int, _ parts: Int) -> Bool {
        let keys = rowKeys.base.assumingMemoryBound(to: UInt64.self)
        let heads = self.heads
        let next = self.next
        let low = range / UInt64(parts) &* UInt64(part)
        let high = part == parts - 1 ? range : range / UInt64(parts) &* UInt64(part + 1)
        var chained: UInt32 = 0
        var row = store.rowCount &- 1
        while row >= 0 {
            let key = keys[row]
            if key >= low && key < high {
                let first = heads[Int(truncatingIfNeeded: key)]
                next[row] = first
                chained |= first
                heads[Int(truncatingIfNeeded: key)] = UInt32(truncatingIfNeeded: row &+ 1)
            }
            row &-= 1
        }
        return chained != 0
    }

    private func insertPacked(_ part: Int, _ parts: Int) -> Bool {
        let keys = rowKeys.base.assumingMemoryBound(to: UInt64.self)
        let slots = packedSlots
        let next = self.next
        let region = SlotRegion(mask: slotMask, part: part, parts: parts)
        var chained: UInt32 = 0
        var row = store.rowCount &- 1
        while row >= 0 {
            let key = keys[row]
            if key != .max {
                var slot = Hashing.mix(key) & slotMask
                if region.owns(slot) {
                    while slots[Int(truncatingIfNeeded: slot)].row != 0
                        && slots[Int(truncatingIfNeeded: slot)].key != key
                    {
                        slot = region.following(slot)
                    }
                    let first = slots[Int(truncatingIfNeeded: slot)].row
                    next[row] = first
                    chained |= first
                    slots[Int(truncatingIfNeeded: slot)] = PackedSlot(
                        key: key, row: UInt32(truncatingIfNeeded: row &+ 1), padding: 0)
                }
            }
            row &-= 1
        }
        return chained != 0
    }

    private func insertHashed(_ part: Int, _ parts: Int) -> Bool {
        let hashes = rowKeys.base.assumingMemoryBound(to: UInt64.self)
        let live = liveRows?.base.assumingMemoryBound(to: UInt8.self)
        let slots = hashedSlots
        let next = self.next
        let comparer = RowComparer(store: store, layout: layout)
        let region = SlotRegion(mask: slotMask, part: part, parts: parts)
        var chained: UInt32 = 0
        var row = store.rowCount &- 1
        while row >= 0 {
            let hash = hashes[row]
            if live == nil || live.unsafelyUnwrapped[row] != 0, region.owns(hash & slotMask) {
                var slot = hash & slotMask
                let salt = hash & 0xFFFF_0000_0000_0000
                var first: UInt32 = 0
                while true {
                    let entry = slots[Int(truncatingIfNeeded: slot)]
                    if entry == 0 { break }
                    if entry & 0xFFFF_0000_0000_0000 == salt {
                        let candidate = Int(truncatingIfNeeded: entry & 0xFFFF_FFFF) &- 1
                        if hashes[candidate] == hash && comparer.equal(candidate, row) {
                            first = UInt32(truncatingIfNeeded: entry)
                            break
                        }
                    }
                    slot = region.following(slot)
                }
                next[row] = first
                chained |= first
                slots[Int(truncatingIfNeeded: slot)] = salt | UInt64(row &+ 1)
            }
            row &-= 1
        }
        return chained != 0
    }

    /// The first row of the chain of each key (plus one, 0 for none). `keys` are packed keys.
    func lookUpPacked(_ keys: UnsafePointer<UInt64>, count: Int, into rows: UnsafeMutablePointer<UInt32>) {
        var row = 0
        switch form {
        case .direct(let packing):
            let heads = self.heads
            let range = packing.range
            while row < count {
                let key = keys[row]
                let inside = UInt64(unsafeBitCast(key < range, to: UInt8.self))
                let head = heads[Int(truncatingIfNeeded: key & (0 &- inside))]
                rows[row] = head & (0 &- UInt32(truncatingIfNeeded: inside))
                row &+= 1
            }
        case .packed:
            let slots = packedSlots
            let mask = slotMask
            let region = SlotRegion.whole(mask: mask, parts: insertParts)
            while row < count {
                let key = keys[row]
                var found: UInt32 = 0
                if key != .max {
                    var slot = Hashing.mix(key) & mask
                    while true {
                        let entry = slots[Int(truncatingIfNeeded: slot)]
                        if entry.row == 0 { break }
                        if entry.key == key {
                            found = entry.row
                            break
                        }
                        slot = region.following(slot)
                    }
                }
                rows[row] = found
                row &+= 1
            }
        case .hashed: rows.update(repeating: 0, count: count)
        }
    }

    /// Parts that the slots were filled in: probing wraps within a part.
    var insertParts = 1
}

/// The slots that one inserting task owns. Probing wraps around within the region, in building and in looking up.
struct SlotRegion {
    private let size: UInt64
    private let low: UInt64
    private let high: UInt64

    /// `parts` is a power of two, as the number of slots is.
    init(mask: UInt64, part: Int, parts: Int) {
        size = (mask &+ 1) / UInt64(parts)
        low = size &* UInt64(part)
        high = low &+ size
    }

    static func whole(mask: UInt64, parts: Int) -> SlotRegion { SlotRegion(mask: mask, part: 0, parts: parts) }

    static func powerOfTwo(notAbove limit: Int) -> Int {
        var count = 1
        while count * 2 <= limit { count *= 2 }
        return count
    }

    @inline(__always) func owns(_ slot: UInt64) -> Bool { slot >= low && slot < high }

    @inline(__always) func following(_ slot: UInt64) -> UInt64 {
        let within = (slot &+ 1) & (size &- 1)
        return (slot & ~(size &- 1)) | within
    }
}
