// Which whole numbers have come before, as a bitmap: the distinct values of one column at a bit each.

import Columnar

/// Covers a range of numbers that grows with those that come. Confined to one thread.
final class SeenIntegers {
    /// Numbers that the range has at most: 8 MiB of bits.
    static let rangeMax: Int64 = 1 << 26

    private var bits = Buffer(byteCount: 8)
    /// The number of the first bit, a multiple of 64.
    private var base: Int64 = 0
    private var range: Int64 = 0
    private var hasNull = false
    private let numbers = UnsafeMutablePointer<Int64>.allocate(capacity: GroupTable.chunkRows)

    deinit { numbers.deallocate() }

    var byteCount: Int { bits.byteCount }

    /// Whether numbers of the type can be covered.
    static func takes(_ type: DataType) -> Bool { KeyPacking.isPackable(type) && type.physical != .boolean }

    /// The first row of each number that is new, of at most `GroupTable.chunkRows` rows; `nil`, and nothing noted, if the
    /// range would grow too large.
    func select(_ key: Vector, count: Int) -> Selection? {
        let key = key.flattened()
        loadIntegers(key, count: count, into: numbers)
        let (low, high) = integerBounds(numbers, key.validity, count)
        guard cover(low, high) else { return nil }
        let selection = Selection(capacity: count)
        let rows = selection.rows
        let words = bits.base.assumingMemoryBound(to: UInt64.self)
        let (numbers, base) = (numbers, base)
        var selected = 0
        var row = 0
        if let validity = key.validity {
            while row < count {
                let isValid = Validity.isValid(validity, row)
                var isNew = !hasNull
                if isValid {
                    let place = UInt64(bitPattern: numbers[row] &- base)
                    let word = Int(truncatingIfNeeded: place &>> 6)
                    isNew = words[word] &>> (place & 63) & 1 == 0
                    words[word] |= 1 &<< (place & 63)
                } else {
                    hasNull = true
                }
                rows[selected] = UInt16(truncatingIfNeeded: row)
                selected &+= isNew ? 1 : 0
                row &+= 1
            }
        } else {
            while row < count {
                let place = UInt64(bitPattern: numbers[row] &- base)
                let word = Int(truncatingIfNeeded: place &>> 6)
                let old = words[word]
                rows[selected] = UInt16(truncatingIfNeeded: row)
                selected &+= Int(truncatingIfNeeded: old &>> (place & 63) & 1 ^ 1)
                words[word] = old | 1 &<< (place & 63)
                row &+= 1
            }
        }
        selection.count = selected
        return selection
    }

    /// Makes the range include both.
    private func cover(_ low: Int64, _ high: Int64) -> Bool {
        if range > 0, low >= base, high < base + range { return true }
        let first = range == 0 ? low : min(low, base)
        let last = range == 0 ? high : max(high, base + range - 1)
        let (width, overflow) = last.subtractingReportingOverflow(first)
        guard !overflow, width < Self.rangeMax, let end = Self.rounded(first, last, room: range == 0 ? 0 : range) else {
            return false
        }
        let old = (bits: bits, base: base, range: range)
        (base, range) = (end.base, end.range)
        bits = Buffer(byteCount: Int(range / 8))
        bits.base.initializeMemory(as: UInt8.self, repeating: 0, count: bits.byteCount)
        if old.range > 0 {
            (bits.base + Int((old.base - base) / 8)).copyMemory(from: old.bits.base, byteCount: Int(old.range / 8))
        }
        return true
    }

    /// A range of whole words around `first...last`, with as much room behind it, so that it does not grow often. `nil` near
    /// the ends of the numbers.
    private static func rounded(_ first: Int64, _ last: Int64, room: Int64) -> (base: Int64, range: Int64)? {
        let base = first & ~63
        let (target, overflow) = (last | 63).addingReportingOverflow(min(room & ~63, rangeMax))
        if overflow || target == .max { return nil }
        return (base, target - base + 1)
    }
}
