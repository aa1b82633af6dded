// The shell around a query's scheduler: it talks to workers, keeps time, and hands the result to the client.
//
//   QueryExecution             the scheduler, the result, beginning and end
//   QueryExecution+Attempts    placing an attempt on workers and starting its tasks
//   QueryExecution+Directives  what the scheduler says, carried out

import ClusterMembership
import Columnar
import Diagnostics
import Logging
import QueryPlan
import Synchronization
import Transport
import WireCodec

/// What a query execution needs of the engine.
struct QueryExecutionSetting: Sendable {
    var builder: TaskLayoutBuilder
    /// The workers that the plan was made for.
    var workers: [WorkerHandle]
    var directory: WorkerDirectory
    var room: HoldBackRoom
    var clock: DeadlineClock
    var options: SchedulerOptions
    var logger: Logger
    /// The reading end of a task's output for partition 0, on whatever node it is.
    var openReader: @Sendable (TaskLocation) throws -> any ExchangeReader
}

/// One query while it runs. It ends by itself when the result has been read; `cancel` ends it before.
package final class QueryExecution: Sendable {
    struct State {
        private(set) var scheduler: QuerySchedulerInstance
        private(set) var chronicle = QueryChronicle()
        /// Of the current attempt.
        var layout: TaskLayout
        var workers: [WorkerID: WorkerHandle] = [:]
        var descriptors: [TaskAttemptID: TaskDescriptor] = [:]
        /// Every worker that got tasks, by the attempt: cancels go out after the attempt has ended.
        var told: [Int: [WorkerID: WorkerHandle]] = [:]
        var isOver = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        var background: [Task<Void, Never>] = []
        /// Workers whose task states are being followed.
        var followed: Set<WorkerID> = []
        var listener: Int?
        /// When the timer that is set will ring.
        var armedFor: MonotonicInstant?
        /// Attempts that the shell places, for the task that does it.
        var placements: AsyncStream<QueryExecution.PlacementRequest>.Continuation?

        init(scheduler: QuerySchedulerInstance, layout: TaskLayout) {
            self.scheduler = scheduler
            self.layout = layout
        }

        mutating func handle(_ event: SchedulerEvent, now: MonotonicInstant) -> [SchedulerDirective] {
            let directives = scheduler.handle(event, now: now)
            chronicle.note(event, scheduler, at: QueryEngine.now)
            return directives
        }
    }

    struct PlacementRequest: Sendable {
        var queryAttempt: Int
        var avoiding: [WorkerID]
    }

    package let query: QueryID
    package let schema: Schema
    let setting: QueryExecutionSetting
    /// Whether tasks run in other processes: only then there is anything to lose.
    let isRemote: Bool
    let state: Mutex<State>
    private let stream = Mutex<ResultStream?>(nil)
    private let clockStart = ContinuousClock.now
    private let onEnd: @Sendable (QueryError?, [OperatorMetrics], Int) -> Void

    /// `onEnd` is called once, after everything was told to stop.
    init(
        query: QueryID, schema: Schema, setting: QueryExecutionSetting,
        onEnd: @escaping @Sendable (QueryError?, [OperatorMetrics], _ rowCount: Int) -> Void
    ) throws {
        self.query = query
        self.schema = schema
        self.setting = setting
        self.onEnd = onEnd
        let layout = try setting.builder.build(queryAttempt: 0, workers: setting.workers)
        isRemote = layout.workers.values.contains { $0.local == nil }
        let holdsBack = isRemote && setting.room.queryByteLimit > 0
        let scheduler = QuerySchedulerInstance(
            query: query, isRepeatable: !setting.builder.plan.writes, holdsBack: holdsBack, options: setting.options,
            seed: isRemote ? UInt64.random(in: .min ... .max) : 0)
        state = Mutex(State(scheduler: scheduler, layout: layout))
        let owner = ResultStreamOwner(
            mayRelease: { [weak self] in self?.release($0) ?? false },
            finished: { [weak self] in self?.finishResult($0) ?? false },
            failed: { [weak self] in self?.feed(.resultFailed(queryAttempt: $0, $1)) })
        let result = ResultStream(
            types: schema.types, room: holdsBack && scheduler.isRepeatable ? setting.room : nil, owner: owner)
        stream.withLock { $0 = result }
    }

    /// The rows. To be read by one reader, to the end unless the query is cancelled.
    package var rows: ResultStream {
        guard let stream = stream.withLock({ $0 }) else {
            preconditionFailure("a query has a result stream from the start")
        }
        return stream
    }

    deinit { setting.clock.remove(self) }

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
    var taskStates: [(assignment: TaskAssignment, state: AttemptState)] {
        state.withLock { $0.scheduler.taskStates }
    }
    var progress: (state: QueryState, queryAttempt: Int) {
        state.withLock { ($0.scheduler.state, $0.scheduler.queryAttempt) }
    }

    /// The plan and what has happened so far.
    var course: (plan: PhysicalPlan, chronicle: QueryChronicle) {
        (setting.builder.plan, state.withLock { $0.chronicle })
    }

    /// As `course`, with what the operators of running tasks have done, as far as their workers have told.
    var liveCourse: (plan: PhysicalPlan, chronicle: QueryChronicle) {
        var (chronicle, scheduler, workers) = state.withLock { ($0.chronicle, $0.scheduler, $0.workers) }
        chronicle.takeStates(scheduler)
        for worker in workers.values { if let local = worker.local { chronicle.take(progress: local.progress(query)) } }
        return (setting.builder.plan, chronicle)
    }

    package var metrics: [OperatorMetrics] { state.withLock { $0.scheduler.metrics } }

    // MARK: - Events

    var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: (ContinuousClock.now - clockStart).wholeNanoseconds)
    }

    func feed(_ event: SchedulerEvent) {
        carryOut(state.withLock { $0.handle(event, now: now) })
        if isRemote { armTimer() }
    }

    private func release(_ queryAttempt: Int) -> Bool {
        state.withLock { state in
            guard state.scheduler.isCurrent(queryAttempt) else { return false }
            _ = state.handle(.rowsReleased(queryAttempt: queryAttempt), now: now)
            return true
        }
    }

    private func finishResult(_ queryAttempt: Int) -> Bool {
        let (isCurrent, directives) = state.withLock { state -> (Bool, [SchedulerDirective]) in
            guard state.scheduler.isCurrent(queryAttempt) else { return (false, []) }
            return (true, state.handle(.resultFinished(queryAttempt: queryAttempt), now: now))
        }
        for directive in directives { carryOut(directive) }
        if isRemote { armTimer() }
        return isCurrent
    }

    // MARK: - Time

    func inBackground(on executor: (any TaskExecutor)? = nil, _ body: @escaping @Sendable () async -> Void) {
        let task = Task(executorPreference: executor) { await body() }
        let isOver = state.withLock { state in
            if !state.isOver { state.background.append(task) }
            return state.isOver
        }
        if isOver { task.cancel() }
    }

    /// Sets a timer for the scheduler's deadline unless one rings before it.
    private func armTimer() {
        let due = state.withLock { state -> (at: MonotonicInstant, isOver: Bool)? in
            guard let deadline = state.scheduler.nextDeadline else { return nil }
            if let armed = state.armedFor, armed <= deadline { return nil }
            state.armedFor = deadline
            return (deadline, state.isOver)
        }
        guard let due else { return }
        let time = ContinuousClock.now + max(.milliseconds(1), due.at.since(now))
        if due.isOver {
            // Workers are still told to stop; nobody else keeps the query until then.
            setting.clock.set(self, at: time) { self.ring(due.at) }
        } else {
            setting.clock.set(self, at: time) { [weak self] in self?.ring(due.at) }
        }
    }

    private func ring(_ time: MonotonicInstant) {
        state.withLock { state in
            if state.armedFor == time { state.armedFor = nil }
        }
        feed(.tick(clientWaits: rows.isAsked))
    }

    // MARK: - The end

    func end() {
        let (waiters, background, listener, failure, metrics, placements) = state.withLock { state in
            state.isOver = true
            // Timers of the background end with it; what is still due gets a new one.
            state.armedFor = nil
            defer {
                state.endWaiters = []
                state.background = []
                state.placements = nil
            }
            return (
                state.endWaiters, state.background, state.listener, state.scheduler.failure, state.scheduler.metrics,
                state.placements
            )
        }
        placements?.finish()
        if let listener { setting.directory.removeListener(listener) }
        rows.close()
        for task in background { task.cancel() }
        onEnd(failure, metrics, rows.rowCount)
        for waiter in waiters { waiter.resume() }
    }
}
