// Dictionaries of a column chunk: distinct values and the codes that stand for them.

import Columnar

/// Distinct integers (or floating-point numbers by their bits) in the order of their first use. Open addressing.
final class IntegerDictionary<Value: FixedWidthInteger & BitwiseCopyable> {
    private(set) var count = 0
    private(set) var entries: UnsafeMutablePointer<Value>
    private var entryCapacity = 256
    /// Code + 1; 0 is free. Twice as many as entries at least.
    private var slots: UnsafeMutablePointer<UInt32>
    private var slotBits = 9

    init() {
        entries = .allocate(capacity: 256)
        slots = .allocate(capacity: 512)
        slots.initialize(repeating: 0, count: 512)
    }

    deinit {
        entries.deallocate()
        slots.deallocate()
    }

    @inline(__always)
    private static func place(_ value: Value, _ bits: Int) -> Int {
        Int(
            truncatingIfNeeded: (UInt64(truncatingIfNeeded: value) &* 0x9E37_79B9_7F4A_7C15)
                &>> UInt64(truncatingIfNeeded: 64 &- bits))
    }

    @inline(__always)
    func code(_ value: Value) -> UInt32 {
        let mask = (1 &<< slotBits) &- 1
        var slot = IntegerDictionary.place(value, slotBits)
        while true {
            let found = slots[slot]
            if found == 0 { return insert(value, slot) }
            if entries[Int(found &- 1)] == value { return found &- 1 }
            slot = (slot &+ 1) & mask
        }
    }

    @inline(never)
    private func insert(_ value: Value, _ slot: Int) -> UInt32 {
        if count == entryCapacity {
            let larger = UnsafeMutablePointer<Value>.allocate(capacity: entryCapacity * 2)
            larger.update(from: entries, count: count)
            entries.deallocate()
            entries = larger
            entryCapacity *= 2
        }
        entries[count] = value
        count &+= 1
        slots[slot] = UInt32(truncatingIfNeeded: count)
        if count &* 2 > 1 &<< slotBits { rehash() }
        return UInt32(truncatingIfNeeded: count &- 1)
    }

    private func rehash() {
        slots.deallocate()
        slotBits &+= 2
        slots = .allocate(capacity: 1 << slotBits)
        slots.initialize(repeating: 0, count: 1 << slotBits)
        let mask = (1 &<< slotBits) &- 1
        for index in 0..<count {
            var slot = IntegerDictionary.place(entries[index], slotBits)
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = UInt32(truncatingIfNeeded: index &+ 1)
        }
    }

    /// The codes of `count` values that are not null.
    func encode(_ values: UnsafePointer<Value>, count: Int, into codes: UnsafeMutablePointer<UInt32>) {
        // Neighbours are often the same.
        var last: Value = 0
        var lastCode: UInt32?
        var index = 0
        while index < count {
            let value = values[index]
            if value != last || lastCode == nil {
                lastCode = code(value)
                last = value
            }
            codes[index] = lastCode.unsafelyUnwrapped
            index &+= 1
        }
    }
}

/// Distinct strings in the order of their first use.
final class StringDictionary {
    private(set) var entries: [StringView] = []
    private var hashes: [UInt64] = []
    private let heap = StringHeap()
    /// Bytes of the plain values, lengths included.
    private(set) var plainByteCount = 0
    private var slots = [UInt32](repeating: 0, count: 512)

    var count: Int { entries.count }

    func code(_ view: StringView, hash: UInt64) -> UInt32 {
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: hash &>> 7) & mask
        while true {
            let found = Int(slots[slot])
            if found == 0 { break }
            if hashes[found &- 1] == hash && StringView.equal(entries[found &- 1], view) {
                return UInt32(truncatingIfNeeded: found &- 1)
            }
            slot = (slot &+ 1) & mask
        }
        entries.append(heap.copy(view))
        hashes.append(hash)
        plainByteCount &+= view.count &+ 4
        slots[slot] = UInt32(truncatingIfNeeded: entries.count)
        if entries.count * 2 > slots.count { rehash() }
        return UInt32(truncatingIfNeeded: entries.count &- 1)
    }

    private func rehash() {
        slots = [UInt32](repeating: 0, count: slots.count * 4)
        let mask = slots.count - 1
        for (index, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash &>> 7) & mask
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = UInt32(truncatingIfNeeded: index + 1)
        }
    }
}
