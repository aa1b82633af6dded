// Ranges of bits at any position: reading, setting, copying, counting.

/// Bitmaps, least significant bit first. Sources need 16 readable bytes behind them (buffers are padded).
enum BitRange {
    /// 64 bits from position `bit`.
    @inline(__always)
    static func load(_ base: UnsafeRawPointer, _ bit: Int) -> UInt64 {
        let byte = bit &>> 3
        let shift = UInt64(truncatingIfNeeded: bit & 7)
        let low = base.loadUnaligned(fromByteOffset: byte, as: UInt64.self) &>> shift
        let high = UInt64(base.load(fromByteOffset: byte &+ 8, as: UInt8.self))
        // Shifting by 64 - 0 would shift by 0; the double shift gives 0 as it should.
        return low | (high &<< (63 &- shift)) &<< 1
    }

    @inline(__always)
    static func mask(_ count: Int) -> UInt64 {
        count >= 64 ? ~0 : (1 &<< UInt64(truncatingIfNeeded: count)) &- 1
    }

    /// Copies `count` bits into `target`, whose bits from `targetBit` on are clear.
    static func copy(
        _ source: UnsafeRawPointer, _ sourceBit: Int, to target: UnsafeMutablePointer<UInt64>, _ targetBit: Int,
        count: Int
    ) {
        var done = 0
        while done < count {
            let n = min(64, count &- done)
            or(load(source, sourceBit &+ done) & mask(n), n, into: target, targetBit &+ done)
            done &+= n
        }
    }

    /// Sets `count` bits.
    static func set(_ target: UnsafeMutablePointer<UInt64>, _ bit: Int, count: Int) {
        var done = 0
        while done < count {
            let n = min(64, count &- done)
            or(mask(n), n, into: target, bit &+ done)
            done &+= n
        }
    }

    @inline(__always)
    private static func or(_ value: UInt64, _ count: Int, into target: UnsafeMutablePointer<UInt64>, _ bit: Int) {
        let shift = UInt64(truncatingIfNeeded: bit & 63)
        target[bit &>> 6] |= value &<< shift
        if (bit & 63) &+ count > 64 { target[(bit &>> 6) &+ 1] |= value &>> (64 &- shift) }
    }

    static func count(_ source: UnsafeRawPointer, _ bit: Int, count: Int) -> Int {
        var result = 0
        var done = 0
        while done < count {
            let n = min(64, count &- done)
            result &+= (load(source, bit &+ done) & mask(n)).nonzeroBitCount
            done &+= n
        }
        return result
    }

    /// Puts packed values at the positions of the set bits; the other positions become zero.
    @inline(__always)
    static func spread<T: FixedWidthInteger>(
        _ source: UnsafePointer<T>, to target: UnsafeMutablePointer<T>, bits: UnsafeRawPointer, bit: Int, count: Int
    ) {
        var next = 0
        var index = 0
        while index < count {
            let word = load(bits, bit &+ index)
            let n = min(64, count &- index)
            var lane = 0
            while lane < n {
                let isSet = T(truncatingIfNeeded: (word &>> UInt64(truncatingIfNeeded: lane)) & 1)
                target[index &+ lane] = source[next] & (0 &- isSet)
                next &+= Int(truncatingIfNeeded: isSet)
                lane &+= 1
            }
            index &+= n
        }
    }

    /// As above for 16-byte values.
    static func spreadWide(
        _ source: UnsafePointer<SIMD2<UInt64>>, to target: UnsafeMutablePointer<SIMD2<UInt64>>, bits: UnsafeRawPointer,
        bit: Int, count: Int
    ) {
        var next = 0
        var index = 0
        while index < count {
            let isSet = (load(bits, bit &+ index)) & 1
            target[index] = isSet != 0 ? source[next] : SIMD2(0, 0)
            next &+= Int(truncatingIfNeeded: isSet)
            index &+= 1
        }
    }

    /// Spreads values of `width` bytes.
    static func spread(
        _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, width: Int, bits: UnsafeRawPointer, bit: Int,
        count: Int
    ) {
        switch width {
        case 1:
            spread(
                source.assumingMemoryBound(to: UInt8.self), to: target.assumingMemoryBound(to: UInt8.self), bits: bits,
                bit: bit, count: count)
        case 2:
            spread(
                source.assumingMemoryBound(to: UInt16.self), to: target.assumingMemoryBound(to: UInt16.self),
                bits: bits, bit: bit, count: count)
        case 4:
            spread(
                source.assumingMemoryBound(to: UInt32.self), to: target.assumingMemoryBound(to: UInt32.self),
                bits: bits, bit: bit, count: count)
        case 8:
            spread(
                source.assumingMemoryBound(to: UInt64.self), to: target.assumingMemoryBound(to: UInt64.self),
                bits: bits, bit: bit, count: count)
        default:
            spreadWide(
                source.assumingMemoryBound(to: SIMD2<UInt64>.self),
                to: target.assumingMemoryBound(to: SIMD2<UInt64>.self), bits: bits, bit: bit, count: count)
        }
    }
}
