// Runs one task: its pipelines in the order of their dependencies, on the threads of a pool.

import Columnar
import Diagnostics
import QueryPlan
import Synchronization

/// The tasks of one finalisation phase of a sink. Thread-safe.
final class FinalizeWork: Sendable {
    let sink: Int
    let phase: Int
    private let tasks: [FinalizeTask]
    private let cursor = Atomic<Int>(0)
    private let nanoseconds = Atomic<UInt64>(0)
    /// Drivers that have not finished; guarded by the execution's lock through `driverLeft`.
    private let remaining: Atomic<Int>

    init(sink: Int, phase: Int, tasks: [FinalizeTask], drivers: Int) {
        self.sink = sink
        self.phase = phase
        self.tasks = tasks
        remaining = Atomic(drivers)
    }

    func take() -> FinalizeTask? {
        let index = cursor.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < tasks.count ? tasks[index] : nil
    }
    func addTime(_ time: UInt64) { nanoseconds.wrappingAdd(time, ordering: .relaxed) }
    var time: UInt64 { nanoseconds.load(ordering: .relaxed) }
    /// Returns whether it was the last.
    func driverLeft() -> Bool { remaining.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}

/// One run of one task. `start` once, `cancel` any time; `completion` is called exactly once, when no driver runs any
/// more, all memory is given back, sources are closed and the output has got `fail`, if anything failed. `finish` comes
/// after it: who reads the end of the rows may count on the completion.
///
/// Everything mutable is guarded by `lock`; drivers, factories and the output are called outside of it.
package final class TaskExecution: @unchecked Sendable {
    package typealias Completion = @Sendable (Result<[OperatorMetrics], QueryError>) -> Void

    let task: TaskContext
    let group: DriverGroup
    private let root: PhysicalNode
    private let partitioning: OutputPartitioning
    private let output: any TaskOutput

    private let lock = Mutex(())
    private var completion: Completion?
    private var hasStarted = false
    private var pipelines: [Pipeline] = []
    private var sinks: [SinkGroup] = []
    private var active: [ObjectIdentifier: Driver] = [:]
    /// Threads that are between two drivers, finalising a sink.
    private var busyThreads = 0
    private var isComplete = false
    private var hasEnded = false
    /// Of drivers that have ended.
    private var metrics: [Int: OperatorMetrics] = [:]
    /// What drivers that go on had done when they last told.
    private var toldMetrics: [ObjectIdentifier: [OperatorMetrics]] = [:]
    /// Until then threads that start drivers run them themselves.
    private var helpDeadline: UInt64 = 0

    /// `partitioning` says how the rows of `root` are spread over the output's partitions.
    package init(
        root: PhysicalNode, partitioning: OutputPartitioning = .single, output: any TaskOutput,
        environment: any TaskEnvironment, pool: DriverPool
    ) {
        self.root = root
        self.partitioning = partitioning
        self.output = output
        task = TaskContext(environment: environment, pool: pool, keeperCount: root.keeperCount)
        group = DriverGroup(pool: pool)
    }

    /// Compiles the tree and starts its first pipelines. `completion` may be called before this returns, if the tree
    /// cannot be compiled; otherwise it comes from a driver thread or from the thread that cancels. It must not block.
    ///
    /// The calling thread runs the task for `helpNanoseconds` before it leaves it to the pool: waking a thread costs more
    /// than a task of a few rows.
    package func start(helpNanoseconds: UInt64 = 0, completion: @escaping Completion) {
        lock.withLock { _ in
            self.completion = completion
            if helpNanoseconds > 0 { helpDeadline = monotonicNanoseconds() &+ helpNanoseconds }
            hasStarted = true
            busyThreads += 1
        }
        do {
            try task.checkCancellation()
            let builder = PipelineBuilder(task: task)
            // What was made before an error has to be released too.
            defer {
                lock.withLock { _ in
                    pipelines = builder.pipelines
                    sinks = builder.sinks
                }
            }
            collectNames(root)
            let open = try builder.compile(root)
            _ = builder.close(open, with: OutputSinkFactory(output: output, partitioning: partitioning))
        } catch {
            fail(QueryError.wrapping(error))
        }
        startReadyPipelines()
        leave()
    }

    /// Ends the task with `error`, unless it has ended already.
    package func cancel(_ error: QueryError) { fail(error) }

    /// How many turns its drivers have had, and whether one has its turn now: what changes while the task moves.
    package var turns: (count: Int, isRunning: Bool) { group.turns }

    /// What the operators have done so far, by node; complete only in `completion`.
    package var metricsSoFar: [OperatorMetrics] {
        lock.withLock { _ in
            var sums = metrics
            for told in toldMetrics.values {
                for counters in told { sums[counters.node]?.add(counters) }
            }
            return sums.values.sorted { $0.node < $1.node }
        }
    }

    /// A driver's turn has ended and it goes on later.
    func driverPaused(_ driver: PipelineDriver) {
        lock.withLock { _ in toldMetrics[ObjectIdentifier(driver)] = driver.context?.counters.map(\.metrics) }
    }

    // MARK: Running

    private func collectNames(_ node: PhysicalNode) {
        lock.withLock { _ in metrics[node.id] = OperatorMetrics(node: node.id, name: node.kind.operatorName) }
        for input in node.inputs { collectNames(input) }
    }

    private func startReadyPipelines() {
        var started: [Driver] = []
        var readySinks: [SinkGroup] = []
        lock.withLock { _ in
            if hasEnded || task.isCancelled { return }
            // In the order of their making: an empty pipeline opens the gates of later ones only.
            for pipeline in pipelines where !pipeline.hasStarted {
                guard pipeline.dependencies.allSatisfy(\.isOpen) else { continue }
                pipeline.hasStarted = true
                if pipeline.source.isEmpty {
                    if end(pipeline) {
                        busyThreads += 1
                        readySinks.append(pipeline.sink)
                    }
                    continue
                }
                let count = max(
                    1, min(task.threads, pipeline.source.maximumDrivers, pipeline.sink.factory.maximumDrivers))
                pipeline.activeDrivers = count
                for index in 0..<count {
                    let driver = PipelineDriver(execution: self, pipeline: pipeline, index: index)
                    active[ObjectIdentifier(driver)] = driver
                    started.append(driver)
                }
            }
        }
        start(started)
        for sink in readySinks {
            finalize(sink, phase: 0)
            leave()
        }
    }

    private func start(_ drivers: [Driver]) {
        guard helpDeadline > 0, let first = drivers.first, monotonicNanoseconds() < helpDeadline else {
            for driver in drivers { driver.wake() }
            return
        }
        for driver in drivers.dropFirst() { driver.wake() }
        first.runHere(until: helpDeadline)
    }

    /// Under the lock: no more rows come from the pipeline. Returns whether its sink has all of its input.
    private func end(_ pipeline: Pipeline) -> Bool {
        pipeline.done.isOpen = true
        pipeline.sink.remainingPipelines -= 1
        return pipeline.sink.remainingPipelines == 0
    }

    func fail(_ error: QueryError) {
        guard task.fail(error) else { return }
        let parked = lock.withLock { _ in
            busyThreads += 1
            return Array(active.values)
        }
        for driver in parked { driver.wake() }
        leave()
    }

    /// A thread is done with what it did outside of drivers; the last one out ends the task.
    private func leave() {
        let (ends, isStuck) = lock.withLock { _ in
            busyThreads -= 1
            let ends = shouldEnd()
            let isIdle = hasStarted && !hasEnded && active.isEmpty && busyThreads == 0
            return (ends, isIdle)
        }
        if ends { end() }
        if isStuck { fail(.internalError("the pipelines of a task wait for each other")) }
    }

    /// Under the lock.
    private func shouldEnd() -> Bool {
        guard hasStarted, !hasEnded, active.isEmpty, busyThreads == 0, isComplete || task.isCancelled else {
            return false
        }
        hasEnded = true
        return true
    }

    func driverFinished(_ driver: PipelineDriver) {
        let pipeline = driver.pipeline
        let isSinkReady = lock.withLock { _ in
            active[ObjectIdentifier(driver)] = nil
            busyThreads += 1
            toldMetrics[ObjectIdentifier(driver)] = nil
            for counters in driver.context?.counters ?? [] { add(counters.metrics) }
            pipeline.activeDrivers -= 1
            guard pipeline.activeDrivers == 0, !task.isCancelled else { return false }
            return end(pipeline)
        }
        if isSinkReady { finalize(pipeline.sink, phase: 0) } else { startReadyPipelines() }
        leave()
    }

    private func finalize(_ sink: SinkGroup, phase: Int) {
        do {
            try task.checkCancellation()
            let start = monotonicNanoseconds()
            let tasks = try sink.factory.finalize(phase: phase)
            addFinalizeTime(sink, monotonicNanoseconds() &- start)
            if tasks.isEmpty {
                lock.withLock { _ in
                    sink.gate.isOpen = true
                    if sink === sinks.last { isComplete = true }
                }
                startReadyPipelines()
                return
            }
            runTasks(tasks, sink: sink, phase: phase)
        } catch {
            fail(QueryError.wrapping(error))
        }
    }

    private func runTasks(_ tasks: [FinalizeTask], sink: SinkGroup, phase: Int) {
        let count = min(task.threads, tasks.count)
        var drivers: [Driver] = []
        lock.withLock { _ in
            if task.isCancelled { return }
            let position = sinks.firstIndex { $0 === sink } ?? 0
            let work = FinalizeWork(sink: position, phase: phase, tasks: tasks, drivers: count)
            for _ in 0..<count {
                let driver = FinalizeDriver(execution: self, work: work, priority: -1)
                active[ObjectIdentifier(driver)] = driver
                drivers.append(driver)
            }
        }
        start(drivers)
    }

    func finalizeDriverFinished(_ driver: FinalizeDriver) {
        let work = driver.work
        let sink = lock.withLock { _ in
            active[ObjectIdentifier(driver)] = nil
            busyThreads += 1
            return sinks[work.sink]
        }
        if work.driverLeft() {
            addFinalizeTime(sink, work.time)
            finalize(sink, phase: work.phase + 1)
        }
        leave()
    }

    // MARK: The end

    private func end() {
        let (pipelines, sinks, completion) = lock.withLock { _ in
            defer {
                self.pipelines = []
                self.sinks = []
                self.completion = nil
            }
            return (self.pipelines, self.sinks, self.completion)
        }
        let error = task.error
        for pipeline in pipelines { pipeline.source.close() }
        for sink in sinks { sink.factory.release(failed: error != nil) }
        let peaks = task.releaseMemory()
        let result = lock.withLock { _ in
            for (node, peak) in peaks where metrics[node] != nil { metrics[node]?.memoryPeak = peak }
            return sortedMetrics()
        }
        if let error {
            output.fail(error)
            completion?(.failure(error))
        } else {
            completion?(.success(result))
            output.finish()
        }
    }

    /// Under the lock.
    private func add(_ counters: OperatorMetrics) {
        if metrics[counters.node] == nil {
            metrics[counters.node] = OperatorMetrics(node: counters.node, name: counters.name)
        }
        metrics[counters.node]?.add(counters)
    }

    private func addFinalizeTime(_ sink: SinkGroup, _ time: UInt64) {
        lock.withLock { _ in
            if let node = sink.factory.metricsNode { metrics[node]?.nanoseconds &+= time }
        }
    }

    /// Under the lock.
    private func sortedMetrics() -> [OperatorMetrics] { metrics.values.sorted { $0.node < $1.node } }
}
