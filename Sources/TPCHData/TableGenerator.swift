// Generators make a table block by block; this file has what all of them share.

import Columnar

/// Makes the rows of a range of units, block by block. Columns are made one by one, in any order, only if asked for: a
/// block whose columns nobody wants costs next to nothing. Confined to one thread at a time.
package protocol TableGenerator: AnyObject {
    /// Goes to the next block; its number of rows (at most `Batch.standardRowCount`), 0 at the end.
    func advance() -> Int
    /// A column of the current block, by its ordinal in the table's schema.
    func column(_ ordinal: Int) -> Vector
}

extension TableGenerator {
    /// The next block with the given columns, or `nil` at the end.
    package func nextBatch(_ projection: [Int]) -> Batch? {
        let count = advance()
        return count == 0 ? nil : Batch(columns: projection.map { column($0) }, rowCount: count)
    }
}

/// A range of rows, gone through in blocks of the standard size.
struct RowBlocks {
    private(set) var first: Int
    private(set) var count = 0
    private let end: Int

    init(_ rows: Range<Int>) {
        first = rows.lowerBound
        end = rows.upperBound
    }

    mutating func advance(by countMax: Int = Batch.standardRowCount) -> Int {
        first += count
        count = min(countMax, end - first)
        return count
    }
}

/// Room for the seeds of one block.
struct SeedScratch {
    private let buffer: Buffer
    let seeds: UnsafeMutablePointer<UInt32>

    /// Writers may go a few values beyond `capacity`.
    init(capacity: Int) {
        buffer = Buffer(byteCount: (capacity + 16) * 4)
        seeds = buffer.base.assumingMemoryBound(to: UInt32.self)
    }
}

/// Room for values of one block.
struct ValueScratch<Value: BitwiseCopyable> {
    private let buffer: Buffer
    let values: UnsafeMutablePointer<Value>

    /// Writers may go a few values beyond `capacity`.
    init(capacity: Int) {
        buffer = Buffer(byteCount: (capacity + 16) * MemoryLayout<Value>.stride)
        values = buffer.base.bindMemory(to: Value.self, capacity: capacity + 16)
    }
}

/// Days from 1970-01-01 to the days that the benchmark names.
package enum TPCHDates {
    /// 1992-01-01, the first order.
    package static let start: Int32 = 8035
    /// Orders are placed on this many days: the last one leaves time to ship and receive within 1998.
    package static let orderDayCount = 2557 - 151
    /// 1995-06-17: what was shipped or received until then is done.
    package static let current: Int32 = 9298
}

/// A column that picks from a list, all entries alike: codes into a dictionary that all batches share.
struct ListColumn {
    private var stream: RandomStream
    private let range: ValueRange
    private let dictionary: Vector

    /// `drawnCount` of the dictionary's entries are drawn.
    init(_ stream: RandomStream, _ dictionary: Vector, drawnCount: Int? = nil) {
        self.stream = stream
        self.dictionary = dictionary
        range = ValueRange(0, (drawnCount ?? dictionary.count) - 1)
    }

    mutating func vector(row: Int, count: Int, _ scratch: SeedScratch) -> Vector {
        stream.fill(scratch.seeds, row: row, count: count)
        return vector(scratch, count: count)
    }

    mutating func lineVector(
        orders: Int, orderCount: Int, lines: UnsafePointer<UInt8>, count: Int, _ scratch: SeedScratch
    )
        -> Vector
    {
        stream.fillLines(scratch.seeds, row: orders, count: orderCount, lines: lines)
        return vector(scratch, count: count)
    }

    private func vector(_ scratch: SeedScratch, count: Int) -> Vector {
        let codes = Buffer(byteCount: count * 4)
        range.map(scratch.seeds, to: codes.base.assumingMemoryBound(to: UInt32.self), count: count)
        return Vector(codes: codes, count: count, dictionary: dictionary)
    }
}

/// Dictionaries of the columns with few values; made once.
enum Dictionaries {
    static let regions = make(WordLists.regions)
    static let nations = make(WordLists.nations.map(\.name))
    static let marketSegments = make(WordLists.marketSegments)
    static let orderPriorities = make(WordLists.orderPriorities)
    static let shipInstructions = make(WordLists.shipInstructions)
    static let shipModes = make(WordLists.shipModes)
    static let returnFlags = make(WordLists.returnFlags)
    static let lineStatuses = make(WordLists.lineStatuses)
    static let orderStatuses = make(WordLists.orderStatuses)
    static let partTypes = make(WordLists.partTypes)
    static let containers = make(WordLists.containers)
    static let manufacturers = make(WordLists.manufacturers)
    static let brands = make(WordLists.brands)

    private static func make(_ words: [String]) -> Vector {
        let builder = VectorBuilder(type: .text, capacity: words.count)
        for word in words { builder.append(string: word) }
        return builder.finish()
    }
}

/// A column of integers drawn from a range, as int64, decimal or int32.
struct NumberColumn {
    private var stream: RandomStream
    private let range: ValueRange
    private let type: DataType

    init(_ stream: RandomStream, _ low: Int, _ high: Int, type: DataType) {
        self.stream = stream
        range = ValueRange(low, high)
        self.type = type
    }

    /// One value a row, or `draws` values for each of `count` rows.
    mutating func vector(row: Int, count: Int, draws: Int = 1, _ scratch: SeedScratch) -> Vector {
        if draws == 1 {
            stream.fill(scratch.seeds, row: row, count: count)
        } else {
            stream.fill(scratch.seeds, row: row, count: count, draws: draws)
        }
        let vector = Vector(flat: type, capacity: count * draws)
        if vector.physical == .int32 {
            range.map(scratch.seeds, to: vector.values(Int32.self), count: count * draws)
        } else {
            range.map(scratch.seeds, to: vector.values(Int64.self), count: count * draws)
        }
        return vector
    }
}

/// Makers of columns that need no random numbers.
enum PlainColumns {
    /// first, first + 1, …
    static func sequence(from first: Int, count: Int) -> Vector {
        let vector = Vector(flat: .int64, capacity: count)
        let values = vector.values(Int64.self)
        var index = 0
        while index < count {
            values[index] = Int64(truncatingIfNeeded: first &+ index)
            index &+= 1
        }
        return vector
    }

    /// Codes first, first + 1, … of a dictionary.
    static func codes(from first: Int, count: Int, dictionary: Vector) -> Vector {
        let codes = Buffer(byteCount: count * 4)
        let values = codes.base.assumingMemoryBound(to: UInt32.self)
        for index in 0..<count { values[index] = UInt32(first + index) }
        return Vector(codes: codes, count: count, dictionary: dictionary)
    }

    /// Names such as Supplier#000000001: `prefix` with its number sign, and at least nine digits.
    static func numberedNames(_ prefix: StaticString, numbers: UnsafePointer<Int64>, count: Int) -> Vector {
        let vector = Vector(flat: .text, capacity: count)
        let stride = 32
        let heap = Buffer(byteCount: count * stride)
        var target = heap.base.assumingMemoryBound(to: UInt8.self)
        let views = vector.views
        let prefixCount = prefix.utf8CodeUnitCount
        var index = 0
        while index < count {
            target.update(from: prefix.utf8Start, count: prefixCount)
            let digits = DecimalText.write(numbers[index], minimumDigits: 9, to: target + prefixCount)
            views[index] = StringView(padded: target, count: prefixCount &+ digits)
            target += stride
            index &+= 1
        }
        vector.pinned = [heap]
        return vector
    }
}

/// Decimal digits of integers.
enum DecimalText {
    /// Writes a non-negative number with leading zeros to at least `minimumDigits`; the number of digits.
    @inline(__always)
    static func write(_ number: Int64, minimumDigits: Int, to target: UnsafeMutablePointer<UInt8>) -> Int {
        var digits = minimumDigits
        if number >= 1_000_000_000 || minimumDigits < 9 {
            digits = 1
            var limit: Int64 = 10
            while digits < 19 && number >= limit {
                digits &+= 1
                limit = digits < 19 ? limit &* 10 : limit
            }
            digits = max(digits, minimumDigits)
        }
        var rest = UInt64(truncatingIfNeeded: number)
        var place = digits &- 1
        while place >= 0 {
            let quotient = rest / 10
            target[place] = UInt8(truncatingIfNeeded: 48 &+ rest &- quotient &* 10)
            rest = quotient
            place &-= 1
        }
        return digits
    }
}
