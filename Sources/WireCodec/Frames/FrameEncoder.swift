// Packs the batches of one channel into frames.

import Columnar
import Diagnostics

/// A frame that is ready to be sent: `byteCount` bytes at the start of `buffer`.
package struct EncodedFrame: Sendable {
    package let buffer: Buffer
    package let byteCount: Int
    package let rowCount: Int

    package init(buffer: Buffer, byteCount: Int, rowCount: Int) {
        self.buffer = buffer
        self.byteCount = byteCount
        self.rowCount = rowCount
    }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: buffer.base, count: byteCount) }
}

/// Collects batches until a frame is full. Large batches are cut by rows, a row larger than a frame goes on in the next
/// ones. One encoder a channel; confined to one thread at a time.
package struct FrameEncoder {
    private let options: FrameOptions
    private var ready: [EncodedFrame] = []
    private var firstReady = 0
    private var pending: Buffer?
    private var used = FrameHeader.byteCount
    private var pendingRows = 0
    private var sequence: UInt64 = 0

    /// Frames and rows given out by `next` and those waiting in it.
    package private(set) var frameCount = 0
    package private(set) var rowCount = 0

    package init(options: FrameOptions = FrameOptions()) { self.options = options }

    /// Adds a batch. Full frames are then ready.
    package mutating func append(_ batch: Batch) throws(QueryError) {
        guard !batch.isEmpty else { return }
        let writer = BatchWriter(batch)
        let target = options.targetByteCount - FrameHeader.byteCount
        if writer.byteCount > target, batch.rowCount > 1 {
            let pieces = min(batch.rowCount, (writer.byteCount + target - 1) / target)
            // Rows differ in size: a piece that is still too large is cut again.
            let rows = max(1, batch.rowCount / pieces)
            var start = 0
            while start < batch.rowCount {
                let count = min(rows, batch.rowCount - start)
                try append(batch.slice(start, count).densified())
                start += count
            }
            return
        }
        if writer.byteCount > options.maximumByteCount - FrameHeader.byteCount {
            seal()
            try appendFragments(writer)
            return
        }
        if used + writer.byteCount > max(options.targetByteCount, FrameHeader.byteCount + writer.byteCount) { seal() }
        let buffer: Buffer
        if let pending {
            buffer = pending
        } else {
            buffer = Buffer(byteCount: max(options.targetByteCount, used + writer.byteCount))
            pending = buffer
        }
        try writer.write(to: buffer.base + used)
        used += writer.byteCount
        pendingRows += writer.rowCount
        if used >= options.targetByteCount { seal() }
    }

    /// The next full frame; with `flush`, also the one that is not full yet.
    package mutating func next(flush: Bool) -> EncodedFrame? {
        if firstReady == ready.count {
            ready.removeAll(keepingCapacity: true)
            firstReady = 0
            if flush { seal() }
        }
        guard firstReady < ready.count else { return nil }
        let frame = ready[firstReady]
        firstReady += 1
        return frame
    }

    private mutating func seal() {
        guard let buffer = pending else { return }
        var header = FrameHeader()
        header.rowCount = pendingRows
        emit(buffer, payloadByteCount: used - FrameHeader.byteCount, header)
        pending = nil
        used = FrameHeader.byteCount
        pendingRows = 0
    }

    /// Finishes a frame whose payload lies behind the header's place in `buffer`.
    private mutating func emit(_ buffer: Buffer, payloadByteCount: Int, _ template: FrameHeader) {
        var header = template
        header.sequence = sequence
        header.rawByteCount = payloadByteCount
        header.payloadByteCount = payloadByteCount
        var result = buffer
        if options.compression != .none, payloadByteCount >= 1024 {
            // Worth it only from an eighth saved.
            let capacity = payloadByteCount - payloadByteCount / 8
            let target = Buffer(byteCount: FrameHeader.byteCount + capacity)
            if let size = FrameCompressor.compress(
                buffer.base + FrameHeader.byteCount, count: payloadByteCount, with: options.compression,
                into: target.base + FrameHeader.byteCount, capacity: capacity)
            {
                header.compression = options.compression
                header.payloadByteCount = size
                result = target
            }
        }
        header.write(to: result.base)
        sequence += 1
        frameCount += 1
        rowCount += header.rowCount
        ready.append(
            EncodedFrame(
                buffer: result, byteCount: FrameHeader.byteCount + header.payloadByteCount,
                rowCount: header.rowCount))
    }

    private mutating func appendFragments(_ writer: BatchWriter) throws(QueryError) {
        guard writer.byteCount <= FrameOptions.messageByteLimit else {
            throw QueryError(.programLimitExceeded, "a row of \(writer.byteCount) bytes is too large to be exchanged")
        }
        let whole = Buffer(byteCount: writer.byteCount)
        try writer.write(to: whole.base)
        let piece = options.maximumByteCount - FrameHeader.byteCount
        var start = 0
        while start < writer.byteCount {
            let count = min(piece, writer.byteCount - start)
            let buffer = Buffer(byteCount: FrameHeader.byteCount + count)
            (buffer.base + FrameHeader.byteCount).copyMemory(from: whole.base + start, byteCount: count)
            var header = FrameHeader()
            header.isContinuation = start > 0
            header.isContinued = start + count < writer.byteCount
            header.rowCount = header.isContinued ? 0 : writer.rowCount
            emit(buffer, payloadByteCount: count, header)
            start += count
        }
    }
}
