// The coordinator's end of the stream that carries all calls to one worker.

import Diagnostics
import GRPCCore
import Synchronization
import Transport

/// Numbers calls, sends them in order, and gives each its answers. One that has failed stays failed: whoever calls next opens
/// another. Thread-safe.
final class GRPCWorkerLink: Sendable {
    private struct Pending {
        var continuation: CheckedContinuation<Void, any Error>
        var deadline: ContinuousClock.Instant
    }
    private struct State {
        var nextNumber: UInt64 = 0
        var pending: [UInt64: Pending] = [:]
        /// Calls whose caller went before they were sent.
        var abandoned: Set<UInt64> = []
        var watches: [UInt64: AsyncThrowingStream<TaskStatus, any Error>.Continuation] = [:]
        var failure: QueryError?
        var tasks: [Task<Void, Never>] = []
    }

    private let connection: GRPCNodeConnection
    private let callDeadline: Duration
    private let loop: ControlLoop
    private let state = Mutex(State())
    private let outgoing = Outbox<Martlet_V1_WorkerCall> { call in
        switch call.kind {
        case .start(let chunk): 64 + chunk.descriptor.count
        case .addSplits(let added): 64 + added.splits.count
        default: 64
        }
    }
    /// How often calls are looked at that have had no answer: one clock for all of them.
    private static let lookInterval: Duration = .milliseconds(250)
    /// A watch goes with the tasks that are started next: what has become of them by then it is told first.
    private static let watchDelay: Duration = .milliseconds(2)
    /// The end of a watch goes with the release of the tasks, or with whatever is asked next.
    private static let unwatchDelay: Duration = .milliseconds(50)

    init(_ connection: GRPCNodeConnection, callDeadline: Duration, loop: ControlLoop) {
        self.connection = connection
        self.callDeadline = callDeadline
        self.loop = loop
    }

    func start() {
        let running = Task(executorPreference: loop) { [weak self, connection, outgoing] in
            let ending: QueryError
            do {
                try await Martlet_V1_WorkerControl.Client(wrapping: connection.client).link(
                    options: .failingFast(),
                    requestProducer: { writer in
                        while let calls = await outgoing.next() {
                            var message = Martlet_V1_WorkerCalls()
                            message.calls = calls
                            try await writer.write(message)
                        }
                    },
                    onResponse: { [weak self] response in
                        for try await message in response.messages {
                            for answer in message.answers { self?.handle(answer) }
                        }
                    })
                ending = QueryError(
                    .workerLost, "lost the connection to \(connection.endpoint)",
                    detail: "The worker has ended the stream.", object: connection.endpoint.description)
            } catch {
                ending = GRPCErrors.queryError(error, peer: connection.endpoint, lost: .workerLost)
            }
            self?.fail(ending)
        }
        let looking = Task { [weak self] in
            while !Task.isCancelled, let self, !self.isFailed {
                self.endOverdue()
                try? await Task.sleep(for: Self.lookInterval)
            }
        }
        state.withLock { $0.tasks = [running, looking] }
    }

    var isFailed: Bool { state.withLock { $0.failure != nil } }

    /// Makes a call of one or more pieces and waits for its answer.
    func call(_ pieces: [Martlet_V1_WorkerCall.OneOf_Kind]) async throws {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let failure: (any Error)? = state.withLock { state in
                    if let failure = state.failure { return failure }
                    if state.abandoned.remove(number) != nil { return cancelled }
                    state.pending[number] = Pending(continuation: continuation, deadline: .now + callDeadline)
                    return nil
                }
                if let failure { return continuation.resume(throwing: failure) }
                outgoing.push(pieces.map { call(number, $0) })
            }
        } onCancel: {
            let pending = state.withLock { state in
                let pending = state.pending.removeValue(forKey: number)
                if pending == nil { state.abandoned.insert(number) }
                return pending
            }
            pending?.continuation.resume(throwing: cancelled)
        }
        _ = state.withLock { $0.abandoned.remove(number) }
    }

    /// The states of a query's tasks, until the worker has told them all or nobody listens any more.
    func watch(_ query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        let (statuses, continuation) = AsyncThrowingStream<TaskStatus, any Error>.makeStream()
        let (number, failure) = state.withLock { state -> (UInt64, QueryError?) in
            state.nextNumber += 1
            if state.failure == nil { state.watches[state.nextNumber] = continuation }
            return (state.nextNumber, state.failure)
        }
        if let failure {
            continuation.finish(throwing: failure)
            return statuses
        }
        continuation.onTermination = { [weak self] _ in
            guard let self, self.state.withLock({ $0.watches.removeValue(forKey: number) }) != nil else { return }
            self.outgoing.push(
                self.call(number, .unwatch(Martlet_V1_Unwatch())), within: Self.unwatchDelay, of: self.loop)
        }
        var watch = Martlet_V1_WatchTasks()
        watch.query = query.text
        outgoing.push(call(number, .watch(watch)), within: Self.watchDelay, of: loop)
        return statuses
    }

    /// Ends the stream; every call that has no answer yet fails with `error`.
    func fail(_ error: QueryError) {
        let (pending, watches, tasks) = state.withLock { state in
            let taken = (state.pending, state.watches, state.tasks)
            if state.failure == nil { state.failure = error }
            state.pending = [:]
            state.watches = [:]
            state.tasks = []
            return taken
        }
        outgoing.finish()
        for task in tasks { task.cancel() }
        for number in pending.keys.sorted() { pending[number]?.continuation.resume(throwing: error) }
        for number in watches.keys.sorted() { watches[number]?.finish(throwing: error) }
    }

    private func call(_ number: UInt64, _ piece: Martlet_V1_WorkerCall.OneOf_Kind) -> Martlet_V1_WorkerCall {
        var call = Martlet_V1_WorkerCall()
        call.number = number
        call.kind = piece
        return call
    }

    private var cancelled: QueryError {
        QueryError(.workerLost, "the call to \(connection.endpoint) was cancelled")
    }

    private func endOverdue() {
        let now = ContinuousClock.now
        let overdue = state.withLock { state in
            let numbers = state.pending.filter { $0.value.deadline < now }.keys.sorted()
            return numbers.compactMap { state.pending.removeValue(forKey: $0) }
        }
        for pending in overdue {
            pending.continuation.resume(
                throwing: QueryError(
                    .workerLost, "no answer from \(connection.endpoint)",
                    detail: "The call was given up after \(callDeadline).", object: connection.endpoint.description))
        }
    }

    /// Answers to calls that were given up find nobody, which is no error.
    private func handle(_ answer: Martlet_V1_WorkerAnswer) {
        switch answer.kind {
        case .status(let update):
            let watch = state.withLock { $0.watches[answer.number] }
            do {
                watch?.yield(try update.value())
            } catch {
                _ = state.withLock { $0.watches.removeValue(forKey: answer.number) }
                watch?.finish(throwing: error)
            }
        case .done: end(answer.number, nil)
        case .error(let info): end(answer.number, GRPCErrors.error(info))
        case nil: break
        }
    }

    private func end(_ number: UInt64, _ error: QueryError?) {
        let (pending, watch) = state.withLock { state in
            (state.pending.removeValue(forKey: number), state.watches.removeValue(forKey: number))
        }
        if let error {
            pending?.continuation.resume(throwing: error)
            watch?.finish(throwing: error)
        } else {
            pending?.continuation.resume()
            watch?.finish()
        }
    }
}
