// Tasks on workers, and the exchange between them: frames with numbers and checksums, pulled in windows.

import ClusterMembership
import Coordination
import Diagnostics
import Transport
import WorkerRuntime

extension SimulatedCluster {
    // MARK: - The worker's list of tasks

    func feedTasks(_ worker: SimulatedWorker, _ event: WorkerTasksEvent) {
        for directive in worker.tasks.handle(event, now: kernel.now) {
            switch directive {
            case .stop(let attempt, let reason):
                guard let task = worker.running[attempt] else { break }
                finish(task, on: worker, .cancelled, reason)
                dropOutput(task, worker, reason)
            case .dropOutput(let attempt, let reason):
                if let task = worker.running[attempt] { dropOutput(task, worker, reason) }
            case .tell(let status): tell(worker, status)
            }
        }
        if worker.tasks.runningCount == 0, worker.session.isDraining, isDrained(worker) {
            let life = worker.life
            kernel.after(.milliseconds(1)) { self.feed(worker, life, .workFinished) }
        }
    }

    private func isDrained(_ worker: SimulatedWorker) -> Bool {
        worker.running.values.allSatisfy(\.isRead)
    }

    /// What the worker does about once a second.
    func housekeep(_ worker: SimulatedWorker, _ life: Int) {
        kernel.after(.seconds(1)) {
            guard worker.isAlive, worker.life == life else { return }
            if !worker.isPaused, self.scenario.mutation != .dropsReaper { self.feedTasks(worker, .tick) }
            self.housekeep(worker, life)
        }
    }

    /// Takes a task, as the call's answer says.
    func startTask(_ worker: SimulatedWorker, _ task: SimulatedTask) -> QueryError? {
        switch worker.tasks.admit(task.attempt, workerName: worker.id.text, isLocal: false, now: kernel.now) {
        case .known: return nil
        case .refused(let error): return error
        case .begin: break
        }
        // A stolen start must not revive what the worker's lease no longer covers.
        if !worker.session.holdsLease { violate("I6", "\(worker.id) took \(task.attempt) without a lease") }
        worker.running[task.attempt] = task
        open(task, on: worker)
        return nil
    }

    private func open(_ task: SimulatedTask, on worker: SimulatedWorker) {
        let life = worker.life
        if task.sources.isEmpty { return step(task, worker, life) }
        var open = task.sources.count
        for source in task.sources {
            let reader = SimulatedReader(
                producer: source.attempt, worker: source.worker, partition: task.attempt.partition, node: worker.index,
                onRows: { rows in
                    guard !task.isStopped else { return }
                    let stage = task.attempt.stage.number
                    self.emit(task, worker, rows.map { SimulatedPlan.transformed($0, stage: stage) })
                },
                onEnd: {
                    open -= 1
                    if open == 0 { self.complete(task, worker) }
                },
                onFailure: { error in
                    if !task.hasEnded {
                        self.finish(task, on: worker, .failed, error)
                        self.dropOutput(task, worker, error)
                    }
                })
            task.readers.append(reader)
            read(reader)
        }
    }

    /// The next split of a scan.
    private func step(_ task: SimulatedTask, _ worker: SimulatedWorker, _ life: Int) {
        kernel.after(.milliseconds(task.plan.pieceMilliseconds)) {
            self.onWorker(worker, life) {
                guard !task.isStopped else { return }
                guard task.nextSplit < task.splits.count else { return self.complete(task, worker) }
                if task.splits[task.nextSplit] == task.plan.poisonedSplit { return self.poison(task, worker) }
                self.emit(task, worker, task.plan.rows(split: task.splits[task.nextSplit]))
                task.nextSplit += 1
                self.step(task, worker, life)
            }
        }
    }

    /// The task ends its process, which leaves a note and is started again.
    private func poison(_ task: SimulatedTask, _ worker: SimulatedWorker) {
        fired("poison")
        worker.crashNotes.append(
            WorkerCrash(incarnation: worker.session.description.incarnation, query: task.attempt.query.text))
        queries.first { $0.id == task.attempt.query }?.deaths += 1
        crash(worker)
        kernel.after(.milliseconds(500 + faults.below(3500))) { if !worker.isAlive { self.restart(worker) } }
    }

    private func emit(_ task: SimulatedTask, _ worker: SimulatedWorker, _ rows: [UInt64]) {
        var parts = [[UInt64]](repeating: [], count: task.outputs.count)
        for row in rows { parts[Int(row % UInt64(parts.count))].append(row) }
        for (partition, rows) in parts.enumerated() where !rows.isEmpty {
            task.outputs[partition].frames.append(
                SimulatedFrame(sequence: task.outputs[partition].frames.count, rows: rows))
            wake(task, partition)
        }
    }

    private func complete(_ task: SimulatedTask, _ worker: SimulatedWorker) {
        guard !task.isStopped, !task.hasEnded else { return }
        if task.plan.fails {
            let error = QueryError(.divisionByZero, "division by zero")
            finish(task, on: worker, .failed, error)
            return dropOutput(task, worker, error)
        }
        for partition in task.outputs.indices { task.outputs[partition].isFinished = true }
        finish(task, on: worker, .finished, nil)
        for partition in task.outputs.indices { wake(task, partition) }
    }

    private func finish(
        _ task: SimulatedTask, on worker: SimulatedWorker, _ state: TaskState, _ error: QueryError?
    ) {
        guard !task.hasEnded else { return }
        task.hasEnded = true
        for reader in task.readers { reader.isOver = true }
        feedTasks(
            worker, .ended(task.attempt, TaskStatus(attempt: task.attempt, version: 0, state: state, error: error)))
    }

    private func dropOutput(_ task: SimulatedTask, _ worker: SimulatedWorker, _ reason: QueryError) {
        task.isStopped = true
        for output in task.outputs { for reader in output.readers { fail(reader, reason) } }
        task.outputs = task.outputs.map { _ in SimulatedOutput() }
        if worker.tasks.status(task.attempt) == nil { worker.running[task.attempt] = nil }
    }

    // MARK: - States of tasks

    private func tell(_ worker: SimulatedWorker, _ status: TaskStatus) {
        guard let watchers = worker.watchers[status.attempt.query] else { return }
        for key in watchers.keys.sorted() {
            let watcher = watchers[key]
            if cutOff.contains(worker.index) { continue }
            kernel.after(.milliseconds(1)) { watcher?(status) }
        }
    }

    /// Follows a query's tasks on a worker until `onBreak`, unless nobody wants that any more when the call arrives.
    func watch(
        _ index: Int, _ query: QueryID, _ key: Int, isWanted: @escaping () -> Bool,
        onStatus: @escaping (TaskStatus) -> Void, onBreak: @escaping () -> Void
    ) {
        let worker = workers[index]
        guard worker.isAlive, !cutOff.contains(index) else { return kernel.after(.seconds(1), onBreak) }
        let life = worker.life
        kernel.after(.milliseconds(1)) {
            self.onWorker(worker, life) {
                guard isWanted() else { return }
                worker.watchers[query, default: [:]][key] = onStatus
                self.breaks[WatchKey(worker: index, query: query, key: key)] = onBreak
                self.feedTasks(worker, .watched(query))
                for status in worker.tasks.statuses(of: query) { onStatus(status) }
            }
        }
    }

    func unwatch(_ index: Int, _ query: QueryID, _ key: Int) {
        breaks[WatchKey(worker: index, query: query, key: key)] = nil
        let worker = workers[index]
        guard worker.watchers[query]?.removeValue(forKey: key) != nil else { return }
        if worker.watchers[query]?.isEmpty == true { worker.watchers[query] = nil }
        feedTasks(worker, .unwatched(query))
    }

    /// The connections of those who follow tasks here are reset.
    func breakWatches(_ worker: SimulatedWorker) {
        let all = worker.watchers
        worker.watchers = [:]
        for query in all.keys.sorted(by: { $0.text < $1.text }) {
            for key in (all[query] ?? [:]).keys.sorted() {
                let name = WatchKey(worker: worker.index, query: query, key: key)
                if worker.isAlive { feedTasks(worker, .unwatched(query)) }
                if let onBreak = breaks.removeValue(forKey: name) { kernel.after(.milliseconds(100), onBreak) }
            }
        }
    }

    // MARK: - Exchange

    /// Opens a channel: it is served as the producer's output comes, and fails when the producer's node is gone or silent.
    func read(_ reader: SimulatedReader) {
        let producer = workers[reader.worker]
        reader.life = producer.life
        allReaders.append(reader)
        kernel.after(.milliseconds(1)) {
            guard producer.isAlive else {
                return self.fail(reader, self.unreachable(reader.worker, "refused"))
            }
            self.attach(reader, until: self.kernel.now + .seconds(30))
        }
        watchSilence(reader)
    }

    private func unreachable(_ worker: Int, _ detail: String) -> QueryError {
        QueryError(.exchangeFailed, "lost the connection to w\(worker)", detail: detail, object: "w\(worker):2")
    }

    private func isCut(_ reader: SimulatedReader) -> Bool {
        if reader.node < 0 { return cutOff.contains(reader.worker) }
        return cutPairs.contains([min(reader.node, reader.worker), max(reader.node, reader.worker)])
    }

    /// A reader may come before its producer and waits for it a while.
    private func attach(_ reader: SimulatedReader, until deadline: MonotonicInstant) {
        guard !reader.isOver else { return }
        let worker = workers[reader.worker]
        guard worker.isAlive, worker.life == reader.life else {
            return fail(reader, unreachable(reader.worker, "reset"))
        }
        if let task = worker.running[reader.producer] {
            guard reader.partition < task.outputs.count else {
                return violate("I12", "a partition that does not exist")
            }
            task.outputs[reader.partition].readers.append(reader)
            return serve(task, reader)
        }
        guard kernel.now < deadline else {
            return fail(reader, QueryError(.exchangeFailed, "the task that produces the data did not appear"))
        }
        kernel.after(.milliseconds(250)) { self.attach(reader, until: deadline) }
    }

    private func wake(_ task: SimulatedTask, _ partition: Int) {
        for reader in task.outputs[partition].readers { serve(task, reader) }
    }

    /// Sends the next frame, or the end with its counts. One frame is under way at a time.
    private func serve(_ task: SimulatedTask, _ reader: SimulatedReader) {
        guard !reader.isOver, !reader.isServed else { return }
        let output = task.outputs[reader.partition]
        let sequence = reader.sentSequence
        let worker = workers[reader.worker]
        guard sequence < output.frames.count || output.isFinished else { return }
        reader.isServed = true
        reader.sentSequence += 1
        let life = worker.life
        let connection = reader.connection
        kernel.after(.nanoseconds(network.between(100_000, 2_000_000))) {
            self.onWorker(worker, life) {
                // What was under way over a connection that has broken is lost.
                guard reader.connection == connection else { return }
                reader.isServed = false
                // Into a cut nothing passes; it is sent again when the link is back, unless the reader gave up.
                guard !reader.isOver else { return }
                if self.isCut(reader) {
                    reader.sentSequence = sequence
                    self.kernel.after(.milliseconds(500)) { self.serve(task, reader) }
                    return
                }
                if !self.isCalm, self.network.chance(self.scenario.lostFrames) {
                    reader.isServed = true
                    return self.reconnect(reader)
                }
                if sequence < output.frames.count {
                    self.deliver(output.frames[sequence], to: reader)
                } else {
                    let rows = output.frames.reduce(0) { $0 + $1.rows.count }
                    reader.lastSign = self.kernel.now
                    if rows != reader.rowCount, self.scenario.mutation != .skipsCounts {
                        return self.fail(reader, QueryError(.dataCorrupted, "rows are missing"))
                    }
                    reader.isOver = true
                    task.outputs[reader.partition].isTaken = true
                    reader.onEnd()
                    return
                }
                self.serve(task, reader)
            }
        }
    }

    private func deliver(_ frame: SimulatedFrame, to reader: SimulatedReader) {
        reader.lastSign = kernel.now
        var frame = frame
        if !isCalm, network.chance(scenario.flippedBits) {
            fired("flipped bit")
            frame.rows[network.below(frame.rows.count)] ^= 1 << UInt64(network.below(64))
        }
        if !isCalm, network.chance(scenario.shortenedEnds) {
            fired("dropped frame")
            reader.nextSequence += 1
            return
        }
        if SimulatedFrame.checksum(frame.rows) != frame.checksum, scenario.mutation != .skipsChecksum {
            return fail(reader, QueryError(.dataCorrupted, "the checksum of a frame does not match"))
        }
        if frame.sequence != reader.nextSequence { violate("I12", "frame \(frame.sequence) out of order") }
        reader.nextSequence += 1
        reader.rowCount += frame.rows.count
        reader.onRows(frame.rows)
    }

    func fail(_ reader: SimulatedReader, _ error: QueryError) {
        guard !reader.isOver else { return }
        reader.isOver = true
        let life = reader.node < 0 ? 0 : workers[reader.node].life
        kernel.after(.milliseconds(1)) {
            guard reader.node >= 0 else { return reader.onFailure(error) }
            self.onWorker(self.workers[reader.node], life) { reader.onFailure(error) }
        }
    }

    /// Connections ping each other: ten seconds without a sign end them.
    private func watchSilence(_ reader: SimulatedReader) {
        kernel.after(.seconds(2)) {
            guard !reader.isOver else { return }
            let worker = self.workers[reader.worker]
            if !self.isCut(reader), worker.isAlive, !worker.isPaused { reader.lastSign = self.kernel.now }
            if self.kernel.now.since(reader.lastSign ?? .zero) > .seconds(10), reader.lastSign != nil {
                return self.fail(reader, self.unreachable(reader.worker, "silent"))
            }
            if reader.lastSign == nil { reader.lastSign = self.kernel.now }
            self.watchSilence(reader)
        }
    }

    /// All connections of a worker's exchange are reset. Between processes that live the channels go on over new ones.
    func resetExchange(_ worker: SimulatedWorker) {
        allReaders.removeAll(where: \.isOver)
        for reader in allReaders where reader.worker == worker.index || reader.node == worker.index {
            let producer = workers[reader.worker]
            let hasBoth =
                producer.isAlive && producer.life == reader.life && (reader.node < 0 || workers[reader.node].isAlive)
            if hasBoth { reconnect(reader) } else { fail(reader, unreachable(reader.worker, "reset")) }
        }
        allReaders.removeAll(where: \.isOver)
    }

    /// The reader says over another connection which frame it wants next.
    private func reconnect(_ reader: SimulatedReader) {
        if reader.isServed { fired("lost frame") }
        reader.connection += 1
        reader.isServed = false
        if scenario.mutation == .resumesBehindLostFrames {
            // As if what was sent had come.
        } else if scenario.mutation == .resendsTakenFrames {
            reader.sentSequence = 0
        } else {
            reader.sentSequence = reader.nextSequence
        }
        let connection = reader.connection
        kernel.after(.milliseconds(1 + network.below(20))) {
            guard !reader.isOver, reader.connection == connection else { return }
            let worker = self.workers[reader.worker]
            guard worker.isAlive, worker.life == reader.life else {
                return self.fail(reader, self.unreachable(reader.worker, "refused"))
            }
            // A reader that came before its producer still waits for it.
            if let task = worker.running[reader.producer] { self.serve(task, reader) }
        }
    }
}

extension SimulatedTask {
    /// Whether every partition was taken to its end.
    var isRead: Bool { !hasEnded || outputs.allSatisfy { $0.isTaken || !$0.isFinished } }
}

struct WatchKey: Hashable {
    var worker: Int
    var query: QueryID
    var key: Int
}
