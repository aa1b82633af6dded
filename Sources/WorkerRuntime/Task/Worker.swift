// A worker: takes task attempts, runs them, keeps their output and says how they are.

import ClusterMembership
import Columnar
import Diagnostics
import Logging
import PhysicalOps
import PluginHost
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Transport
import WireCodec

/// What a worker is made of and how much it may use.
package struct WorkerOptions: Sendable {
    package var threads: Int
    package var memoryByteLimit: Int
    /// Bytes of unread output of one task beyond which its drivers wait.
    package var outputBufferByteLimit: Int
    /// Where operators write what they may not keep in memory; `nil`: nowhere.
    package var spillDirectory: String?
    package var tasks = WorkerTasksOptions()
    package init(
        threads: Int, memoryByteLimit: Int, outputBufferByteLimit: Int = 32 << 20, spillDirectory: String? = nil
    ) {
        self.spillDirectory = spillDirectory
        self.threads = threads
        self.memoryByteLimit = memoryByteLimit
        self.outputBufferByteLimit = outputBufferByteLimit
    }
}

/// Runs tasks on this node. The pool's threads are the only ones that run operators.
package final class Worker: WorkerService, Sendable {
    /// The running parts of an attempt; what it is to the cluster is the instance's to know.
    private struct TaskParts {
        var execution: TaskExecution?
        var buffer: OutputBuffer
        /// Scans that get more splits, by their node.
        var lateSplits: [Int: LateSplits] = [:]
        /// For a task that was started by this process: who is told of its end.
        var onEnd: (@Sendable (TaskStatus) -> Void)?
        /// The turns of its drivers when its progress was last told.
        var turnCount = 0
    }

    private struct State {
        var tasks: WorkerTasksInstance
        var parts: [TaskAttemptID: TaskParts] = [:]
        var subscribers: [QueryID: [Int: AsyncThrowingStream<TaskStatus, any Error>.Continuation]] = [:]
        var nextSubscriber = 0
        var queryPools: [QueryID: (pool: MemoryPool, tasks: Int)] = [:]
    }

    package let id: WorkerID
    package let outputs = OutputRegistry()
    package let memory: MemoryPool
    private let arbiter: MemoryArbiter
    private let options: WorkerOptions
    private let pool: DriverPool
    private let registry: FunctionRegistry
    private let catalogs: WorkerCatalogs
    /// Exchange transports by name, for output of other nodes.
    private let transports: [String: any ExchangeTransport]
    private let fileWriters: any FileWriterFactory
    private let logger: Logger
    private let state: Mutex<State>
    private let clockStart = ContinuousClock.now

    package init(
        id: WorkerID, options: WorkerOptions, registry: FunctionRegistry, catalogs: WorkerCatalogs,
        transports: [String: any ExchangeTransport], fileWriters: any FileWriterFactory, logger: Logger
    ) {
        self.id = id
        self.options = options
        self.registry = registry
        self.catalogs = catalogs
        self.transports = transports
        self.fileWriters = fileWriters
        self.logger = logger
        state = Mutex(State(tasks: WorkerTasksInstance(options: options.tasks)))
        arbiter = MemoryArbiter(name: "worker \(id)", limit: options.memoryByteLimit)
        memory = MemoryPool(name: "worker \(id)", limit: options.memoryByteLimit, arbitration: arbiter)
        pool = DriverPool(threadCount: options.threads)
        arbiter.connect(
            memory, wake: { [weak self] query in self?.executions(of: query).forEach { $0.wakeDrivers() } },
            end: { [weak self] query, error in self?.end(query, error) })
    }

    private func executions(of query: QueryID) -> [TaskExecution] {
        state.withLock { $0.parts.filter { $0.key.query == query }.compactMap(\.value.execution) }
    }

    /// Others need the query's memory.
    private func end(_ query: QueryID, _ error: QueryError) {
        logger.warning("a query is ended for its memory", metadata: ["query": "\(query)", "error": "\(error)"])
        for execution in executions(of: query) { execution.cancel(error) }
    }

    // MARK: - Tasks

    package func startTask(_ attempt: TaskAttemptID, descriptor bytes: [UInt8]) async throws {
        let descriptor = try TaskCodec.decode(bytes)
        guard descriptor.attempt == attempt else {
            throw QueryError(.protocolViolation, "the descriptor is for another task")
        }
        try await startTask(descriptor)
    }

    /// As `startTask(_:descriptor:)`, for the worker's own process: `onEnd` is told of the task's last state, and the calling
    /// thread runs a simple task for a moment.
    package func startTask(
        _ descriptor: TaskDescriptor, isSimple: Bool = false, onEnd: (@Sendable (TaskStatus) -> Void)? = nil
    ) async throws {
        let attempt = descriptor.attempt
        // Readers of a shared stage take its rows at different times: what one of them has not asked for yet must not stop
        // the producer, or the readers would wait for each other. It goes to disk.
        let isShared = descriptor.stage.output == .copies
        let spill = options.spillDirectory.map { TaskSpill(directory: $0) }
        let buffer = OutputBuffer(
            partitionCount: descriptor.outputPartitionCount, hintCount: descriptor.publishedHintCount,
            byteLimit: options.outputBufferByteLimit, memory: isShared ? memory : nil, spill: spill)
        guard try admit(attempt, buffer: buffer, onEnd: onEnd) else { return }
        outputs.add(buffer, for: attempt)
        do {
            let lateSplits = makeLateSplits(descriptor)
            let environment = try await makeEnvironment(
                descriptor, lateSplits: lateSplits, output: buffer, spill: spill)
            let execution = TaskExecution(
                root: descriptor.stage.root, partitioning: descriptor.stage.output, output: buffer,
                environment: environment, pool: pool, crashSubject: attempt.query.text)
            let isCancelled = state.withLock { state in
                state.parts[attempt]?.execution = execution
                state.parts[attempt]?.lateSplits = lateSplits
                return state.tasks.isReleased(attempt)
            }
            let fund = environment.fund
            execution.start(helpNanoseconds: isSimple ? Self.helpNanoseconds : 0) { [weak self] result in
                fund.close()
                self?.finish(attempt, result)
            }
            if isCancelled { execution.cancel(Self.cancelled) }
        } catch {
            let wrapped = QueryError.wrapping(error)
            buffer.fail(wrapped)
            finish(attempt, .failure(wrapped))
            throw wrapped
        }
    }

    /// How long a thread that serves clients may run operators.
    private static let helpNanoseconds: UInt64 = 500_000
    private static let cancelled = WorkerTasksInstance.cancelled

    private var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: (ContinuousClock.now - clockStart).wholeNanoseconds)
    }

    /// Notes a new attempt. `false`: it is known already, nothing is to do (a repeated request).
    private func admit(
        _ attempt: TaskAttemptID, buffer: OutputBuffer, onEnd: (@Sendable (TaskStatus) -> Void)?
    ) throws -> Bool {
        try state.withLock { state in
            switch state.tasks.admit(attempt, workerName: id.text, isLocal: onEnd != nil, now: now) {
            case .begin:
                state.parts[attempt] = TaskParts(execution: nil, buffer: buffer, onEnd: onEnd)
                return true
            case .known: return false
            case .refused(let error): throw error
            }
        }
    }

    private func makeLateSplits(_ descriptor: TaskDescriptor) -> [Int: LateSplits] {
        let attempt = descriptor.attempt
        var result: [Int: LateSplits] = [:]
        for node in descriptor.lateScans {
            result[node] = LateSplits(descriptor.splits[node] ?? [], lowWater: options.threads) { [weak self] number in
                self?.feed(.wishes(attempt, SplitWish(node: node, number: number)))
            }
        }
        return result
    }

    package func addSplits(_ grant: SplitGrant) async throws {
        guard let late = state.withLock({ $0.parts[grant.attempt]?.lateSplits[grant.node] }) else { return }
        let splits = try SplitCodec.decode(grant.splits)
        // Before the scan may wish again.
        feed(.granted(grant.attempt, SplitWish(node: grant.node, number: grant.number)))
        _ = late.take(splits, number: grant.number, isLast: grant.isLast)
    }

    private func makeEnvironment(
        _ descriptor: TaskDescriptor, lateSplits: [Int: LateSplits], output: OutputBuffer, spill: TaskSpill?
    ) async throws -> WorkerTaskEnvironment {
        var backends: [String: any StorageBackend] = [:]
        for catalog in descriptor.catalogs { backends[catalog.name] = try catalogs.backend(catalog) }
        func provider(_ name: TableName) async throws -> any TableProvider {
            guard let backend = backends[name.catalog],
                let table = try await backend.table(schema: name.schema, name: name.table)
            else {
                throw QueryError(.undefinedTable, "relation \"\(name.schema).\(name.table)\" does not exist")
            }
            return table
        }
        var tables: [TableName: any TableProvider] = [:]
        for (_, scan) in descriptor.stage.scans where tables[scan.table] == nil {
            tables[scan.table] = try await provider(scan.table)
        }
        var writers: [WriteTarget: any TableWriter] = [:]
        for target in descriptor.stage.root.writeTargets {
            switch target {
            case .insert(let table): writers[target] = try await provider(table).makeWriter()
            case .file: writers[target] = try fileWriters.makeWriter(target)
            }
        }
        let queryPool = enterQuery(descriptor)
        let channels = descriptor.sources.values.joined().count { $0.worker != id }
        let fund = ExchangeFund(pool: queryPool, channelCount: channels)
        return WorkerTaskEnvironment(
            descriptor: descriptor, lateSplits: lateSplits, output: output, tables: tables,
            writers: PreparedWriters(writers),
            catalogFacts: catalogs.catalogFacts(of: descriptor.attempt.query), registry: registry,
            memory: queryPool, fund: fund, threads: options.threads,
            spillStore: spill
        ) { [weak self] location, partition in
            guard let self else { throw Self.cancelled }
            return try self.openReader(location, partition: partition, fund: fund)
        }
    }

    /// The reading end of a task's output, here or on another node, for who is no task: the worker itself pays for it.
    package func openReader(_ location: TaskLocation, partition: Int) throws -> any ExchangeReader {
        try openReader(location, partition: partition, fund: ExchangeFund(pool: memory, channelCount: 1))
    }

    private func openReader(
        _ location: TaskLocation, partition: Int, fund: ExchangeFund
    ) throws -> any ExchangeReader {
        let channel = ExchangeChannel(producer: location.attempt, partition: partition)
        if location.worker == id { return outputs.openLocalReader(channel) }
        guard let transport = transports[location.transport] else {
            throw QueryError(
                .exchangeFailed, "this node has no exchange transport \"\(location.transport)\"",
                hint: "Transports here: \(transports.keys.sorted().joined(separator: ", ")).")
        }
        return transport.openReader(channel, at: location.endpoint, fund: fund)
    }

    /// All tasks of a query on this worker share one budget.
    private func enterQuery(_ descriptor: TaskDescriptor) -> MemoryPool {
        state.withLock { state in
            let query = descriptor.attempt.query
            if let entry = state.queryPools[query] {
                state.queryPools[query] = (entry.pool, entry.tasks + 1)
                return entry.pool
            }
            let pool = MemoryPool(name: "the query", limit: descriptor.memoryByteLimit, parent: memory)
            state.queryPools[query] = (pool, 1)
            arbiter.add(query, pool)
            return pool
        }
    }

    private func leaveQuery(_ query: QueryID) {
        state.withLock { state in
            guard let entry = state.queryPools[query] else { return }
            state.queryPools[query] = entry.tasks > 1 ? (entry.pool, entry.tasks - 1) : nil
            if entry.tasks == 1 { arbiter.remove(query) }
        }
    }

    private func finish(_ attempt: TaskAttemptID, _ result: Result<[PhysicalOps.OperatorMetrics], QueryError>) {
        leaveQuery(attempt.query)
        var status = TaskStatus(attempt: attempt, version: 0, state: .finished)
        switch result {
        case .success(let metrics): status.metrics = metrics.map(Transport.OperatorMetrics.init)
        case .failure(let error):
            // A store that cancels a statement of its own, for its time limit, makes the task fail.
            let isReleased = state.withLock { $0.tasks.isReleased(attempt) }
            status.state = error.state == .queryCanceled && isReleased ? .cancelled : .failed
            status.error = error
        }
        let onEnd = state.withLock { state in
            defer { state.parts[attempt]?.execution = nil }
            return state.parts[attempt]?.onEnd
        }
        feed(.ended(attempt, status), onEnd: onEnd)
    }

    package func cancelTasks(_ attempts: [TaskAttemptID]) async { releaseTasks(attempts) }
    package func releaseTasks(_ attempts: [TaskAttemptID]) { feed(.release(attempts, reason: Self.cancelled)) }

    private func feed(_ event: WorkerTasksEvent, onEnd: (@Sendable (TaskStatus) -> Void)? = nil) {
        let directives = state.withLock { $0.tasks.handle(event, now: now) }
        for directive in directives {
            switch directive {
            case .stop(let attempt, let reason):
                let execution = state.withLock { $0.parts[attempt]?.execution }
                execution?.cancel(reason)
                outputs.release(attempt, reason: reason)
                dropPartsIfForgotten(attempt)
            case .dropOutput(let attempt, let reason):
                outputs.release(attempt, reason: reason)
                dropPartsIfForgotten(attempt)
            case .tell(let status):
                tell(status)
                onEnd?(status)
                dropPartsIfForgotten(status.attempt)
            }
        }
    }

    private func dropPartsIfForgotten(_ attempt: TaskAttemptID) {
        _ = state.withLock { state in
            state.tasks.status(attempt) == nil ? state.parts.removeValue(forKey: attempt) : nil
        }
    }

    private func tell(_ status: TaskStatus) {
        if status.state == .failed {
            logger.info(
                "task failed", metadata: ["task": "\(status.attempt)", "error": "\(status.error?.message ?? "")"])
        }
        let subscribers = state.withLock { Array(($0.subscribers[status.attempt.query] ?? [:]).values) }
        for subscriber in subscribers { subscriber.yield(status) }
    }

    // MARK: - States

    package func taskStatuses(query: QueryID) -> AsyncThrowingStream<TaskStatus, any Error> {
        let (stream, continuation) = AsyncThrowingStream<TaskStatus, any Error>.makeStream()
        let (number, known) = state.withLock { state in
            state.nextSubscriber += 1
            state.subscribers[query, default: [:]][state.nextSubscriber] = continuation
            _ = state.tasks.handle(.watched(query), now: now)
            return (state.nextSubscriber, state.tasks.statuses(of: query))
        }
        continuation.onTermination = { [weak self] _ in
            guard let self else { return }
            self.state.withLock { state in
                guard state.subscribers[query]?.removeValue(forKey: number) != nil else { return }
                if state.subscribers[query]?.isEmpty == true { state.subscribers[query] = nil }
                _ = state.tasks.handle(.unwatched(query), now: self.now)
            }
        }
        for status in known { continuation.yield(status) }
        return stream
    }

    package func runsTasks(of query: QueryID) -> Bool { state.withLock { $0.tasks.runsTasks(of: query) } }

    /// What the worker tells of itself with every heartbeat.
    package var load: HeartbeatLoad {
        let usage = ProcessUsage.current
        return HeartbeatLoad(
            runningTasks: runningTaskCount,
            memoryFreeBytes: Int64(max(0, options.memoryByteLimit - memory.reservedByteCount)),
            processorNanoseconds: usage.processorNanoseconds, residentBytes: usage.residentBytes,
            meters: ProcessMeters.reading)
    }

    /// States of a query's running tasks with what their operators have done so far.
    package func progress(of query: QueryID) -> [TaskStatus] {
        let running = state.withLock { state in
            state.parts.compactMap { attempt, parts in
                attempt.query == query ? parts.execution.map { (attempt, $0) } : nil
            }
        }
        return running.map { attempt, execution in
            TaskStatus(
                attempt: attempt, version: 0, state: .running,
                metrics: execution.metricsSoFar.map(Transport.OperatorMetrics.init))
        }
    }

    package var runningTaskCount: Int { state.withLock { $0.tasks.runningCount } }
    /// Attempts that are known here, ended ones with output included.
    package var heldTaskCount: Int { state.withLock { $0.tasks.heldCount } }
    /// Whether no task runs and no output waits to be fetched.
    package var isIdle: Bool {
        state.withLock { state in
            state.tasks.runningCount == 0 && state.parts.values.allSatisfy(\.buffer.isDrained)
        }
    }

    // MARK: - Life

    /// From now on new tasks are refused.
    package func stopAccepting() { feed(.accepts(false)) }
    package func resumeAccepting() { feed(.accepts(true)) }

    /// Ends every task and drops all output.
    package func abandonAll(_ reason: QueryError) { feed(.abandon(reason)) }

    /// Runs until cancelled: wakes readers whose producers never came, ends tasks that nobody wants, tells of progress.
    package func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            outputs.wakeWaitingReaders()
            feed(.tick)
            tellProgress()
        }
    }

    /// Tells those who follow which tasks have moved since the last time, and what their operators have done.
    private func tellProgress() {
        // A driver that waits for a lock or a time is where it should be.
        let isWaiting = pool.hasWaitingDrivers
        let moved = state.withLock { state -> [(status: TaskStatus, execution: TaskExecution)] in
            var moved: [(TaskStatus, TaskExecution)] = []
            for (attempt, parts) in state.parts {
                guard let execution = parts.execution, state.subscribers[attempt.query] != nil else { continue }
                let (turns, isRunning) = execution.turns
                guard isRunning || isWaiting || turns != parts.turnCount else { continue }
                state.parts[attempt]?.turnCount = turns
                if let status = state.tasks.progressed(attempt) { moved.append((status, execution)) }
            }
            return moved
        }
        for (status, execution) in moved {
            var status = status
            status.metrics = execution.metricsSoFar.map(Transport.OperatorMetrics.init)
            tell(status)
        }
    }

    package func shutdown() {
        stopAccepting()
        abandonAll(QueryError(.adminShutdown, "the worker is shutting down"))
        pool.shutdown()
    }
}

/// Makes writers for COPY … TO files.
package protocol FileWriterFactory: Sendable {
    func makeWriter(_ target: WriteTarget) throws -> any TableWriter
}

extension Transport.OperatorMetrics {
    fileprivate init(_ metrics: PhysicalOps.OperatorMetrics) {
        self.init(
            node: metrics.node, rowsIn: metrics.rowsIn, rowsOut: metrics.rowsOut,
            nanoseconds: Int(metrics.nanoseconds), bytesRead: metrics.bytes, memoryBytesPeak: metrics.memoryPeak,
            spilledBytes: metrics.spilledBytes)
    }
}

extension PhysicalNode {
    /// The targets that this node and those below it write to.
    fileprivate var writeTargets: [WriteTarget] {
        var result: [WriteTarget] = []
        if case .write(let node) = kind { result.append(node.target) }
        return result + inputs.flatMap(\.writeTargets)
    }
}
