// TPCHData makes the rows of the TPC-H benchmark. This file: its random number streams and what values are drawn from
// them.
//
//   RandomStream, ValueRange    streams with random access by row; seeds to bounded integers
//   WordLists, TextGrammar      the vocabulary that the benchmark's specification prescribes
//   TextPool                    300 MB of text that comments are cut from, made where it is read
//   TPCHTable, TPCHScale        schemas, row counts, statistics
//   TableGenerator              blocks of rows, column by column; one file a table
//   TextWriter                  the rows as delimited text
//
// Every column has streams of its own, so a column that nobody asks for costs nothing, and any row range can be made
// without the rows before it (TPC-H specification 4.2, and the seeds of its reference generator).

/// A Lehmer generator (multiplier 16807, modulus 2³¹−1) of which every row uses up a fixed number of draws.
package struct RandomStream: Sendable {
    package static let modulus: UInt64 = 2_147_483_647
    package static let multiplier: UInt64 = 16807

    private let seed: UInt64
    private let drawsPerRow: Int
    private let rowMultiplier: UInt64
    /// The state before the first draw of `row`.
    private var state: UInt64
    private var row = 0

    package init(seed: UInt64, drawsPerRow: Int = 1) {
        self.seed = seed
        self.drawsPerRow = drawsPerRow
        rowMultiplier = RandomStream.power(drawsPerRow)
        state = seed
    }

    /// a · b mod 2³¹−1, for a and b below the modulus.
    @inline(__always)
    static func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a &* b
        let folded = (product & modulus) &+ (product &>> 31)
        // Below the modulus the difference wraps around and is the larger one.
        return min(folded, folded &- modulus)
    }

    /// 16807 to the power of `exponent`.
    static func power(_ exponent: Int) -> UInt64 {
        var result: UInt64 = 1
        var square = multiplier
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }

    /// The state of a stream that starts with `seed` after `count` draws.
    static func state(seed: UInt64, after count: Int) -> UInt64 { multiply(seed, power(count)) }

    private mutating func seek(_ row: Int) {
        guard row != self.row else { return }
        if row > self.row {
            state = RandomStream.multiply(state, RandomStream.power((row - self.row) * drawsPerRow))
        } else {
            state = RandomStream.multiply(seed, RandomStream.power(row * drawsPerRow))
        }
        self.row = row
    }

    /// The first draw of each of `count` rows from `row`.
    mutating func fill(_ target: UnsafeMutablePointer<UInt32>, row: Int, count: Int) {
        seek(row)
        let step = rowMultiplier
        var state = state
        var index = 0
        while index < count {
            target[index] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, RandomStream.multiplier))
            state = RandomStream.multiply(state, step)
            index &+= 1
        }
        self.state = state
        self.row = row &+ count
    }

    /// The first `draws` draws of each of `count` rows from `row`, row after row.
    mutating func fill(_ target: UnsafeMutablePointer<UInt32>, row: Int, count: Int, draws: Int) {
        seek(row)
        let step = rowMultiplier
        var state = state
        var index = 0
        var position = 0
        while index < count {
            var drawn = state
            var draw = 0
            while draw < draws {
                drawn = RandomStream.multiply(drawn, RandomStream.multiplier)
                target[position] = UInt32(truncatingIfNeeded: drawn)
                position &+= 1
                draw &+= 1
            }
            state = RandomStream.multiply(state, step)
            index &+= 1
        }
        self.state = state
        self.row = row &+ count
    }

    /// One draw for each line of `count` orders from order `row`; `lines` says how many lines an order has. Writes up
    /// to seven values beyond the last line: making all seven draws of an order costs less than a mispredicted loop
    /// end.
    mutating func fillLines(
        _ target: UnsafeMutablePointer<UInt32>, row: Int, count: Int, lines: UnsafePointer<UInt8>
    ) {
        seek(row)
        let step = rowMultiplier
        var state = state
        var index = 0
        var position = target
        while index < count {
            position[0] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p1))
            position[1] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p2))
            position[2] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p3))
            position[3] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p4))
            position[4] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p5))
            position[5] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p6))
            position[6] = UInt32(truncatingIfNeeded: RandomStream.multiply(state, LinePowers.p7))
            position += Int(truncatingIfNeeded: lines[index])
            state = RandomStream.multiply(state, step)
            index &+= 1
        }
        self.state = state
        self.row = row &+ count
    }

    /// As `fillLines`, two draws a line.
    mutating func fillLinePairs(
        _ target: UnsafeMutablePointer<UInt32>, row: Int, count: Int, lines: UnsafePointer<UInt8>
    ) {
        seek(row)
        let step = rowMultiplier
        var state = state
        var index = 0
        var position = 0
        while index < count {
            var drawn = state
            let end = position &+ Int(truncatingIfNeeded: lines[index]) &* 2
            while position < end {
                drawn = RandomStream.multiply(drawn, RandomStream.multiplier)
                target[position] = UInt32(truncatingIfNeeded: drawn)
                position &+= 1
            }
            state = RandomStream.multiply(state, step)
            index &+= 1
        }
        self.state = state
        self.row = row &+ count
    }
}

/// 16807¹ … 16807⁷ mod 2³¹−1.
private enum LinePowers {
    static let p1: UInt64 = 16807
    static let p2: UInt64 = 282_475_249
    static let p3: UInt64 = 1_622_650_073
    static let p4: UInt64 = 984_943_658
    static let p5: UInt64 = 1_144_108_930
    static let p6: UInt64 = 470_211_272
    static let p7: UInt64 = 101_027_544
}

/// A range of integers, both ends included, that seeds are mapped to.
struct ValueRange: Sendable {
    let low: Int64
    let span: UInt64
    /// The benchmark defines a value by a division of doubles, cut off. For spans up to 2·10⁶ integer arithmetic gives
    /// the same: the true quotient is at least 1/(2³¹−1) away from the next integer, more than the rounding error.
    private static let exactSpanMax: UInt64 = 2_000_000

    init(_ low: Int, _ high: Int) {
        self.low = Int64(low)
        span = UInt64(high - low + 1)
    }

    /// The value for a span within `exactSpanMax`: floor(seed · span / (2³¹−1)).
    @inline(__always)
    static func exact(_ seed: UInt32, _ span: UInt64) -> UInt64 {
        let product = UInt64(seed) &* span
        return (product &+ (product &>> 31) &+ 1) &>> 31
    }

    /// The value for any span that a double holds.
    @inline(__always)
    static func wide(_ seed: UInt32, _ span: Double) -> Int64 {
        Int64(Double(seed) / Double(RandomStream.modulus) * span)
    }

    /// One value; for code that is not hot.
    func value(_ seed: UInt32) -> Int64 {
        span <= ValueRange.exactSpanMax
            ? low + Int64(ValueRange.exact(seed, span)) : low + ValueRange.wide(seed, Double(span))
    }

    func map(_ seeds: UnsafePointer<UInt32>, to target: UnsafeMutablePointer<Int64>, count: Int) {
        let low = low
        let span = span
        var index = 0
        if span <= ValueRange.exactSpanMax {
            while index < count {
                target[index] = low &+ Int64(truncatingIfNeeded: ValueRange.exact(seeds[index], span))
                index &+= 1
            }
        } else {
            let wideSpan = Double(span)
            while index < count {
                target[index] = low &+ ValueRange.wide(seeds[index], wideSpan)
                index &+= 1
            }
        }
    }

    /// For ranges within 32 bits and `exactSpanMax`.
    func map(_ seeds: UnsafePointer<UInt32>, to target: UnsafeMutablePointer<Int32>, count: Int) {
        let low = Int32(truncatingIfNeeded: low)
        let span = span
        var index = 0
        while index < count {
            target[index] = low &+ Int32(truncatingIfNeeded: ValueRange.exact(seeds[index], span))
            index &+= 1
        }
    }

    /// For ranges within 8 bits.
    func map(_ seeds: UnsafePointer<UInt32>, to target: UnsafeMutablePointer<UInt8>, count: Int) {
        let low = UInt8(truncatingIfNeeded: low)
        let span = span
        var index = 0
        while index < count {
            target[index] = low &+ UInt8(truncatingIfNeeded: ValueRange.exact(seeds[index], span))
            index &+= 1
        }
    }

    /// Codes of a dictionary; `low` is 0.
    func map(_ seeds: UnsafePointer<UInt32>, to target: UnsafeMutablePointer<UInt32>, count: Int) {
        let span = span
        var index = 0
        while index < count {
            target[index] = UInt32(truncatingIfNeeded: ValueRange.exact(seeds[index], span))
            index &+= 1
        }
    }
}
