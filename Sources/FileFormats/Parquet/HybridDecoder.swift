// The hybrid of run-length and bit-packed encoding: dictionary codes, levels and booleans.

import CKernels
import Diagnostics

/// Decodes values of `width` bits as UInt32. The source needs 32 readable bytes behind it.
struct HybridDecoder {
    private var cursor: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    let width: Int
    private var repeatCount = 0
    private var repeatValue: UInt32 = 0
    /// Values left in the packed groups at the cursor.
    private var packedCount = 0
    /// A group that was unpacked because only part of it was wanted.
    private let held: UnsafeMutablePointer<UInt32>
    private var heldStart = 0
    private var heldCount = 0

    /// `scratch` has room for eight values and outlives the decoder.
    init(_ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, width: Int, scratch: UnsafeMutablePointer<UInt32>) {
        cursor = start
        self.end = end
        self.width = width
        held = scratch
    }

    /// Reads the header of the next run; false at the end or if it is impossible.
    private mutating func nextRun() -> Bool {
        var header: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard cursor < end, shift < 35 else { return false }
            let byte = cursor.pointee
            cursor += 1
            header |= UInt64(byte & 127) &<< shift
            if byte < 128 { break }
            shift &+= 7
        }
        if header & 1 == 1 {
            let groups = Int(header &>> 1)
            guard width > 0 else {
                packedCount = 0
                repeatCount = groups &* 8
                repeatValue = 0
                return true
            }
            // The last group may be cut short by writers that drop its padding.
            let available = (end - cursor) &* 8 / width
            packedCount = min(groups &* 8, available)
            return packedCount > 0 || groups == 0
        }
        repeatCount = Int(header &>> 1)
        let bytes = (width &+ 7) &>> 3
        guard bytes <= end - cursor else { return false }
        var value: UInt32 = 0
        var index = 0
        while index < bytes {
            value |= UInt32(cursor[index]) &<< UInt32(truncatingIfNeeded: index &* 8)
            index &+= 1
        }
        cursor += bytes
        repeatValue = value
        return true
    }

    private mutating func hold() {
        ck_unpack32(cursor, held, 1, Int32(truncatingIfNeeded: width))
        let count = min(8, packedCount)
        cursor += min(width, end - cursor)
        packedCount &-= count
        heldStart = 0
        heldCount = count
    }

    /// Decodes `count` values; false if there are fewer.
    mutating func decode(into target: UnsafeMutablePointer<UInt32>, count: Int) -> Bool {
        var done = 0
        while done < count {
            if heldCount > 0 {
                let n = min(heldCount, count &- done)
                (target + done).update(from: held + heldStart, count: n)
                heldCount &-= n
                heldStart &+= n
                done &+= n
            } else if repeatCount > 0 {
                let n = min(repeatCount, count &- done)
                (target + done).update(repeating: repeatValue, count: n)
                repeatCount &-= n
                done &+= n
            } else if packedCount > 0 {
                let n = min(packedCount, count &- done) & ~7
                if n > 0 {
                    ck_unpack32(cursor, target + done, n &>> 3, Int32(truncatingIfNeeded: width))
                    cursor += (n &>> 3) &* width
                    packedCount &-= n
                    done &+= n
                } else {
                    hold()
                }
            } else if !nextRun() {
                return false
            }
        }
        return true
    }

    /// Passes over `count` values; false if there are fewer.
    mutating func skip(_ count: Int) -> Bool {
        var left = count
        while left > 0 {
            if heldCount > 0 {
                let n = min(heldCount, left)
                heldCount &-= n
                heldStart &+= n
                left &-= n
            } else if repeatCount > 0 {
                let n = min(repeatCount, left)
                repeatCount &-= n
                left &-= n
            } else if packedCount > 0 {
                let n = min(packedCount, left) & ~7
                if n > 0 {
                    cursor += (n &>> 3) &* width
                    packedCount &-= n
                    left &-= n
                } else {
                    hold()
                }
            } else if !nextRun() {
                return false
            }
        }
        return true
    }

    /// Decodes `count` one-bit values into a bitmap that is clear; `nil` if there are fewer or one is not 0 or 1.
    static func decodeBits(
        _ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, into bits: UnsafeMutablePointer<UInt64>, count: Int
    ) -> Void? {
        var cursor = start
        var done = 0
        while done < count {
            var header: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard cursor < end, shift < 35 else { return nil }
                let byte = cursor.pointee
                cursor += 1
                header |= UInt64(byte & 127) &<< shift
                if byte < 128 { break }
                shift &+= 7
            }
            if header & 1 == 1 {
                let bytes = min(Int(header &>> 1), end - cursor)
                guard bytes > 0 || header == 1 else { return nil }
                let n = min(bytes &* 8, count &- done)
                BitRange.copy(cursor, 0, to: bits, done, count: n)
                cursor += bytes
                done &+= n
            } else {
                guard cursor < end, cursor.pointee < 2 else { return nil }
                let n = min(Int(header &>> 1), count &- done)
                if cursor.pointee == 1 { BitRange.set(bits, done, count: n) }
                cursor += 1
                done &+= n
            }
        }
        return ()
    }

    /// The retired packing of levels: most significant bit first, no runs.
    static func decodeReversedBits(
        _ start: UnsafePointer<UInt8>, into bits: UnsafeMutablePointer<UInt64>, count: Int
    ) {
        var row = 0
        while row < count {
            let bit = UInt64((start[row &>> 3] &>> UInt8(truncatingIfNeeded: 7 &- (row & 7))) & 1)
            bits[row &>> 6] |= bit &<< UInt64(truncatingIfNeeded: row & 63)
            row &+= 1
        }
    }
}
