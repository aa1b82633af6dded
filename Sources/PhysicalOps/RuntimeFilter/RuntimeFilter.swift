// Runtime filters: what operators find out while they run, for the scans below them: the keys of a join's build side, and
// how far the first rows of a sort reach.

import Columnar
import Diagnostics
import QueryPlan

/// The set of one key column's values on a join's build side. The join makes it when it is compiled, attaches it through
/// `PipelineBuilder.attach` and publishes its content while its sink is finalised, before the probe side starts; the gate
/// between the two orders the accesses, hence unchecked. NULL is never a member: attach it only where NULL keys do not
/// match.
package final class RuntimeFilter: @unchecked Sendable {
    package enum Content {
        /// Nothing is known, or it is not worth a test.
        case everything
        /// The build side has no rows.
        case nothing
        /// Bounds of integer-like keys, and perhaps an exact set.
        case integers(minimum: Int64, maximum: Int64, set: IntegerSet?)
        /// A set of hashes as `Hashing.hash(_:into:combining: false)` makes them; of any type.
        case hashes(BloomFilter)
    }

    /// The type of the key; the column that is tested has the same.
    package let type: DataType
    package private(set) var content = Content.everything
    /// All keys, where they are few: stores that have indexes look them up.
    package private(set) var keys: [ScalarValue]?
    package static let keyCountMax = 64

    package init(type: DataType) { self.type = type }

    /// Whether `.integers` may be published for keys of this type.
    package static func isIntegerLike(_ type: DataType) -> Bool {
        switch type.physical {
        case .int8, .int16, .int32, .int64: true
        case .boolean, .int128, .float32, .float64, .interval, .uuid, .view: false
        }
    }

    package func publish(_ content: Content, keys: [ScalarValue]? = nil) {
        self.content = content
        self.keys = keys
    }
}

/// What an operator above a scan lets it test.
package enum RuntimeTest: Sendable {
    /// Whether the build side of a join has the key.
    case keys(RuntimeFilter)
    /// Whether the row can still be among the first ones of a sort.
    case firstRows(SortThreshold)
}

/// A test with the position of the tested column in the scan's output.
package struct AttachedRuntimeTest: Sendable {
    package let test: RuntimeTest
    package let column: Int
}

/// An exact set of integers: one bit for each value between two bounds. Filled by one thread, or by several over
/// disjoint ranges of 64 values; read by all afterwards, hence unchecked.
package final class IntegerSet: @unchecked Sendable {
    /// Bits a set may have: 8 MiB.
    package static let spanMax: UInt64 = 1 << 26

    package let minimum: Int64
    /// The largest value's distance from `minimum`.
    package let span: UInt64
    private let buffer: Buffer
    package var words: UnsafeMutablePointer<UInt64> { buffer.base.assumingMemoryBound(to: UInt64.self) }

    /// `nil` if the bounds are too far apart for `spanMax`.
    package init?(minimum: Int64, maximum: Int64) {
        guard minimum <= maximum else { return nil }
        // Whole words, so that sets can be united.
        let minimum = minimum & ~63
        let span = UInt64(bitPattern: maximum &- minimum)
        guard span < IntegerSet.spanMax else { return nil }
        self.minimum = minimum
        self.span = span
        buffer = Validity.make(rows: Int(span) + 1, valid: false)
    }

    var wordCount: Int { Int(span &>> 6) + 1 }

    /// Takes in the members of a set that lies within this one's bounds.
    func formUnion(_ other: IntegerSet) {
        let offset = Int((other.minimum &- minimum) &>> 6)
        for index in 0..<other.wordCount { words[offset + index] |= other.words[index] }
    }

    /// `value` must lie between the bounds.
    @inline(__always)
    package func insert(_ value: Int64) {
        let position = UInt64(bitPattern: value &- minimum)
        words[Int(truncatingIfNeeded: position &>> 6)] |= 1 &<< (position & 63)
    }
}

/// A Bloom filter over hashes: four bits in one 64-bit word a key (a register-blocked filter, as Putze, Sanders and Singler
/// describe in "Cache-, Hash- and Space-Efficient Bloom Filters"), 12 to 24 bits a key. Filled by one thread, then read.
package final class BloomFilter: @unchecked Sendable {
    private let buffer: Buffer
    let mask: UInt64
    package var byteCount: Int { buffer.byteCount }
    var words: UnsafeMutablePointer<UInt64> { buffer.base.assumingMemoryBound(to: UInt64.self) }

    package init(expectedCount: Int) {
        var wordCount = 64
        while wordCount * 64 < expectedCount * 12 { wordCount *= 2 }
        buffer = Validity.make(rows: wordCount * 64, valid: false)
        mask = UInt64(wordCount - 1)
    }

    /// `nil` if the number of words is not a power of two.
    init?(wordCount: Int) {
        guard wordCount > 0, wordCount & (wordCount - 1) == 0 else { return nil }
        buffer = Validity.make(rows: wordCount * 64, valid: false)
        mask = UInt64(wordCount - 1)
    }

    /// Takes in the members of a filter of the same size.
    func formUnion(_ other: BloomFilter) {
        for index in 0...Int(mask) { words[index] |= other.words[index] }
    }

    @inline(__always)
    static func bits(_ hash: UInt64) -> UInt64 {
        (1 &<< (hash & 63)) | (1 &<< ((hash &>> 6) & 63)) | (1 &<< ((hash &>> 12) & 63)) | (1 &<< ((hash &>> 18) & 63))
    }

    @inline(__always)
    package func insert(_ hash: UInt64) {
        words[Int(truncatingIfNeeded: (hash &>> 24) & mask)] |= BloomFilter.bits(hash)
    }
}
