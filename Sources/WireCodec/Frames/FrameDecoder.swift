// Turns the frames of one channel back into batches.

import Columnar
import Diagnostics

/// Checks order, checksum and content of a channel's frames. One decoder a channel; confined to one thread at a time.
package struct FrameDecoder {
    /// The types that the columns must have; nil: any.
    private let types: [DataType]?
    private var fragments: [(buffer: Buffer, start: Int, byteCount: Int)] = []
    private var fragmentByteCount = 0

    /// Frames and rows decoded so far.
    package private(set) var frameCount = 0
    package private(set) var rowCount = 0

    package init(types: [DataType]? = nil) { self.types = types }

    /// The batches that end in this frame: none when it holds a middle piece of a large one. `frame` is a whole frame of
    /// `byteCount` bytes in memory that is 64-byte aligned and no longer written to; the batches point into it.
    package mutating func decode(_ frame: Buffer, byteCount: Int) throws(QueryError) -> [Batch] {
        guard byteCount <= frame.byteCount else { throw .corrupt("a frame has a wrong length") }
        let header = try FrameHeader(reading: frame.base, byteCount: byteCount)
        guard header.sequence == UInt64(frameCount) else {
            throw .corrupt("frame \(frameCount) is missing, \(header.sequence) has come")
        }
        guard header.isContinuation != fragments.isEmpty else { throw .corrupt("a frame is out of its order") }
        frameCount += 1
        var payload = frame
        var start = FrameHeader.byteCount
        if header.compression != .none {
            // A frame expands to no more than the largest frame; fragments are cut before they are compressed.
            guard header.rawByteCount <= 8 << 20 else { throw .corrupt("a frame claims too many bytes") }
            payload = Buffer(byteCount: header.rawByteCount)
            start = 0
            try FrameCompressor.expand(
                frame.base + FrameHeader.byteCount, count: header.payloadByteCount, with: header.compression,
                into: payload.base, rawCount: header.rawByteCount)
        }
        if header.isContinued || header.isContinuation {
            fragments.append((payload, start, header.rawByteCount))
            fragmentByteCount += header.rawByteCount
            guard fragmentByteCount <= FrameOptions.messageByteLimit else {
                throw .corrupt("a message is too large")
            }
            if header.isContinued { return [] }
            payload = joined()
            start = 0
        }
        let byteCount = start == 0 ? payload.byteCount : header.rawByteCount
        let batches = try BatchReading.batches(in: payload, start: start, byteCount: byteCount, types: types)
        var rows = 0
        for batch in batches { rows += batch.rowCount }
        guard rows == header.rowCount else { throw .corrupt("a frame has a wrong number of rows") }
        rowCount += rows
        return batches
    }

    /// To be called at the end of the channel with the producer's counts.
    package func finish(frameCount: Int, rowCount: Int) throws(QueryError) {
        guard fragments.isEmpty, frameCount == self.frameCount, rowCount == self.rowCount else {
            throw .corrupt(
                "\(rowCount) rows in \(frameCount) frames were sent, \(self.rowCount) in \(self.frameCount) have come")
        }
    }

    private mutating func joined() -> Buffer {
        let whole = Buffer(byteCount: fragmentByteCount)
        var offset = 0
        for fragment in fragments {
            (whole.base + offset).copyMemory(
                from: fragment.buffer.base + fragment.start, byteCount: fragment.byteCount)
            offset += fragment.byteCount
        }
        fragments = []
        fragmentByteCount = 0
        return whole
    }
}
