// Natural numbers of any size: what numerics beyond 128 bits are computed with.

/// A natural number in limbs of 64 bits, least significant first, without a zero limb on top; zero has no limbs.
/// Schoolbook algorithms: numerics rarely have more than a few limbs.
package struct Magnitude: Hashable, Sendable {
    package private(set) var limbs: [UInt64]

    package init() { limbs = [] }
    package init(_ value: UInt64) { limbs = value == 0 ? [] : [value] }
    package init(_ value: UInt128) {
        limbs = [UInt64(truncatingIfNeeded: value), UInt64(truncatingIfNeeded: value >> 64)]
        trim()
    }
    /// Limbs in any form; zero limbs on top are dropped.
    package init(limbs: [UInt64]) {
        self.limbs = limbs
        trim()
    }

    package static let zero = Magnitude()
    package static let one = Magnitude(UInt64(1))

    package var isZero: Bool { limbs.isEmpty }
    package var isOdd: Bool { limbs.first.map { $0 & 1 == 1 } ?? false }
    package var bitWidth: Int { limbs.isEmpty ? 0 : limbs.count * 64 - limbs[limbs.count - 1].leadingZeroBitCount }
    /// The value, if it fits.
    package var small: UInt128? {
        switch limbs.count {
        case 0: 0
        case 1: UInt128(limbs[0])
        case 2: UInt128(limbs[1]) << 64 | UInt128(limbs[0])
        default: nil
        }
    }

    private mutating func trim() { while limbs.last == 0 { limbs.removeLast() } }

    package static func compare(_ a: Magnitude, _ b: Magnitude) -> Int {
        if a.limbs.count != b.limbs.count { return a.limbs.count < b.limbs.count ? -1 : 1 }
        var index = a.limbs.count
        while index > 0 {
            index -= 1
            if a.limbs[index] != b.limbs[index] { return a.limbs[index] < b.limbs[index] ? -1 : 1 }
        }
        return 0
    }
    package static func < (a: Magnitude, b: Magnitude) -> Bool { compare(a, b) < 0 }
    package static func >= (a: Magnitude, b: Magnitude) -> Bool { compare(a, b) >= 0 }

    // MARK: Sums

    package static func + (a: Magnitude, b: Magnitude) -> Magnitude {
        let (long, short) = a.limbs.count >= b.limbs.count ? (a.limbs, b.limbs) : (b.limbs, a.limbs)
        var result = long
        var carry: UInt64 = 0
        for index in long.indices {
            if index >= short.count && carry == 0 { break }
            let (first, overflow) = result[index].addingReportingOverflow(index < short.count ? short[index] : 0)
            let (sum, further) = first.addingReportingOverflow(carry)
            result[index] = sum
            carry = (overflow ? 1 : 0) + (further ? 1 : 0)
        }
        if carry != 0 { result.append(carry) }
        return Magnitude(limbs: result)
    }

    /// The difference; `a` must not be less than `b`.
    package static func - (a: Magnitude, b: Magnitude) -> Magnitude {
        var result = a.limbs
        var borrow: UInt64 = 0
        for index in result.indices {
            if index >= b.limbs.count && borrow == 0 { break }
            let (first, overflow) = result[index].subtractingReportingOverflow(
                index < b.limbs.count ? b.limbs[index] : 0)
            let (difference, further) = first.subtractingReportingOverflow(borrow)
            result[index] = difference
            borrow = (overflow ? 1 : 0) + (further ? 1 : 0)
        }
        return Magnitude(limbs: result)
    }

    // MARK: Products

    package static func * (a: Magnitude, b: UInt64) -> Magnitude {
        if b == 0 || a.isZero { return .zero }
        var result = a.limbs
        var carry: UInt64 = 0
        for index in result.indices {
            let product = result[index].multipliedFullWidth(by: b)
            let (low, overflow) = product.low.addingReportingOverflow(carry)
            result[index] = low
            carry = product.high &+ (overflow ? 1 : 0)
        }
        if carry != 0 { result.append(carry) }
        return Magnitude(limbs: result)
    }

    package static func * (a: Magnitude, b: Magnitude) -> Magnitude {
        if a.isZero || b.isZero { return .zero }
        if b.limbs.count == 1 { return a * b.limbs[0] }
        if a.limbs.count == 1 { return b * a.limbs[0] }
        let count = a.limbs.count + b.limbs.count
        let result = [UInt64](unsafeUninitializedCapacity: count) { buffer, filled in
            buffer.initialize(repeating: 0)
            a.limbs.withUnsafeBufferPointer { x in
                b.limbs.withUnsafeBufferPointer { y in
                    for i in 0..<x.count {
                        var carry: UInt64 = 0
                        let factor = x[i]
                        for j in 0..<y.count {
                            let product = factor.multipliedFullWidth(by: y[j])
                            let (low, first) = product.low.addingReportingOverflow(carry)
                            let (sum, second) = low.addingReportingOverflow(buffer[i &+ j])
                            buffer[i &+ j] = sum
                            carry = product.high &+ (first ? 1 : 0) &+ (second ? 1 : 0)
                        }
                        buffer[i &+ y.count] = carry
                    }
                }
            }
            filled = count
        }
        return Magnitude(limbs: result)
    }

    package func shifted(left bits: Int) -> Magnitude {
        if isZero || bits == 0 { return self }
        let (words, rest) = (bits / 64, UInt64(bits % 64))
        var result = [UInt64](repeating: 0, count: words)
        if rest == 0 {
            result += limbs
        } else {
            var carry: UInt64 = 0
            for limb in limbs {
                result.append(limb << rest | carry)
                carry = limb >> (64 - rest)
            }
            result.append(carry)
        }
        return Magnitude(limbs: result)
    }

    package func shifted(right bits: Int) -> Magnitude {
        let (words, rest) = (bits / 64, UInt64(bits % 64))
        if words >= limbs.count { return .zero }
        var result = Array(limbs[words...])
        if rest > 0 {
            for index in result.indices {
                let next = index + 1 < result.count ? result[index + 1] << (64 - rest) : 0
                result[index] = result[index] >> rest | next
            }
        }
        return Magnitude(limbs: result)
    }

    // MARK: Quotients

    package func dividedByLimb(_ divisor: UInt64) -> (quotient: Magnitude, remainder: UInt64) {
        var result = limbs
        var remainder: UInt64 = 0
        var index = result.count
        while index > 0 {
            index -= 1
            (result[index], remainder) = divisor.dividingFullWidth((remainder, result[index]))
        }
        return (Magnitude(limbs: result), remainder)
    }

    /// Quotient and remainder by a divisor that is not zero: Knuth's algorithm D (The Art of Computer Programming 4.3.1).
    package func dividedBy(_ divisor: Magnitude) -> (quotient: Magnitude, remainder: Magnitude) {
        if self < divisor { return (.zero, self) }
        if let x = small, let y = divisor.small {
            let (quotient, remainder) = x.quotientAndRemainder(dividingBy: y)
            return (Magnitude(quotient), Magnitude(remainder))
        }
        if divisor.limbs.count == 1 {
            let (quotient, remainder) = dividedByLimb(divisor.limbs[0])
            return (quotient, Magnitude(remainder))
        }
        let shift = divisor.limbs[divisor.limbs.count - 1].leadingZeroBitCount
        let v = divisor.shifted(left: shift).limbs
        var u = shifted(left: shift).limbs
        while u.count <= limbs.count { u.append(0) }
        let n = v.count
        let m = u.count - n - 1
        var quotient = [UInt64](repeating: 0, count: m + 1)
        let (top, second) = (v[n - 1], v[n - 2])
        for j in stride(from: m, through: 0, by: -1) {
            var guess: UInt64
            var rest: UInt64
            var restOverflows = false
            if u[j + n] >= top {
                guess = .max
                (rest, restOverflows) = u[j + n - 1].addingReportingOverflow(top)
            } else {
                (guess, rest) = top.dividingFullWidth((u[j + n], u[j + n - 1]))
            }
            while !restOverflows {
                let product = guess.multipliedFullWidth(by: second)
                if product.high < rest || (product.high == rest && product.low <= u[j + n - 2]) { break }
                guess -= 1
                (rest, restOverflows) = rest.addingReportingOverflow(top)
            }
            var carry: UInt64 = 0
            var borrow: UInt64 = 0
            for i in 0..<n {
                let product = guess.multipliedFullWidth(by: v[i])
                let (low, first) = product.low.addingReportingOverflow(carry)
                carry = product.high &+ (first ? 1 : 0)
                let (partial, under) = u[i + j].subtractingReportingOverflow(low)
                let (difference, further) = partial.subtractingReportingOverflow(borrow)
                u[i + j] = difference
                borrow = (under ? 1 : 0) + (further ? 1 : 0)
            }
            let (partial, under) = u[j + n].subtractingReportingOverflow(carry)
            let (difference, further) = partial.subtractingReportingOverflow(borrow)
            u[j + n] = difference
            if under || further {
                // The guess was one too large: add the divisor back.
                guess -= 1
                var back: UInt64 = 0
                for i in 0..<n {
                    let (first, overflow) = u[i + j].addingReportingOverflow(v[i])
                    let (sum, more) = first.addingReportingOverflow(back)
                    u[i + j] = sum
                    back = (overflow ? 1 : 0) + (more ? 1 : 0)
                }
                u[j + n] &+= back
            }
            quotient[j] = guess
        }
        return (Magnitude(limbs: quotient), Magnitude(limbs: Array(u[..<n])).shifted(right: shift))
    }

    /// The quotient rounded half up.
    package func dividedRounding(by divisor: Magnitude) -> Magnitude {
        let (quotient, remainder) = dividedBy(divisor)
        return remainder + remainder >= divisor ? quotient + .one : quotient
    }

    /// The whole part of the square root, by Newton's method from above.
    package var squareRoot: Magnitude {
        if let small { return Magnitude(Self.squareRoot(small)) }
        // From above: the root of the leading bits and one more, which leaves a step or two.
        let shift = (bitWidth - 126) & ~1
        let leading = Self.squareRoot(shifted(right: shift).small ?? .max)
        var guess = (Magnitude(leading) + .one).shifted(left: shift / 2)
        while true {
            let next = (guess + dividedBy(guess).quotient).shifted(right: 1)
            if next >= guess { return guess }
            guess = next
        }
    }

    private static func squareRoot(_ value: UInt128) -> UInt64 {
        if value == 0 { return 0 }
        let estimate =
            (Double(UInt64(truncatingIfNeeded: value >> 64)) * 0x1p64 + Double(UInt64(truncatingIfNeeded: value)))
            .squareRoot()
        // Right in some 50 bits; one step makes it right but for the last.
        var root = estimate >= 0x1p64 ? UInt128(UInt64.max) : max(1, UInt128(UInt64(estimate)))
        root = min((root + value / root) >> 1, UInt128(UInt64.max))
        while root * root > value { root -= 1 }
        while root < UInt128(UInt64.max), (root + 1) * (root + 1) <= value { root += 1 }
        return UInt64(root)
    }

    // MARK: Powers of ten and digits

    private static let chunkDigits = 19
    private static let chunk: UInt64 = 10_000_000_000_000_000_000
    private static let powersOfTen: [UInt64] = {
        var result: [UInt64] = [1]
        for _ in 0..<chunkDigits { result.append(result[result.count - 1] &* 10) }
        return result
    }()

    package static func powerOfTen(_ exponent: Int) -> Magnitude {
        if exponent <= 38 { return Magnitude(UInt128(PowerOfTen.value(exponent))) }
        if exponent <= 200 {
            var result = powerOfTen(38)
            var left = exponent - 38
            while left >= chunkDigits {
                result = result * chunk
                left -= chunkDigits
            }
            return left > 0 ? result * powersOfTen[left] : result
        }
        let half = powerOfTen(exponent / 2)
        return exponent % 2 == 0 ? half * half : half * half * 10
    }

    package func timesPowerOfTen(_ exponent: Int) -> Magnitude {
        if exponent == 0 || isZero { return self }
        if exponent <= Magnitude.chunkDigits { return self * Magnitude.powersOfTen[exponent] }
        return self * Magnitude.powerOfTen(exponent)
    }

    /// How many decimal digits the number has; 0 has none.
    package var digitCount: Int {
        if let small {
            var count = 0
            var bound: UInt128 = 1
            while count < 39, small >= bound {
                count += 1
                bound = count < 39 ? bound * 10 : bound
            }
            return count
        }
        // log10(2) from below, then one comparison.
        let estimate = (bitWidth - 1) * 30_103 / 100_000
        return self >= Magnitude.powerOfTen(estimate)
            ? (self >= Magnitude.powerOfTen(estimate + 1) ? estimate + 2 : estimate + 1) : estimate
    }

    /// The number without the zeros at its end, at most `limit` of them, and how many they were.
    package func withoutTrailingZeros(limit: Int) -> (value: Magnitude, count: Int) {
        if isZero { return (self, limit) }
        var value = self
        var count = 0
        while limit - count >= Magnitude.chunkDigits, value.limbs.count > 1 {
            let (quotient, remainder) = value.dividedByLimb(Magnitude.chunk)
            if remainder != 0 { break }
            value = quotient
            count += Magnitude.chunkDigits
        }
        while count < limit {
            let (quotient, remainder) = value.dividedByLimb(10)
            if remainder != 0 { break }
            value = quotient
            count += 1
        }
        return (value, count)
    }

    /// Decimal digits as text, with zeros in front up to `minimum`.
    package func appendDigits(minimum: Int, into text: inout [UInt8]) {
        var chunks: [UInt64] = []
        var rest = self
        while rest.limbs.count > 1 {
            let (quotient, remainder) = rest.dividedByLimb(Magnitude.chunk)
            chunks.append(remainder)
            rest = quotient
        }
        let first = rest.limbs.first ?? 0
        if first >= Magnitude.chunk {
            chunks.append(first - Magnitude.chunk)
            chunks.append(1)
        } else {
            chunks.append(first)
        }
        let behind = (chunks.count - 1) * Magnitude.chunkDigits
        let start = text.count
        NumericText.appendDigits(chunks[chunks.count - 1], minimum: 1, into: &text)
        let missing = minimum - behind - (text.count - start)
        if missing > 0 { text.insert(contentsOf: repeatElement(0x30, count: missing), at: start) }
        for chunk in chunks.dropLast().reversed() {
            NumericText.appendDigits(chunk, minimum: Magnitude.chunkDigits, into: &text)
        }
    }

    /// The number that decimal digits say; bytes that are no digits are skipped.
    package static func parse(_ digits: some Sequence<UInt8>) -> Magnitude {
        var result = Magnitude.zero
        var chunk: UInt64 = 0
        var count = 0
        for byte in digits {
            let digit = byte &- 0x30
            if digit > 9 { continue }
            chunk = chunk &* 10 &+ UInt64(digit)
            count += 1
            if count == chunkDigits {
                result = result * Magnitude.chunk + Magnitude(chunk)
                chunk = 0
                count = 0
            }
        }
        return count == 0 ? result : result * powersOfTen[count] + Magnitude(chunk)
    }
}
