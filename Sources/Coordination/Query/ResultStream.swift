// The rows of a running query, as its client pulls them.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// Gives the batches of a result to one reader. The first error, from wherever, ends it.
package final class ResultStream: AsyncSequence, Sendable {
    package typealias Element = Batch

    fileprivate struct State {
        var failure: QueryError?
        var isFinished = false
        var waiter: CheckedContinuation<Void, Never>?
        var isWoken = false
        var rowCount = 0
    }

    private let reader: any ExchangeReader
    private let records: RecordRestorer
    private let state = Mutex(State())
    private let onEnd: @Sendable (QueryError?) -> Void

    /// `onEnd` is called once: with `nil` after the last row, or with the reader's error.
    init(
        reader: any ExchangeReader, types: [DataType] = [], onEnd: @escaping @Sendable (QueryError?) -> Void
    ) {
        self.reader = reader
        records = RecordRestorer(types)
        self.onEnd = onEnd
    }

    /// Rows that were given so far.
    var rowCount: Int { state.withLock { $0.rowCount } }

    /// Ends the stream with an error from elsewhere.
    func fail(_ error: QueryError) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.failure == nil, !state.isFinished { state.failure = error }
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    /// The next batch, `nil` at the end.
    package func next() async throws -> Batch? {
        while true {
            if Task.isCancelled { fail(QueryError.wrapping(CancellationError())) }
            let (failure, isFinished) = state.withLock { ($0.failure, $0.isFinished) }
            if let failure { throw failure }
            if isFinished { return nil }
            let event: ExchangeEvent
            do {
                event = try reader.poll { [weak self] in self?.wake() }
            } catch {
                let wrapped = QueryError.wrapping(error)
                onEnd(wrapped)
                // The scheduler may know the cause behind a broken connection; it answers through `fail`.
                let known = state.withLock { state -> QueryError in
                    if state.failure == nil { state.failure = wrapped }
                    return state.failure ?? wrapped
                }
                throw known
            }
            switch event {
            case .batch(let batch):
                state.withLock { $0.rowCount += batch.rowCount }
                return records.restored(batch)
            case .finished:
                // A query that has failed closes its reader, and a closed reader has no more rows: no end of the result.
                let (isFirst, failure) = state.withLock { state in
                    if let failure = state.failure { return (false, QueryError?.some(failure)) }
                    defer { state.isFinished = true }
                    return (!state.isFinished, nil)
                }
                if let failure { throw failure }
                if isFirst { onEnd(nil) }
                return nil
            case .pending: await waitForWake()
            }
        }
    }

    private func wake() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiter == nil { state.isWoken = true }
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    private func waitForWake() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumeNow = state.withLock { state in
                    if state.isWoken || state.failure != nil {
                        state.isWoken = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        } onCancel: {
            fail(QueryError.wrapping(CancellationError()))
        }
    }

    func close() { reader.close() }

    package struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ResultStream
        package mutating func next() async throws -> Batch? { try await stream.next() }
    }
    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

extension ResultStream.State {
    fileprivate mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
        defer { waiter = nil }
        return waiter
    }
}
