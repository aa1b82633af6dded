// The sending half of one exchange channel: takes batches from the producer's buffer and gives frames, within credit.

import Columnar
import Diagnostics
import Transport

/// Drives one served stream. Without I/O: the transport calls `next` until it gets no more frames, sends them, and calls
/// again when credit or a wake-up has come. Confined to one thread at a time.
///
/// Credit is counted from the channel's begin: the reader says up to which byte the sender may go. What it says twice, or
/// late, does no harm, and how far it has read follows from it.
package final class ChannelSender {
    /// What the transport does next.
    package enum Step {
        /// Send this frame, then ask again.
        case frame(EncodedFrame)
        /// Nothing to send until the reader grants more credit.
        case needsCredit
        /// Nothing to send until `wake` is called.
        case pending
        /// Everything was sent: tell the reader these counts.
        case end(frames: Int, rows: Int)
        /// The producer has failed: tell the reader.
        case fault(QueryError)
        /// The channel is closed, or, unless it can be resumed, `end` or `fault` has been given.
        case closed
    }

    private enum Phase { case open, drained, failed(QueryError), closed }

    private let stream: any ExchangeStream
    private var encoder: FrameEncoder
    private let window: Int
    /// Whether frames are kept until the reader has taken them, so that it can ask for them again.
    private let isResumable: Bool
    /// Bytes from the channel's begin that may be sent.
    private var limit: Int
    /// Bytes before the frame that goes out next.
    private var sentByteCount = 0
    /// Since when it has nothing but its reader's credit to wait for, for metrics.
    private var starvedSince: ContinuousClock.Instant?
    /// A frame that is larger than the credit that is left.
    private var held: EncodedFrame?
    private var phase = Phase.open
    /// Whether the reader was told of the end or the failure, over the connection that there is now.
    private var hasToldEnd = false

    /// Frames that were sent and may be asked for again, oldest first; the number of the first of them, and the bytes before it.
    private var kept: [EncodedFrame] = []
    private var keptStart = 0
    private var keptOffset = 0
    /// How many of them have gone out over the connection that there is now.
    private var resentCount = 0

    /// `credit`: bytes of frames that may be sent before the reader grants more; at least `smallestExchangeWindow`, or
    /// nothing may ever fit.
    package init(stream: any ExchangeStream, credit: Int, isResumable: Bool = false, options: FrameOptions) {
        self.stream = stream
        self.isResumable = isResumable
        window = credit
        limit = credit
        // Two of the largest frames fit into the window, so that one is on its way while another is read.
        var fitting = options
        fitting.maximumByteCount = min(options.maximumByteCount, max(credit, smallestExchangeWindow) / 2)
        fitting.targetByteCount = min(options.targetByteCount, fitting.maximumByteCount / 2)
        encoder = FrameEncoder(options: fitting)
    }

    package var isClosed: Bool { if case .closed = phase { true } else { false } }
    /// Bytes that are held for a reader who may ask for them again.
    package var keptByteCount: Int { kept.reduce(0) { $0 + $1.byteCount } }

    /// The reader has taken so many bytes more.
    package func grant(_ byteCount: Int) {
        let (sum, overflow) = limit.addingReportingOverflow(max(0, byteCount))
        raise(to: overflow ? .max : sum)
    }

    /// The reader lets the channel go up to this byte: what lies a window before it was taken.
    package func raise(to limit: Int) {
        guard limit > self.limit else { return }
        self.limit = limit
        while let oldest = kept.first, keptOffset + oldest.byteCount <= limit - window { forget(oldest) }
    }

    private func forget(_ oldest: EncodedFrame) {
        kept.removeFirst()
        keptStart += 1
        keptOffset += oldest.byteCount
        resentCount = max(0, resentCount - 1)
    }

    /// The reader has come back over another connection: it has the first `frameCount` frames and lets the channel go up to
    /// `limit`. `false`: what it wants to have again is not there any more.
    package func resume(from frameCount: Int, limit: Int) -> Bool {
        guard isResumable, !isClosed else { return false }
        hasToldEnd = false
        if case .failed = phase { return true }
        guard frameCount >= keptStart, frameCount - keptStart <= kept.count else { return false }
        while frameCount > keptStart, let oldest = kept.first { forget(oldest) }
        sentByteCount = keptOffset
        resentCount = 0
        self.limit = max(self.limit, limit)
        return true
    }

    package func next(wake: @escaping @Sendable () -> Void) -> Step {
        let step = makeStep(wake: wake)
        if case .needsCredit = step {
            if starvedSince == nil { starvedSince = .now }
        } else {
            endStarvation()
        }
        return step
    }

    private func endStarvation() {
        guard let since = starvedSince else { return }
        starvedSince = nil
        ProcessMeters.addExchangeCreditWait(.now - since)
    }

    private func makeStep(wake: @escaping @Sendable () -> Void) -> Step {
        do {
            while true {
                if resentCount < kept.count {
                    let frame = kept[resentCount]
                    guard sentByteCount + frame.byteCount <= limit else { return .needsCredit }
                    resentCount += 1
                    sentByteCount += frame.byteCount
                    return .frame(frame)
                }
                var isDrained = false
                switch phase {
                case .closed: return .closed
                case .failed(let error): return tellEnd(.fault(error))
                case .drained: isDrained = true
                case .open: break
                }
                if let frame = held ?? encoder.next(flush: isDrained) { return send(frame) }
                if isDrained { return tellEnd(.end(frames: encoder.frameCount, rows: encoder.rowCount)) }
                // Without credit nothing is taken out of the producer's buffer: that is what holds the producer back.
                if sentByteCount >= limit { return .needsCredit }
                switch try stream.poll(wake: wake) {
                case .batch(let batch): try encoder.append(batch)
                case .finished: phase = .drained
                case .pending:
                    // The reader may as well have what there is. The next call polls again; a second wake-up for the same
                    // state does no harm.
                    guard let frame = encoder.next(flush: true) else { return .pending }
                    return send(frame)
                }
            }
        } catch {
            let failure = QueryError.wrapping(error)
            phase = .failed(failure)
            held = nil
            // A failure overtakes the frames before it.
            kept = []
            resentCount = 0
            return tellEnd(.fault(failure))
        }
    }

    private func send(_ frame: EncodedFrame) -> Step {
        guard sentByteCount + frame.byteCount <= limit else {
            held = frame
            return .needsCredit
        }
        held = nil
        sentByteCount += frame.byteCount
        if isResumable {
            kept.append(frame)
            resentCount += 1
        }
        return .frame(frame)
    }

    /// The end is told once for each connection; who can ask again confirms it by closing the channel.
    private func tellEnd(_ step: Step) -> Step {
        guard isResumable else {
            close()
            return step
        }
        if hasToldEnd { return .pending }
        hasToldEnd = true
        return step
    }

    /// The reader has gone, wants no more, or has everything.
    package func close() {
        if isClosed { return }
        endStarvation()
        phase = .closed
        held = nil
        kept = []
        resentCount = 0
        stream.close()
    }
}
