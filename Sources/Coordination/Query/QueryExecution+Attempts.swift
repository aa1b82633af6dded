// Placing an attempt of a query on workers, and starting its tasks.

import Diagnostics
import Logging
import Transport
import WireCodec

extension QueryExecution {
    /// Starts all tasks. Those of this process run when it returns; a simple one may be over.
    func start(isSimple: Bool = false) async {
        if isRemote { watchWorkers() }
        // The first attempt was placed by planning; its tasks of this process are started by this thread.
        let layout = state.withLock { $0.layout }
        _ = state.withLock { $0.handle(.start, now: now) }
        let directives = adopt(layout, queryAttempt: 0)
        var others: [SchedulerDirective] = []
        for directive in directives {
            if case .startTask(let assignment) = directive,
                let local = layout.workers[assignment.attempt]?.local
            {
                await startTask(assignment, on: local, isSimple: isSimple)
            } else {
                others.append(directive)
            }
        }
        carryOut(others)
    }

    /// Listens for workers that go, and gets ready to place further attempts.
    private func watchWorkers() {
        let listener = setting.directory.addListener { [weak self] notice in
            switch notice {
            case .lost(let worker): self?.feed(.workerLost(worker))
            case .left(let worker): self?.feed(.workerLeft(worker))
            case .leaves(let worker): self?.feed(.workerLeaves(worker))
            case .blames(let worker, let incarnation, let query):
                if query == self?.query { self?.feed(.blamed(worker, incarnation)) }
            case .returned(let worker): self?.feed(.workerReturned(worker))
            }
        }
        let (requests, continuation) = AsyncStream<PlacementRequest>.makeStream()
        state.withLock { state in
            state.listener = listener
            state.placements = continuation
        }
        // Made here, where the statement's own scope is known: later attempts read what the first one read.
        inBackground { [weak self] in
            for await request in requests { await self?.place(request) }
        }
    }

    /// Chooses workers for another attempt. Waits for one as long as there is none; the scheduler ends that.
    private func place(_ request: PlacementRequest) async {
        while !Task.isCancelled {
            let all = setting.directory.available
            let fit = all.filter { !request.avoiding.contains($0.id) }
            // A worker with a stain is better than none.
            let chosen = Array((fit.isEmpty ? all : fit).prefix(setting.workers.count))
            if !chosen.isEmpty {
                do {
                    let layout = try setting.builder.build(queryAttempt: request.queryAttempt, workers: chosen)
                    let directives = adopt(layout, queryAttempt: request.queryAttempt)
                    carryOut(directives)
                } catch {
                    feed(.placementFailed(queryAttempt: request.queryAttempt, QueryError.wrapping(error)))
                }
                return
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    /// Makes a layout the current one and tells the scheduler.
    private func adopt(_ layout: TaskLayout, queryAttempt: Int) -> [SchedulerDirective] {
        var addresses: [String: WorkerID] = [:]
        if isRemote { for handle in layout.workers.values { addresses[handle.exchange.description] = handle.id } }
        let assignments = layout.descriptors.compactMap { descriptor in
            layout.workers[descriptor.attempt].map { TaskAssignment(attempt: descriptor.attempt, worker: $0.id) }
        }
        var workers: [WorkerID: WorkerHandle] = [:]
        for handle in layout.workers.values { workers[handle.id] = handle }
        let (directives, unfollowed) = state.withLock { state -> ([SchedulerDirective], [WorkerHandle]) in
            guard state.scheduler.queryAttempt == queryAttempt, !state.isOver else { return ([], []) }
            state.layout = layout
            state.workers = workers
            state.told[queryAttempt] = workers
            state.descriptors = Dictionary(
                layout.descriptors.map { ($0.attempt, $0) }, uniquingKeysWith: { first, _ in first })
            let unfollowed = workers.values.filter { $0.local == nil && state.followed.insert($0.id).inserted }
            let placement = QueryPlacement(assignments: assignments, workersByAddress: addresses)
            return (
                state.handle(.placed(queryAttempt: queryAttempt, placement), now: now), Array(unfollowed)
            )
        }
        for handle in unfollowed {
            inBackground(on: handle.connection.executor) { [weak self] in await self?.followStatuses(handle) }
        }
        return directives
    }

    func startTask(_ assignment: TaskAssignment, on local: LocalTasks, isSimple: Bool) async {
        guard let descriptor = state.withLock({ $0.descriptors[assignment.attempt] }) else {
            return feed(.refused(assignment.attempt, .internalError("a task has no descriptor")))
        }
        // This process does not decline: the task counts as running while it is being started.
        feed(.accepted(assignment.attempt))
        do {
            try await local.start(descriptor, isSimple) { [weak self] status in self?.feed(.status(status)) }
        } catch {
            feed(.refused(assignment.attempt, QueryError.wrapping(error)))
        }
    }

    /// Hands all tasks of one remote worker over in one call. If that fails each is offered by itself, so that each gets its
    /// own answer: calls are idempotent.
    func startTasks(_ assignments: [TaskAssignment], on worker: WorkerID) {
        let (handle, descriptors) = state.withLock { state in
            (state.workers[worker], assignments.compactMap { state.descriptors[$0.attempt] })
        }
        guard assignments.count > 1, let connection = handle?.connection, descriptors.count == assignments.count else {
            for assignment in assignments { startTask(assignment) }
            return
        }
        guard
            let tasks = try? descriptors.map({ (attempt: $0.attempt, descriptor: try TaskCodec.encode($0)) })
        else {
            for assignment in assignments { startTask(assignment) }
            return
        }
        inBackground(on: connection.executor) { [weak self] in
            do {
                try await Self.reaching { try await connection.startTasks(tasks) }
                for assignment in assignments { self?.feed(.accepted(assignment.attempt)) }
            } catch {
                for assignment in assignments { self?.startTask(assignment) }
            }
        }
    }

    func startTask(_ assignment: TaskAssignment) {
        let (handle, descriptor) = state.withLock {
            ($0.workers[assignment.worker], $0.descriptors[assignment.attempt])
        }
        if let local = handle?.local {
            return inBackground { [weak self] in await self?.startTask(assignment, on: local, isSimple: false) }
        }
        guard let connection = handle?.connection, let descriptor else {
            return feed(.refused(assignment.attempt, .internalError("a task has no worker")))
        }
        let bytes: [UInt8]
        do {
            bytes = try TaskCodec.encode(descriptor)
        } catch {
            return feed(.refused(assignment.attempt, QueryError.wrapping(error)))
        }
        inBackground(on: connection.executor) { [weak self] in
            do {
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

    /// Takes in the states of the tasks on one worker. A connection that breaks while the worker lives is opened again: the
    /// worker then tells all states anew. Membership decides whether the worker is lost; readers notice on their own.
    ///
    /// To the worker this is the sign that somebody wants its tasks: what nobody follows, it ends by itself.
    private func followStatuses(_ handle: WorkerHandle) async {
        while !Task.isCancelled {
            do {
                for try await status in handle.connection.taskStatuses(query: query) {
                    for wish in status.wishes { grant(wish, to: status.attempt, on: handle) }
                    feed(.status(status))
                }
                break
            } catch {
                setting.logger.info("task states stopped", metadata: ["worker": "\(handle.id)", "error": "\(error)"])
            }
            // A worker that came back is another one, with another connection.
            if state.withLock({ $0.workers[handle.id]?.incarnation != handle.incarnation }) { break }
            do { try await Task.sleep(for: Self.retryPause) } catch { return }
        }
        _ = state.withLock { $0.followed.remove(handle.id) }
    }

    /// Gives a task more splits. A grant that does not arrive is asked for again with the next state that the worker tells.
    private func grant(_ wish: SplitWish, to attempt: TaskAttemptID, on handle: WorkerHandle) {
        let grant = state.withLock { state -> SplitPool.Grant? in
            guard state.scheduler.isCurrent(attempt.queryAttempt) else { return nil }
            return state.layout.pools[attempt.stage]?[wish.node]?.grant(attempt, number: wish.number)
        }
        guard let grant else { return }
        inBackground { [weak self] in
            do {
                let answer = SplitGrant(
                    attempt: attempt, node: wish.node, number: wish.number, splits: try SplitCodec.encode(grant.splits),
                    isLast: grant.isLast)
                try await Self.reaching { try await handle.connection.addSplits(answer) }
            } catch {
                self?.setting.logger.info(
                    "cannot give splits", metadata: ["task": "\(attempt)", "error": "\(error)"])
            }
        }
    }

    /// How often a call that did not reach its worker is repeated, and after which pause. Calls are idempotent.
    private static let retryCount = 5
    private static let retryPause: Duration = .milliseconds(100)

    /// Repeats `call` while the worker cannot be reached: a connection may have to be opened again.
    static func reaching(_ call: () async throws -> Void) async throws {
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
}
