// Validity bitmaps: one bit a row, least significant first, 1 = not null.

/// A bitmap over 64-bit words. `Vector.validity` is `nil` when nothing is null.
package enum Validity {
    @inlinable package static func wordCount(_ rows: Int) -> Int { (rows &+ 63) &>> 6 }

    @inlinable package static func isValid(_ words: UnsafePointer<UInt64>, _ row: Int) -> Bool {
        (words[row &>> 6] &>> UInt64(row & 63)) & 1 != 0
    }
    @inlinable package static func isValid(_ words: UnsafeMutablePointer<UInt64>, _ row: Int) -> Bool {
        (words[row &>> 6] &>> UInt64(row & 63)) & 1 != 0
    }
    @inlinable package static func setValid(_ words: UnsafeMutablePointer<UInt64>, _ row: Int) {
        words[row &>> 6] |= 1 &<< UInt64(row & 63)
    }
    @inlinable package static func setNull(_ words: UnsafeMutablePointer<UInt64>, _ row: Int) {
        words[row &>> 6] &= ~(1 &<< UInt64(row & 63))
    }

    /// A new bitmap, all valid or all null.
    package static func make(rows: Int, valid: Bool) -> Buffer {
        let buffer = Buffer(byteCount: max(8, wordCount(rows) * 8))
        let words = buffer.base.assumingMemoryBound(to: UInt64.self)
        words.update(repeating: valid ? ~0 : 0, count: max(1, wordCount(rows)))
        return buffer
    }

    /// Number of set bits among the first `rows`.
    package static func validCount(_ words: UnsafePointer<UInt64>, rows: Int) -> Int {
        var count = 0
        var word = 0
        while word < rows &>> 6 {
            count &+= words[word].nonzeroBitCount
            word &+= 1
        }
        if rows & 63 != 0 {
            count &+= (words[word] & ((1 &<< UInt64(rows & 63)) &- 1)).nonzeroBitCount
        }
        return count
    }
}
