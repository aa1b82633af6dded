// The delta encodings and byte stream split: a page's values are decoded at once.

import Columnar
import Diagnostics

enum DeltaDecoder {
    /// Values decoded from one page at most: a page of equal deltas takes no room in the file, but does in memory.
    static let valueCountMax = 1 << 26

    /// Decodes DELTA_BINARY_PACKED numbers; returns them (at least `expected`) and the first byte behind them. Numbers of
    /// 32-bit columns are sign-extended after wrapping.
    static func integers(
        _ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, expected: Int, is32Bit: Bool
    ) throws -> (values: Buffer, next: UnsafePointer<UInt8>) {
        guard expected <= valueCountMax else { throw QueryError.corrupted("a page has too many values") }
        var reader = ThriftReader(start, count: end - start)
        let blockSize = try reader.varint()
        let miniBlockCount = try reader.varint()
        let total = try reader.varint()
        let first = try reader.integer()
        guard blockSize > 0, blockSize <= 1 << 20, blockSize % 128 == 0, miniBlockCount > 0,
            miniBlockCount <= blockSize, blockSize % miniBlockCount == 0, (blockSize / miniBlockCount) % 32 == 0,
            total >= UInt64(expected), total <= UInt64(valueCountMax)
        else { throw QueryError.corrupted("a delta-encoded page has an impossible header") }
        let count = Int(total)
        let perMiniBlock = Int(blockSize / miniBlockCount)
        // A value takes no bits if all deltas are equal, so the count says nothing about the bytes; but blocks do.
        let blockCount = (count + Int(blockSize) - 1) / Int(blockSize)
        guard count <= 1 || blockCount <= reader.remaining else { throw PlainValues.tooShort() }
        let buffer = Buffer(byteCount: max(1, count) * 8)
        let values = buffer.base.assumingMemoryBound(to: Int64.self)
        var filled = 0
        var value = first
        if count > 0 {
            values[0] = value
            filled = 1
        }
        var widths = [UInt8](repeating: 0, count: Int(miniBlockCount))
        while filled < count {
            let minimum = try reader.integer()
            for index in widths.indices { widths[index] = try reader.byte() }
            for width in widths where filled < count {
                guard width <= 64 else { throw QueryError.corrupted("a delta-encoded page has an impossible width") }
                let byteCount = perMiniBlock / 8 * Int(width)
                let n = min(perMiniBlock, count - filled)
                // The last miniblock may be cut behind its last value.
                guard (n * Int(width) + 7) / 8 <= reader.remaining else { throw PlainValues.tooShort() }
                unpack(reader.cursor, Int(width), n, minimum, &value, values + filled, is32Bit)
                filled += n
                reader.advance(min(byteCount, reader.remaining))
            }
        }
        return (buffer, reader.cursor)
    }

    private static func unpack(
        _ source: UnsafePointer<UInt8>, _ width: Int, _ count: Int, _ minimum: Int64, _ value: inout Int64,
        _ target: UnsafeMutablePointer<Int64>, _ is32Bit: Bool
    ) {
        var current = value
        let mask = BitRange.mask(width)
        var index = 0
        while index < count {
            let delta = width == 0 ? 0 : BitRange.load(source, index &* width) & mask
            current = current &+ minimum &+ Int64(bitPattern: delta)
            if is32Bit { current = Int64(Int32(truncatingIfNeeded: current)) }
            target[index] = current
            index &+= 1
        }
        value = current
    }

    /// DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
    static func byteArrays(
        _ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, count: Int,
        into target: UnsafeMutablePointer<StringView>
    ) throws {
        let (lengths, bytes) = try integers(start, end: end, expected: count, is32Bit: true)
        let values = lengths.base.assumingMemoryBound(to: Int64.self)
        var cursor = bytes
        var index = 0
        while index < count {
            let length = Int(values[index])
            guard length >= 0, length <= end - cursor else { throw PlainValues.tooShort() }
            target[index] = StringView(padded: cursor, count: length)
            cursor += length
            index &+= 1
        }
    }

    /// Decompressed strings of one page at most.
    private static let textByteCountMax = 1 << 30

    /// DELTA_BYTE_ARRAY: each value shares a prefix with the one before. Long values go to `heap`.
    static func prefixedByteArrays(
        _ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, count: Int, heap: StringHeap,
        into target: UnsafeMutablePointer<StringView>
    ) throws {
        let (prefixes, afterPrefixes) = try integers(start, end: end, expected: count, is32Bit: true)
        let (suffixes, bytes) = try integers(afterPrefixes, end: end, expected: count, is32Bit: true)
        let prefixLengths = prefixes.base.assumingMemoryBound(to: Int64.self)
        let suffixLengths = suffixes.base.assumingMemoryBound(to: Int64.self)
        var cursor = bytes
        var previousLength = 0
        var index = 0
        while index < count {
            let prefix = Int(prefixLengths[index])
            let suffix = Int(suffixLengths[index])
            guard prefix >= 0, prefix <= previousLength, suffix >= 0, suffix <= end - cursor,
                heap.byteCount < textByteCountMax
            else { throw PlainValues.tooShort() }
            let length = prefix + suffix
            let room = heap.reserve(length)
            if prefix > 0 { room.update(from: StringView.bytes(at: target + (index - 1)), count: prefix) }
            (room + prefix).update(from: cursor, count: suffix)
            target[index] = StringView(room, count: length)
            cursor += suffix
            previousLength = length
            index += 1
        }
    }

    /// BYTE_STREAM_SPLIT: byte k of all values, for every k. Gives plain values.
    static func joinStreams(
        _ source: UnsafePointer<UInt8>, byteCount: Int, count: Int, width: Int, into target: UnsafeMutablePointer<UInt8>
    ) throws {
        guard count <= byteCount / width else { throw PlainValues.tooShort() }
        // Streams are as long as the page has values.
        let streamLength = byteCount / width
        var stream = 0
        while stream < width {
            let bytes = source + stream &* streamLength
            var index = 0
            while index < count {
                target[index &* width &+ stream] = bytes[index]
                index &+= 1
            }
            stream &+= 1
        }
    }
}
