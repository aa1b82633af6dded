// Decompression of raw Snappy blocks.

import Glibc

/// Decoder for the Snappy block format. Source and target need 64 bytes of padding: it copies in chunks of 16 bytes.
enum Snappy {
    /// Per tag: bits 0…7 length, 8…10 high bits of the offset, 11…13 bytes that follow the tag.
    /// Written once, before anyone reads it.
    nonisolated(unsafe) private static let tags: UnsafePointer<UInt16> = {
        let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        for tag in 0..<256 {
            let entry: Int
            switch tag & 3 {
            case 1: entry = ((tag >> 2) & 7) + 4 | (tag >> 5) << 8 | 1 << 11
            case 2: entry = (tag >> 2) + 1 | 2 << 11
            case 3: entry = (tag >> 2) + 1 | 4 << 11
            default: entry = 0
            }
            table[tag] = UInt16(entry)
        }
        return UnsafePointer(table)
    }()

    /// Decompresses a block whose decompressed size must be `capacity`. False if the block is invalid.
    @inline(never)
    static func decompress(
        _ source: UnsafeRawPointer, count: Int, into target: UnsafeMutableRawPointer, capacity: Int
    ) -> Bool {
        var input = source
        let inputEnd = source + count
        var length = 0
        var shift = 0
        while true {
            if input >= inputEnd || shift > 28 { return false }
            let byte = Int(input.load(as: UInt8.self))
            input += 1
            length |= (byte & 127) &<< shift
            shift &+= 7
            if byte < 128 { break }
        }
        if length != capacity { return false }
        let tags = Snappy.tags
        var output = target
        let outputEnd = target + length
        while input < inputEnd {
            let tag = Int(input.load(as: UInt8.self))
            input += 1
            if tag & 3 == 0 {
                var run = (tag &>> 2) &+ 1
                if run <= 16 {
                    if run > inputEnd - input || run > outputEnd - output { return false }
                    let next = input + run
                    let end = output + run
                    // A short copy of bytes in front of this literal: its source is read before the literal is written,
                    // so that the read does not wait for that write.
                    let entry = Int(tags[Int(next.load(as: UInt8.self))])
                    let length = entry & 255
                    let extra = entry &>> 11
                    let word = UInt64(next.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
                    let trailer = word & ((1 &<< UInt64(truncatingIfNeeded: extra &* 8)) &- 1)
                    let offset = (entry & 0x700) &+ Int(truncatingIfNeeded: trailer)
                    if length > 0 && length <= 8 && offset >= run &+ length && offset <= end - target
                        && length <= outputEnd - end && next < inputEnd
                    {
                        let bytes = (end - offset).loadUnaligned(as: UInt64.self)
                        copy16(input, output)
                        end.storeBytes(of: bytes, as: UInt64.self)
                        output = end + length
                        input = next + 1 + extra
                        continue
                    }
                    copy16(input, output)
                    output = end
                    input = next
                    continue
                }
                if run > 60 {
                    let bytes = run &- 60
                    if bytes > inputEnd - input { return false }
                    let word = input.loadUnaligned(as: UInt32.self)
                    run = Int(word & (UInt32.max &>> UInt32(truncatingIfNeeded: 32 &- 8 &* bytes))) &+ 1
                    input += bytes
                }
                if run > inputEnd - input || run > outputEnd - output { return false }
                memcpy(output, input, run)
                output += run
                input += run
            } else {
                let entry = Int(tags[tag])
                let run = entry & 255
                let extra = entry &>> 11
                let word = UInt64(input.loadUnaligned(as: UInt32.self))
                let trailer = word & ((1 &<< UInt64(truncatingIfNeeded: extra &* 8)) &- 1)
                let offset = (entry & 0x700) &+ Int(truncatingIfNeeded: trailer)
                input += extra
                if offset == 0 || offset > output - target || run > outputEnd - output { return false }
                copyBack(output, offset: offset, count: run)
                output += run
            }
        }
        return output == outputEnd && input == inputEnd
    }

    /// Copies `count` (at most 64) bytes from `offset` bytes before `output`; the ranges may overlap. Writes up to 64
    /// bytes.
    @inline(__always)
    private static func copyBack(_ output: UnsafeMutableRawPointer, offset: Int, count: Int) {
        let source = UnsafeRawPointer(output) - offset
        if offset >= 16 {
            copy16(source, output)
            if count > 16 {
                copy16(source + 16, output + 16)
                copy16(source + 32, output + 32)
                copy16(source + 48, output + 48)
            }
        } else if offset >= 8 {
            copy8(source, output)
            copy8(source + 8, output + 8)
            var done = 16
            while done < count {
                copy8(source + done, output + done)
                done &+= 8
            }
        } else {
            var done = 0
            while done < count {
                output.storeBytes(
                    of: source.load(fromByteOffset: done, as: UInt8.self), toByteOffset: done, as: UInt8.self)
                done &+= 1
            }
        }
    }

    @inline(__always)
    private static func copy16(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        target.storeBytes(of: source.loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
    }
    @inline(__always)
    private static func copy8(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        target.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
    }
}
