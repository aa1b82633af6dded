// The rows of a running query, as its client pulls them.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// What a result stream asks of the query that it belongs to.
struct ResultStreamOwner: Sendable {
    /// May rows of this attempt be given out? Asked before the first one; `false` when the attempt is being given up.
    var mayRelease: @Sendable (_ queryAttempt: Int) -> Bool
    /// The result of this attempt was read to its end; `false` when the attempt was given up before.
    var finished: @Sendable (_ queryAttempt: Int) -> Bool
    /// The result of this attempt cannot be read.
    var failed: @Sendable (_ queryAttempt: Int, QueryError) -> Void
}

/// Gives the batches of a result to one reader. The first error, from wherever, ends it.
///
/// As long as rows are held back, the attempt that makes them can be given up and another one take its place: the reader
/// waits a little longer and sees the rows of the last attempt only.
package final class ResultStream: AsyncSequence, Sendable {
    package typealias Element = Batch

    fileprivate struct State {
        /// The reading end of the current attempt; `nil` between attempts.
        var reader: (any ExchangeReader)?
        var queryAttempt = 0
        var held: HeldRows
        /// Whether batches go to the client as they come.
        var isReleased: Bool
        /// The last row of the result has come; it may still be held.
        var isComplete = false
        /// The query is being told so.
        var isEnding = false
        var failure: QueryError?
        var isFinished = false
        var isClosed = false
        var waiter: CheckedContinuation<Void, Never>?
        var isWoken = false
        var rowCount = 0
        /// Whether the client asks for rows at the moment.
        var isAsked = false
    }

    private let records: RecordRestorer
    private let owner: ResultStreamOwner
    private let state: Mutex<State>

    /// `room`: where rows are held back; `nil`: they are given out as they come.
    init(types: [DataType] = [], room: HoldBackRoom?, owner: ResultStreamOwner) {
        records = RecordRestorer(types)
        self.owner = owner
        state = Mutex(State(held: HeldRows(room: room ?? .none), isReleased: room == nil))
    }

    /// Rows that were given so far; all of them once the result is complete, though some may still be held.
    var rowCount: Int { state.withLock { $0.rowCount + ($0.isComplete || $0.isEnding ? $0.held.rowCount : 0) } }
    /// Whether the client waits for rows at the moment.
    var isAsked: Bool { state.withLock { $0.isAsked } }

    // MARK: - The query's side

    /// The rows of this attempt are read from now on.
    func open(_ reader: any ExchangeReader, queryAttempt: Int) {
        let (isClosed, old, waiter) = state.withLock { state in
            if state.isClosed { return (true, (any ExchangeReader)?.none, CheckedContinuation<Void, Never>?.none) }
            let old = state.reader
            state.reader = reader
            state.queryAttempt = queryAttempt
            return (false, old, state.takeWaiter())
        }
        if isClosed { reader.close() }
        old?.close()
        waiter?.resume()
    }

    /// The attempt is given up: what it gave is forgotten. Called only while nothing was released.
    func drop(queryAttempt: Int) {
        let reader = state.withLock { state -> (any ExchangeReader)? in
            guard state.queryAttempt == queryAttempt else { return nil }
            state.held.drop()
            defer { state.reader = nil }
            return state.reader
        }
        reader?.close()
    }

    /// Ends the stream with an error from elsewhere.
    func fail(_ error: QueryError) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.failure == nil, !state.isComplete {
                state.failure = error
                state.held.drop()
            }
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    func close() {
        let reader = state.withLock { state in
            state.isClosed = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.close()
    }

    // MARK: - The client's side

    /// The next batch, `nil` at the end.
    package func next() async throws -> Batch? {
        state.withLock { $0.isAsked = true }
        defer { state.withLock { $0.isAsked = false } }
        while true {
            if Task.isCancelled { fail(QueryError.wrapping(CancellationError())) }
            switch state.withLock({ $0.nextStep() }) {
            case .fail(let error): throw error
            case .end: return nil
            case .give(let batch): return records.restored(batch)
            case .wait: await waitForWake()
            case .read(let reader, let attempt):
                if let batch = try await read(reader, attempt) { return records.restored(batch) }
            }
        }
    }

    /// Takes what the reader has. A batch is returned only if rows go out as they come.
    private func read(_ reader: any ExchangeReader, _ attempt: Int) async throws -> Batch? {
        let event: ExchangeEvent
        do {
            event = try reader.poll { [weak self] in self?.wake() }
        } catch {
            let wrapped = QueryError.wrapping(error)
            state.withLock { state in
                if state.queryAttempt == attempt { state.reader = nil }
            }
            reader.close()
            // The query decides: another attempt, or an error that comes back through `fail`.
            owner.failed(attempt, wrapped)
            return nil
        }
        switch event {
        case .pending:
            await waitForWake()
            return nil
        case .batch(let batch):
            let (isOut, mustRelease) = state.withLock { state in
                if state.isReleased {
                    state.rowCount += batch.rowCount
                    return (true, false)
                }
                // Between the poll and here the attempt may have been given up.
                guard state.queryAttempt == attempt, state.reader != nil else { return (false, false) }
                return (false, !state.held.append(batch))
            }
            if isOut { return batch }
            if mustRelease, owner.mayRelease(attempt) { state.withLock { $0.isReleased = true } }
            return nil
        case .finished:
            // A query that has failed closes its reader, and a closed reader has no more rows: no end of the result.
            let isOpen = state.withLock { state in
                // The query may end while it is told, and asks then how many rows there are.
                state.isEnding = state.failure == nil && state.queryAttempt == attempt && state.reader != nil
                return state.isEnding
            }
            guard isOpen else { return nil }
            if owner.finished(attempt) {
                let waiter = state.withLock { state in
                    state.isComplete = true
                    state.isReleased = true
                    return state.takeWaiter()
                }
                waiter?.resume()
            } else {
                state.withLock { state in
                    state.isEnding = false
                    if state.queryAttempt == attempt { state.reader = nil }
                }
            }
            return nil
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

    package struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ResultStream
        package mutating func next() async throws -> Batch? { try await stream.next() }
    }
    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

extension ResultStream.State {
    fileprivate enum Step {
        case fail(QueryError)
        case end
        case give(Batch)
        case read(any ExchangeReader, queryAttempt: Int)
        case wait
    }

    fileprivate mutating func nextStep() -> Step {
        if let failure { return .fail(failure) }
        if isReleased, let batch = held.take() {
            rowCount += batch.rowCount
            return .give(batch)
        }
        if isComplete { return .end }
        guard let reader else { return .wait }
        return .read(reader, queryAttempt: queryAttempt)
    }

    /// The waiting reader; if there is none, the next one does not wait.
    fileprivate mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
        if waiter == nil { isWoken = true }
        defer { waiter = nil }
        return waiter
    }
}
