// The reading half of one exchange channel: queues frames as they come, decodes them on the reader's thread, and grants
// credit for what was taken.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// A reader fed by a transport. The transport's thread calls `received`, `ended` and `failed`; driver threads call `poll`.
///
/// The decoder and the decoded batches are touched by `poll` alone, which is called by one thread at a time; the rest is
/// guarded by the lock. Hence unchecked.
package final class ChannelReceiver: ExchangeReader, @unchecked Sendable {
    private struct State {
        var frames: [(buffer: Buffer, byteCount: Int)] = []
        var firstFrame = 0
        var counts: (frames: Int, rows: Int)?
        var failure: QueryError?
        var wake: (@Sendable () -> Void)?
        var isClosed = false
        /// Bytes from the channel's begin that the sender may send, and that have come.
        var limit: Int
        var receivedByteCount = 0
        var receivedFrameCount = 0
        /// Paid the window; `nil` once it has got it back.
        var fund: (any CreditFund)?

        mutating func takeWake() -> (@Sendable () -> Void)? {
            defer { wake = nil }
            return wake
        }

        mutating func takeFund() -> (any CreditFund)? {
            defer { fund = nil }
            return fund
        }
    }

    private let state: Mutex<State>
    /// Bytes that the sender may be ahead.
    package let window: Int
    private let grant: @Sendable (_ byteCount: Int, _ limit: Int) -> Void
    private let whenClosed: @Sendable () -> Void

    /// Set by `close`.
    private let isAbandoned = Atomic<Bool>(false)
    private var decoder: FrameDecoder
    private var decoded: [Batch] = []
    private var firstDecoded = 0
    /// Bytes taken since credit was granted last.
    private var ungranted = 0

    /// `window`: bytes granted at the start; with a `fund` what it gives, and if it gives nothing, the channel has failed.
    /// `grant` sends further credit, as the bytes that were taken and as the byte up to which the channel may go now;
    /// `whenClosed` tells the sender that the reader wants no more. Both are called from driver threads.
    package init(
        window wanted: Int, fund: (any CreditFund)? = nil, types: [DataType]? = nil,
        grant: @escaping @Sendable (_ byteCount: Int, _ limit: Int) -> Void,
        whenClosed: @escaping @Sendable () -> Void
    ) {
        var state: State
        do {
            window = try fund?.take(wanted) ?? wanted
            state = State(limit: window, fund: fund)
        } catch {
            window = smallestExchangeWindow
            state = State(failure: QueryError.wrapping(error), limit: window)
        }
        self.state = Mutex(state)
        self.grant = grant
        self.whenClosed = whenClosed
        decoder = FrameDecoder(types: types)
    }

    // MARK: Driver threads

    package func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        while true {
            if isAbandoned.load(ordering: .acquiring) {
                decoded = []
                firstDecoded = 0
                return .finished
            }
            if firstDecoded < decoded.count {
                let batch = decoded[firstDecoded]
                firstDecoded += 1
                if firstDecoded == decoded.count {
                    decoded.removeAll(keepingCapacity: true)
                    firstDecoded = 0
                }
                return .batch(batch)
            }
            switch take(wake) {
            case .frame(let buffer, let byteCount, let isLast):
                do {
                    decoded = try decoder.decode(buffer, byteCount: byteCount)
                } catch {
                    fail(error)
                    throw error
                }
                giveBack(byteCount, atOnce: isLast)
            case .failure(let error):
                payBack()
                throw error
            case .end(let frames, let rows):
                do {
                    try decoder.finish(frameCount: frames, rowCount: rows)
                } catch {
                    fail(error)
                    throw error
                }
                payBack()
                return .finished
            case .closed: return .finished
            case .pending: return .pending
            }
        }
    }

    package func close() {
        let wasOpen = state.withLock { state in
            let wasOpen = !state.isClosed && state.counts == nil && state.failure == nil
            state.isClosed = true
            state.frames = []
            state.firstFrame = 0
            state.wake = nil
            return wasOpen
        }
        // `decoded` is left to the thread that polls: this may be another one.
        isAbandoned.store(true, ordering: .releasing)
        payBack()
        if wasOpen { whenClosed() }
    }

    /// No frame is held any more.
    private func payBack() {
        state.withLock { $0.takeFund() }?.giveBack(window)
    }

    /// What `poll` throws, once it is known that the channel has failed.
    package var failure: QueryError? { state.withLock { $0.failure } }

    private enum Taken {
        case frame(Buffer, byteCount: Int, isLast: Bool)
        case failure(QueryError)
        case end(frames: Int, rows: Int)
        case closed
        case pending
    }

    private func take(_ wake: @escaping @Sendable () -> Void) -> Taken {
        state.withLock { state in
            if state.isClosed { return .closed }
            // A failure overtakes the frames before it: the query is lost anyway.
            if let failure = state.failure { return .failure(failure) }
            if state.firstFrame < state.frames.count {
                let frame = state.frames[state.firstFrame]
                state.firstFrame += 1
                let isLast = state.firstFrame == state.frames.count
                if isLast {
                    state.frames.removeAll(keepingCapacity: true)
                    state.firstFrame = 0
                }
                return .frame(frame.buffer, byteCount: frame.byteCount, isLast: isLast)
            }
            if let counts = state.counts { return .end(frames: counts.frames, rows: counts.rows) }
            state.wake = wake
            return .pending
        }
    }

    /// Credit goes back when half the window was taken, or at once when nothing is left to take.
    private func giveBack(_ byteCount: Int, atOnce: Bool) {
        ungranted += byteCount
        guard atOnce || ungranted >= window / 2 else { return }
        let amount = ungranted
        ungranted = 0
        let limit = state.withLock { state -> Int? in
            state.limit += amount
            return state.counts == nil && state.failure == nil && !state.isClosed ? state.limit : nil
        }
        if let limit { grant(amount, limit) }
    }

    /// A defect that the reader itself has found: the sender may stop.
    private func fail(_ error: QueryError) {
        let wasOpen = state.withLock { state in
            let wasOpen = state.counts == nil && state.failure == nil && !state.isClosed
            if state.failure == nil { state.failure = error }
            state.frames = []
            state.firstFrame = 0
            return wasOpen
        }
        payBack()
        if wasOpen { whenClosed() }
    }

    // MARK: The transport

    /// What a sender must know that goes on over another connection: the frames that have come, and the byte up to which it
    /// may go. `nil`: the channel has ended.
    package var resumption: (frameCount: Int, limit: Int)? {
        state.withLock { state in
            guard !state.isClosed, state.failure == nil, state.counts == nil else { return nil }
            return (state.receivedFrameCount, state.limit)
        }
    }

    /// A whole frame; `buffer` is 64-byte aligned and given away.
    package func received(_ buffer: Buffer, byteCount: Int) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isClosed, state.failure == nil else { return nil }
            state.receivedByteCount += byteCount
            state.receivedFrameCount += 1
            if state.receivedByteCount > state.limit {
                state.failure = QueryError(.exchangeFailed, "a peer has sent more than it was granted")
            } else {
                state.frames.append((buffer, byteCount))
            }
            return state.takeWake()
        }
        wake?()
    }

    /// The producer has finished; the counts are of the whole channel.
    package func ended(frames: Int, rows: Int) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            state.counts = (frames, rows)
            return state.takeWake()
        }
        wake?()
    }

    /// The producer has failed or its node is gone. After the end this means nothing any more.
    package func failed(_ error: QueryError) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.counts == nil, state.failure == nil else { return nil }
            state.failure = error
            state.frames = []
            state.firstFrame = 0
            return state.takeWake()
        }
        wake?()
    }
}
