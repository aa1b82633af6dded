// The shell around a query's scheduler: it talks to workers, keeps time, and hands the result to the client.

import Columnar
import Diagnostics
import Logging
import QueryPlan
import Synchronization
import Transport
import WireCodec

/// One query while it runs. It ends by itself when the result has been read; `cancel` ends it before.
package final class QueryExecution: Sendable {
    private struct State {
        var scheduler: StageSchedulerInstance
        var isOver = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        var background: [Task<Void, Never>] = []
        var lossListener: Int?
    }

    package let query: QueryID
    package let schema: Schema
    private let layout: TaskLayout
    private let workers: [WorkerID: WorkerHandle]
    private let descriptors: [TaskAttemptID: TaskDescriptor]
    private let directory: WorkerDirectory
    private let logger: Logger
    private let state: Mutex<State>
    private let stream = Mutex<ResultStream?>(nil)
    private let clockStart = ContinuousClock.now
    private let onEnd: @Sendable (QueryError?, [OperatorMetrics], Int) -> Void

    /// `openReader` gives the reading end of the result; `onEnd` is called once, after everything was told to stop.
    init(
        query: QueryID, schema: Schema, layout: TaskLayout, directory: WorkerDirectory, logger: Logger,
        openReader: (TaskLocation) throws -> any ExchangeReader,
        onEnd: @escaping @Sendable (QueryError?, [OperatorMetrics], _ rowCount: Int) -> Void
    ) throws {
        self.query = query
        self.schema = schema
        self.layout = layout
        self.directory = directory
        self.logger = logger
        self.onEnd = onEnd
        var workers: [WorkerID: WorkerHandle] = [:]
        for handle in layout.workers.values { workers[handle.id] = handle }
        self.workers = workers
        descriptors = Dictionary(uniqueKeysWithValues: layout.descriptors.map { ($0.attempt, $0) })
        let assignments = layout.descriptors.compactMap { descriptor in
            layout.workers[descriptor.attempt].map { TaskAssignment(attempt: descriptor.attempt, worker: $0.id) }
        }
        state = Mutex(State(scheduler: StageSchedulerInstance(assignments: assignments)))
        let reader = try openReader(layout.result)
        let result = ResultStream(reader: reader, types: schema.types) { [weak self] error in
            guard let self else { return }
            self.feed(error.map { .resultFailed($0) } ?? .resultFinished)
        }
        stream.withLock { $0 = result }
    }

    /// The rows. To be read by one reader, to the end unless the query is cancelled.
    package var rows: ResultStream {
        guard let stream = stream.withLock({ $0 }) else {
            preconditionFailure("a query has a result stream from the start")
        }
        return stream
    }

    /// Starts all tasks. Those of this process run when it returns; a simple one may be over.
    func start(isSimple: Bool = false) async {
        let remote = workers.values.filter { $0.local == nil }
        if !remote.isEmpty {
            let listener = directory.addLossListener { [weak self] worker in self?.feed(.workerLost(worker)) }
            state.withLock { $0.lossListener = listener }
        }
        for handle in remote { inBackground { [weak self] in await self?.followStatuses(handle) } }
        for directive in state.withLock({ $0.scheduler.handle(.start, now: now) }) {
            if case .startTask(let assignment) = directive, let local = workers[assignment.worker]?.local {
                await startTask(assignment, on: local, isSimple: isSimple)
            } else {
                carryOut(directive)
            }
        }
        if !remote.isEmpty { armTimer() }
    }

    private func startTask(_ assignment: TaskAssignment, on local: LocalTasks, isSimple: Bool) async {
        guard let descriptor = descriptors[assignment.attempt] else {
            return feed(.refused(assignment.attempt, .internalError("a task has no descriptor")))
        }
        do {
            try await local.start(descriptor, isSimple) { [weak self] status in self?.feed(.status(status)) }
            feed(.accepted(assignment.attempt))
        } catch {
            feed(.refused(assignment.attempt, QueryError.wrapping(error)))
        }
    }

    /// Takes in the states of the tasks on one worker. A connection that breaks while the worker lives is opened again: the
    /// worker then tells all states anew. Membership decides whether the worker is lost; readers notice on their own.
    private func followStatuses(_ handle: WorkerHandle) async {
        while !Task.isCancelled {
            do {
                for try await status in handle.connection.taskStatuses(query: query) { feed(.status(status)) }
                return
            } catch {
                logger.info("task states stopped", metadata: ["worker": "\(handle.id)", "error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.retryPause) } catch { return }
        }
    }

    /// How often a call that did not reach its worker is repeated, and after which pause. Calls are idempotent.
    private static let retryCount = 5
    private static let retryPause: Duration = .milliseconds(100)

    /// Repeats `call` while the worker cannot be reached: a connection may have to be opened again.
    private static func reaching(_ call: () async throws -> Void) async throws {
        var attempt = 0
        while true {
            do {
                return try await call()
            } catch let error as QueryError where error.state == .workerLost && attempt < retryCount {
                attempt += 1
                try await Task.sleep(for: retryPause)
            }
        }
    }

    package func cancel(_ error: QueryError = QueryError(.queryCanceled, "canceling statement due to user request")) {
        feed(.cancel(error))
    }

    /// Waits until everything was told to stop.
    package func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.endWaiters.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    /// Where every task runs and how far it is.
    var taskStates: [(assignment: TaskAssignment, state: TaskState)] { state.withLock { $0.scheduler.taskStates } }

    package var metrics: [OperatorMetrics] { state.withLock { $0.scheduler.metrics } }

    private var now: Int64 {
        let elapsed = (ContinuousClock.now - clockStart).components
        return elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000
    }

    private func inBackground(_ body: @escaping @Sendable () async -> Void) {
        let task = Task { await body() }
        let isOver = state.withLock { state in
            if !state.isOver { state.background.append(task) }
            return state.isOver
        }
        if isOver { task.cancel() }
    }

    private func armTimer() {
        guard let deadline = state.withLock({ $0.scheduler.nextDeadline }) else { return }
        inBackground { [weak self] in
            guard let self else { return }
            do { try await Task.sleep(for: .nanoseconds(max(1_000_000, deadline - self.now))) } catch { return }
            self.feed(.tick)
        }
    }

    private func feed(_ event: SchedulerEvent) {
        let directives = state.withLock { $0.scheduler.handle(event, now: now) }
        for directive in directives { carryOut(directive) }
        if case .resultFinished = event { armTimer() }
    }

    private func carryOut(_ directive: SchedulerDirective) {
        switch directive {
        case .startTask(let assignment): startTask(assignment)
        case .cancelTasks(let worker, let attempts):
            if let local = workers[worker]?.local { return local.release(attempts) }
            guard let connection = workers[worker]?.connection else { return }
            // Not in the background list: it must go out although the query is over.
            Task { [logger] in
                do {
                    try await Self.reaching { try await connection.cancelTasks(attempts) }
                } catch {
                    logger.info("cannot cancel tasks", metadata: ["worker": "\(worker)", "error": "\(error)"])
                }
            }
        case .fail(let error): rows.fail(error)
        case .finished: end()
        }
    }

    private func startTask(_ assignment: TaskAssignment) {
        guard let connection = workers[assignment.worker]?.connection, let descriptor = descriptors[assignment.attempt]
        else {
            return feed(.refused(assignment.attempt, .internalError("a task has no worker")))
        }
        inBackground { [weak self] in
            do {
                let bytes = try TaskCodec.encode(descriptor)
                try await Self.reaching { try await connection.startTask(assignment.attempt, descriptor: bytes) }
                self?.feed(.accepted(assignment.attempt))
            } catch let error as QueryError {
                self?.feed(.refused(assignment.attempt, error))
            } catch {
                let lost = QueryError(
                    .workerLost, "worker \"\(assignment.worker)\" cannot be reached", cause: error)
                self?.feed(.refused(assignment.attempt, lost))
            }
        }
    }

    private func end() {
        let (waiters, background, listener, failure, metrics) = state.withLock { state in
            state.isOver = true
            defer {
                state.endWaiters = []
                state.background = []
            }
            return (
                state.endWaiters, state.background, state.lossListener, state.scheduler.failure, state.scheduler.metrics
            )
        }
        if let listener { directory.removeLossListener(listener) }
        rows.close()
        for task in background { task.cancel() }
        onEnd(failure, metrics, rows.rowCount)
        for waiter in waiters { waiter.resume() }
    }
}
