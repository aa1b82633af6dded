// PostgreSQL's binary form of numerics, written for decimals of 64 bits: groups of four digits.

/// Writes decimals of one scale: number of groups, weight of the first, sign, scale of the text, groups; 16 bits each.
struct NumericWire {
    /// Four words of header, and the groups of 19 digits with a point anywhere among them.
    static let byteCountMax = 8 + 2 * 11

    private let scale: Int
    /// 10^scale.
    private let unit: UInt64
    private let fractionGroupCount: Int
    /// The last group of the fraction is filled up with zeros to four digits: 10^(digits that it has), 10^(zeros).
    private let lastDivisor: UInt64
    private let lastFactor: UInt64

    /// A scale of at most 18.
    init(scale: Int) {
        func power(_ exponent: Int) -> UInt64 { (0..<exponent).reduce(1) { power, _ in power * 10 } }
        self.scale = scale
        unit = power(scale)
        fractionGroupCount = (scale + 3) / 4
        let zeros = fractionGroupCount * 4 - scale
        lastDivisor = power(4 - zeros)
        lastFactor = power(zeros)
    }

    /// Writes `value` × 10^-scale so that it ends at `end` and returns the number of bytes.
    @inline(__always)
    func write(_ value: Int64, endingAt end: UnsafeMutablePointer<UInt8>) -> Int {
        var at = UnsafeMutableRawPointer(end)
        var groupCount = 0
        @inline(__always) func put(_ word: UInt16) {
            at -= 2
            at.storeBytes(of: word.bigEndian, as: UInt16.self)
        }
        // Zeros at the end are not sent.
        @inline(__always) func putGroup(_ group: UInt64) {
            if groupCount == 0, group == 0 { return }
            put(UInt16(truncatingIfNeeded: group))
            groupCount &+= 1
        }
        let magnitude = value.magnitude
        let whole = magnitude / unit
        if fractionGroupCount > 0 {
            let fraction = magnitude &- whole &* unit
            var rest = fraction / lastDivisor
            putGroup((fraction &- rest &* lastDivisor) &* lastFactor)
            var left = fractionGroupCount &- 1
            while left > 0 {
                putGroup(rest % 10_000)
                rest /= 10_000
                left &-= 1
            }
        }
        var weight = -1
        var rest = whole
        while rest > 0 {
            putGroup(rest % 10_000)
            rest /= 10_000
            weight &+= 1
        }
        // Nor are zeros in front.
        if whole == 0 {
            while groupCount > 0, at.load(as: UInt16.self) == 0 {
                at += 2
                groupCount &-= 1
                weight &-= 1
            }
        }
        if groupCount == 0 { weight = 0 }
        put(UInt16(truncatingIfNeeded: scale))
        put(value < 0 ? 0x4000 : 0)
        put(UInt16(truncatingIfNeeded: weight))
        put(UInt16(truncatingIfNeeded: groupCount))
        return end - at.assumingMemoryBound(to: UInt8.self)
    }
}
