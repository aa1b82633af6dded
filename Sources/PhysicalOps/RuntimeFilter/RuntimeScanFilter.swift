// A runtime filter as a scan applies it.

import Columnar
import Diagnostics
import QueryPlan
import Storage

/// Tests one column against a join's build side. Gives up when too many rows pass: then the join's own look-up is enough.
/// Confined to one driver.
final class RuntimeScanFilter: ScanFilter {
    private static let sampleRows = 32_768
    /// Share of rows that must be filtered out for the test to pay.
    private static let passShareMax = 0.8

    private let filter: RuntimeFilter
    private let column: Int
    private var rowsSeen = 0
    private var rowsPassed = 0
    private(set) var isDropped = false
    /// Results for the entries of the dictionary seen last.
    private var dictionary: Vector?
    private var entryFlags = Buffer(byteCount: 64)
    private var flags = Buffer(byteCount: Batch.rowCountMax)
    private var hashes = Buffer(byteCount: 64)

    init(_ filter: RuntimeFilter, column: Int) {
        self.filter = filter
        self.column = column
        if case .everything = filter.content { isDropped = true }
    }

    var positions: [Int] { isDropped ? [] : [column] }

    var prunable: Expression? {
        let input = Expression.input(column, filter.type)
        if let keys = filter.keys { return .inList(input, keys) }
        switch filter.content {
        case .integers(let minimum, let maximum, _):
            func literal(_ value: Int64) -> Expression {
                .literal(filter.type.isDecimal ? .decimal(Int128(value)) : .integer(value), filter.type)
            }
            return .and([
                .comparison(">=", input, literal(minimum)), .comparison("<=", input, literal(maximum)),
            ])
        case .everything, .nothing, .hashes: return nil
        }
    }

    var members: ScanMembers? {
        guard !isDropped, case .integers(_, _, let set?) = filter.content else { return nil }
        return ScanMembers(
            position: column, type: filter.type, minimum: set.minimum, span: set.span,
            words: UnsafePointer(set.words), owner: set)
    }

    func select(_ batch: Batch) throws -> Selection? {
        if isDropped { return nil }
        let count = batch.rowCount
        if case .nothing = filter.content { return Selection(capacity: 0) }
        let vector = batch.column(column)
        let target = flags.base.assumingMemoryBound(to: UInt8.self)
        switch vector.encoding {
        case .dictionary where vector.validity == nil:
            let entries = vector.dictionary.unsafelyUnwrapped
            if entries !== dictionary {
                entryFlags = Buffer(byteCount: max(1, entries.count))
                test(entries, into: entryFlags.base.assumingMemoryBound(to: UInt8.self))
                dictionary = entries
            }
            let source = entryFlags.base.assumingMemoryBound(to: UInt8.self)
            let codes = vector.codes
            var row = 0
            while row < count {
                target[row] = source[Int(truncatingIfNeeded: codes[row])]
                row &+= 1
            }
        case .flat: test(vector, into: target)
        case .constant, .dictionary: test(vector.flattened(), into: target)
        }
        let selection = Selection.rows(where: target, count: count)
        rowsSeen += count
        rowsPassed += selection.count
        if rowsSeen >= RuntimeScanFilter.sampleRows {
            if Double(rowsPassed) > RuntimeScanFilter.passShareMax * Double(rowsSeen) { isDropped = true }
            rowsSeen /= 2
            rowsPassed /= 2
        }
        return selection.count == count ? nil : selection
    }

    /// One byte a row: whether it may have a match. `vector` is flat.
    private func test(_ vector: Vector, into target: UnsafeMutablePointer<UInt8>) {
        let count = vector.count
        switch filter.content {
        case .everything: target.update(repeating: 1, count: count)
        case .nothing: target.update(repeating: 0, count: count)
        case .integers(let minimum, let maximum, let set):
            switch vector.physical {
            case .int8: testIntegers(vector.values(Int8.self), count, minimum, maximum, set, target)
            case .int16: testIntegers(vector.values(Int16.self), count, minimum, maximum, set, target)
            case .int32: testIntegers(vector.values(Int32.self), count, minimum, maximum, set, target)
            case .int64: testIntegers(vector.values(Int64.self), count, minimum, maximum, set, target)
            case .boolean, .int128, .float32, .float64, .interval, .uuid, .view:
                target.update(repeating: 1, count: count)
            }
        case .hashes(let bloom):
            if hashes.byteCount < count * 8 { hashes = Buffer(byteCount: count * 8) }
            let values = hashes.base.assumingMemoryBound(to: UInt64.self)
            Hashing.hash(vector, into: values, combining: false)
            let words = bloom.words
            let mask = bloom.mask
            var row = 0
            while row < count {
                let bits = BloomFilter.bits(values[row])
                let word = words[Int(truncatingIfNeeded: (values[row] &>> 24) & mask)]
                target[row] = unsafeBitCast(word & bits == bits, to: UInt8.self)
                row &+= 1
            }
        }
        if let validity = vector.validity {
            var row = 0
            while row < count {
                target[row] &= UInt8(truncatingIfNeeded: validity[row &>> 6] &>> UInt64(row & 63))
                row &+= 1
            }
        }
    }
}

/// Tests integers against bounds and, if there is one, a bitmap.
@inline(__always)
private func testIntegers<T: FixedWidthInteger & SignedInteger>(
    _ values: UnsafePointer<T>, _ count: Int, _ minimum: Int64, _ maximum: Int64, _ set: IntegerSet?,
    _ target: UnsafeMutablePointer<UInt8>
) {
    let span = UInt64(bitPattern: maximum &- minimum)
    var row = 0
    if let set {
        let words = set.words
        let base = set.minimum
        let setSpan = set.span
        while row < count {
            let distance = UInt64(bitPattern: Int64(truncatingIfNeeded: values[row]) &- base)
            let inside = UInt64(unsafeBitCast(distance <= setSpan, to: UInt8.self))
            let position = distance & (0 &- inside)
            let word = words[Int(truncatingIfNeeded: position &>> 6)]
            target[row] = UInt8(truncatingIfNeeded: (word &>> (position & 63)) & inside)
            row &+= 1
        }
    } else {
        while row < count {
            let distance = UInt64(bitPattern: Int64(truncatingIfNeeded: values[row]) &- minimum)
            target[row] = unsafeBitCast(distance <= span, to: UInt8.self)
            row &+= 1
        }
    }
}
