// Columns of free text: comments, addresses and phone numbers.

import Columnar

/// The range of lengths that the benchmark derives from an average: 40 % to 160 % of it.
private func lengthRange(average: Int) -> (low: Int, high: Int) {
    (Int(Double(average) * 0.4), Int(Double(average) * 1.6))
}

/// Comments: pieces of the text pool. Two draws a value, for its place and its length.
struct CommentColumn {
    private var stream: RandomStream
    private let offsetSpan: Double
    private let lengthMin: Int
    private let lengthSpan: UInt64
    private let pool = TextPool.shared
    private let places: ValueScratch<UInt32>
    private let lengths: ValueScratch<UInt32>

    /// Beyond so many values most of the pool's chunks are touched.
    private static let denseRowCount = TextPool.chunkCount / 2

    /// `rowEstimate` is how many values may be asked for in all.
    init(seed: UInt64, average: Int, valuesPerRow: Int = 1, rowEstimate: Int) {
        stream = RandomStream(seed: seed, drawsPerRow: 2 * valuesPerRow)
        let range = lengthRange(average: average)
        offsetSpan = Double(TextPool.byteCount - range.high + 1)
        lengthMin = range.low
        lengthSpan = UInt64(range.high - range.low + 1)
        places = ValueScratch(capacity: Batch.standardRowCount)
        lengths = ValueScratch(capacity: Batch.standardRowCount)
        if rowEstimate > CommentColumn.denseRowCount { pool.prepareForDenseUse() }
    }

    /// `values` comments for each of `count` rows; `scratch` has room for twice as many seeds.
    mutating func vector(row: Int, count: Int, values: Int = 1, _ scratch: SeedScratch) -> Vector {
        stream.fill(scratch.seeds, row: row, count: count, draws: 2 * values)
        return vector(scratch, count: count * values)
    }

    mutating func lineVector(
        orders: Int, orderCount: Int, lines: UnsafePointer<UInt8>, count: Int, _ scratch: SeedScratch
    )
        -> Vector
    {
        stream.fillLinePairs(scratch.seeds, row: orders, count: orderCount, lines: lines)
        return vector(scratch, count: count)
    }

    private func vector(_ scratch: SeedScratch, count: Int) -> Vector {
        let seeds = scratch.seeds
        let places = places.values
        let lengths = lengths.values
        let isComplete = pool.isComplete
        var index = 0
        while index < count {
            let place = ValueRange.wide(seeds[index &* 2], offsetSpan)
            let length = UInt64(truncatingIfNeeded: lengthMin) &+ ValueRange.exact(seeds[index &* 2 &+ 1], lengthSpan)
            places[index] = UInt32(truncatingIfNeeded: place)
            lengths[index] = UInt32(truncatingIfNeeded: length)
            if !isComplete {
                pool.ensure(Int(truncatingIfNeeded: place), count: Int(truncatingIfNeeded: length))
            }
            index &+= 1
        }
        // Apart from the loop above, so that the cache misses of many rows overlap.
        let vector = Vector(flat: .text, capacity: count)
        let views = vector.views
        index = 0
        while index < count {
            views[index] = StringView(
                padded: pool.readyBytes(Int(truncatingIfNeeded: places[index])),
                count: Int(truncatingIfNeeded: lengths[index]))
            index &+= 1
        }
        return vector
    }
}

/// Addresses: random characters. One draw for the length and one for every five characters; nine draws a row.
struct AddressColumn {
    private var stream: RandomStream
    private let lengthMin: Int
    private let lengthSpan: UInt64
    private static let drawsPerRow = 9
    private static let slotByteCount = 48
    private static let alphabet: StaticString = "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,"

    init(seed: UInt64) {
        stream = RandomStream(seed: seed, drawsPerRow: AddressColumn.drawsPerRow)
        let range = lengthRange(average: 25)
        lengthMin = range.low
        lengthSpan = UInt64(range.high - range.low + 1)
    }

    /// `scratch` has room for nine seeds a row.
    mutating func vector(row: Int, count: Int, _ scratch: SeedScratch) -> Vector {
        stream.fill(scratch.seeds, row: row, count: count, draws: AddressColumn.drawsPerRow)
        let vector = Vector(flat: .text, capacity: count)
        let heap = Buffer(byteCount: count * AddressColumn.slotByteCount)
        var target = heap.base.assumingMemoryBound(to: UInt8.self)
        let alphabet = AddressColumn.alphabet.utf8Start
        let views = vector.views
        var seeds = UnsafePointer(scratch.seeds)
        var index = 0
        while index < count {
            let length = lengthMin &+ Int(truncatingIfNeeded: ValueRange.exact(seeds[0], lengthSpan))
            var filled = 0
            var draw = 1
            while filled < length {
                // The reference generator's range overflows to −2³¹ here, which makes all values negative.
                var bits = ValueRange.wide(seeds[draw], -2_147_483_648)
                var character = 0
                while character < 5 {
                    target[filled &+ character] = alphabet[Int(truncatingIfNeeded: bits & 63)]
                    bits = bits &>> 6
                    character &+= 1
                }
                filled &+= 5
                draw &+= 1
            }
            views[index] = StringView(padded: target, count: length)
            target += AddressColumn.slotByteCount
            seeds += AddressColumn.drawsPerRow
            index &+= 1
        }
        vector.pinned = [heap]
        return vector
    }
}

/// Phone numbers: the nation's code and three random groups.
struct PhoneColumn {
    private var stream: RandomStream
    private static let slotByteCount = 16
    private static let byteCount = 15

    init(seed: UInt64) { stream = RandomStream(seed: seed, drawsPerRow: 3) }

    /// `scratch` has room for three seeds a row.
    mutating func vector(row: Int, count: Int, nations: UnsafePointer<Int64>, _ scratch: SeedScratch) -> Vector {
        stream.fill(scratch.seeds, row: row, count: count, draws: 3)
        let vector = Vector(flat: .text, capacity: count)
        let heap = Buffer(byteCount: count * PhoneColumn.slotByteCount)
        var target = heap.base.assumingMemoryBound(to: UInt8.self)
        let views = vector.views
        var seeds = UnsafePointer(scratch.seeds)
        let hyphen = UInt8(ascii: "-")
        var index = 0
        while index < count {
            _ = DecimalText.write(10 &+ nations[index], minimumDigits: 2, to: target)
            target[2] = hyphen
            _ = DecimalText.write(
                Int64(truncatingIfNeeded: 100 &+ ValueRange.exact(seeds[0], 900)), minimumDigits: 3, to: target + 3)
            target[6] = hyphen
            _ = DecimalText.write(
                Int64(truncatingIfNeeded: 100 &+ ValueRange.exact(seeds[1], 900)), minimumDigits: 3, to: target + 7)
            target[10] = hyphen
            _ = DecimalText.write(
                Int64(truncatingIfNeeded: 1000 &+ ValueRange.exact(seeds[2], 9000)), minimumDigits: 4, to: target + 11)
            views[index] = StringView(padded: target, count: PhoneColumn.byteCount)
            target += PhoneColumn.slotByteCount
            seeds += 3
            index &+= 1
        }
        vector.pinned = [heap]
        return vector
    }
}
