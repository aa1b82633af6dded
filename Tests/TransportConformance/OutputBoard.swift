// A producer's side for tests: output buffers with a limit, into which tests push batches.

import Columnar
import Diagnostics
import Synchronization
import Transport

/// An `ExchangeSource` whose channels come into being when either side names them first.
package final class OutputBoard: ExchangeSource {
    private let channels = Mutex<[ExchangeChannel: OutputChannel]>([:])
    private let batchLimit: Int

    package init(batchLimit: Int = 4) { self.batchLimit = batchLimit }

    package func channel(_ key: ExchangeChannel) -> OutputChannel {
        channels.withLock { channels in
            if let known = channels[key] { return known }
            let made = OutputChannel(batchLimit: batchLimit)
            channels[key] = made
            return made
        }
    }

    package func openStream(_ channel: ExchangeChannel) -> any ExchangeStream {
        let output = self.channel(channel)
        output.opened()
        return output
    }
}

/// One channel's output.
package final class OutputChannel: ExchangeStream {
    private struct State {
        var batches: [Batch] = []
        var isFinished = false
        var error: QueryError?
        var isClosed = false
        var isOpened = false
        var taken = 0
        var wake: (@Sendable () -> Void)?
        var writers: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())
    private let batchLimit: Int

    init(batchLimit: Int) { self.batchLimit = batchLimit }

    /// Batches that a transport has taken.
    package var taken: Int { state.withLock { $0.taken } }
    package var isClosed: Bool { state.withLock { $0.isClosed } }
    package var isOpened: Bool { state.withLock { $0.isOpened } }

    fileprivate func opened() { state.withLock { $0.isOpened = true } }

    /// Adds a batch, waiting for room; false when the reader wants no more.
    package func push(_ batch: Batch) async -> Bool {
        while true {
            enum Outcome { case done(wake: (@Sendable () -> Void)?), closed, full }
            let outcome: Outcome = state.withLock { state in
                if state.isClosed { return .closed }
                if state.batches.count >= batchLimit { return .full }
                state.batches.append(batch)
                defer { state.wake = nil }
                return .done(wake: state.wake)
            }
            switch outcome {
            case .done(let wake):
                wake?()
                return true
            case .closed:
                return false
            case .full:
                await withCheckedContinuation { continuation in
                    let isFull = state.withLock { state in
                        let isFull = !state.isClosed && state.batches.count >= batchLimit
                        if isFull { state.writers.append(continuation) }
                        return isFull
                    }
                    if !isFull { continuation.resume() }
                }
            }
        }
    }

    package func finish() { end { $0.isFinished = true } }
    package func fail(_ error: QueryError) { end { $0.error = error } }

    private func end(_ change: (inout State) -> Void) {
        let wake = state.withLock { state in
            change(&state)
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }

    // MARK: ExchangeStream

    package func poll(wake: @escaping @Sendable () -> Void) throws -> ExchangeEvent {
        let (event, error, writers) = state.withLock {
            state -> (ExchangeEvent, QueryError?, [CheckedContinuation<Void, Never>]) in
            if !state.batches.isEmpty {
                state.taken += 1
                let writers = state.writers
                state.writers = []
                return (.batch(state.batches.removeFirst()), nil, writers)
            }
            if let error = state.error { return (.pending, error, []) }
            if state.isFinished { return (.finished, nil, []) }
            state.wake = wake
            return (.pending, nil, [])
        }
        for writer in writers { writer.resume() }
        if let error { throw error }
        return event
    }

    package func close() {
        let writers = state.withLock { state in
            state.isClosed = true
            state.batches = []
            defer { state.writers = [] }
            return state.writers
        }
        for writer in writers { writer.resume() }
    }
}
