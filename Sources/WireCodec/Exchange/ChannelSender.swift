// The sending half of one exchange channel: takes batches from the producer's buffer and gives frames, within credit.

import Columnar
import Diagnostics
import Transport

/// Drives one served stream. Without I/O: the transport calls `next` until it gets no more frames, sends them, and calls
/// again when credit or a wake-up has come. Confined to one thread at a time.
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
        /// `end` or `fault` has been given, or the channel is closed.
        case closed
    }

    private enum Phase { case open, drained, closed }

    private let stream: any ExchangeStream
    private var encoder: FrameEncoder
    private var credit: Int
    /// A frame that is larger than the credit that is left.
    private var held: EncodedFrame?
    private var phase = Phase.open

    /// `credit`: bytes of frames that may be sent before the reader grants more.
    package init(stream: any ExchangeStream, credit: Int, options: FrameOptions) {
        self.stream = stream
        self.credit = credit
        encoder = FrameEncoder(options: options)
    }

    package var isClosed: Bool { phase == .closed }

    package func grant(_ byteCount: Int) {
        let (sum, overflow) = credit.addingReportingOverflow(max(0, byteCount))
        credit = overflow ? .max : sum
    }

    package func next(wake: @escaping @Sendable () -> Void) -> Step {
        do {
            while true {
                if phase == .closed { return .closed }
                if let frame = held ?? encoder.next(flush: phase == .drained) {
                    guard frame.byteCount <= credit else {
                        held = frame
                        return .needsCredit
                    }
                    held = nil
                    credit -= frame.byteCount
                    return .frame(frame)
                }
                if phase == .drained {
                    phase = .closed
                    stream.close()
                    return .end(frames: encoder.frameCount, rows: encoder.rowCount)
                }
                // Without credit nothing is taken out of the producer's buffer: that is what holds the producer back.
                if credit <= 0 { return .needsCredit }
                switch try stream.poll(wake: wake) {
                case .batch(let batch): try encoder.append(batch)
                case .finished: phase = .drained
                case .pending:
                    // The reader may as well have what there is.
                    guard let frame = encoder.next(flush: true) else { return .pending }
                    guard frame.byteCount <= credit else {
                        held = frame
                        return .needsCredit
                    }
                    credit -= frame.byteCount
                    // The next call polls again; a second wake-up for the same state does no harm.
                    return .frame(frame)
                }
            }
        } catch {
            phase = .closed
            stream.close()
            return .fault(QueryError.wrapping(error))
        }
    }

    /// The reader has gone or wants no more.
    package func close() {
        guard phase != .closed else { return }
        phase = .closed
        held = nil
        stream.close()
    }
}
