// The driver of a pipeline: pulls batches from its source and pushes them through its chain.

import Columnar
import Diagnostics

/// One driver of a running pipeline. Makes its operators when it first runs, so that this happens in parallel.
final class PipelineDriver: Driver, @unchecked Sendable {
    let execution: TaskExecution
    let pipeline: Pipeline
    let index: Int
    private let stopFlags: [StopFlag]
    private(set) var context: DriverContext?
    private var source: (any BatchSource)?
    /// From the first operator to the sink's.
    private var chain: [PushOperator] = []
    /// Set when the session asks for other batches; what is left of the last one, in reverse.
    private var variation: BatchVariation?
    private var parts: [Batch] = []
    /// How many operators know that their input has ended, once the source is at its end.
    private var endedCount: Int?
    /// When it last told what it has done. Often enough for people who watch, and too seldom to cost anything.
    private var toldAt: UInt64 = 0
    private static let tellingPause: UInt64 = 250_000_000
    /// For one that waits, perhaps for long: what it has done so far would else stay unknown.
    private static let blockedPause: UInt64 = 20_000_000
    /// Since when it waits for the exchange, and for which side of it, for metrics.
    private enum ExchangeWait { case rows, room }
    private var exchangeWait: (since: UInt64, side: ExchangeWait)?
    /// How often memory had been asked for when the sink was last told.
    private var answeredRevocations = 0

    init(execution: TaskExecution, pipeline: Pipeline, index: Int) {
        self.execution = execution
        self.pipeline = pipeline
        self.index = index
        stopFlags = pipeline.stopFlags
        super.init(group: execution.group, priority: pipeline.priority)
    }

    override func run(until deadline: UInt64) -> Outcome {
        endExchangeWait()
        do {
            if execution.task.isCancelled { return end() }
            let outcome = try Interruption.$current.withValue(execution.task.interruption) {
                if source == nil { try setUp() }
                let revocations = execution.task.environment.memory.revocationCount
                if revocations != answeredRevocations {
                    answeredRevocations = revocations
                    try chain.last?.revoke()
                }
                return try runLoop(until: deadline)
            }
            if outcome != .finished { tellProgress(isBlocked: outcome == .blocked) }
            return outcome
        } catch {
            execution.fail(QueryError.wrapping(error))
            return end()
        }
    }

    override func didFinish() { execution.driverFinished(self) }

    private func tellProgress(isBlocked: Bool) {
        let now = monotonicNanoseconds()
        if toldAt == 0, !isBlocked { toldAt = now }
        guard now &- toldAt >= (isBlocked ? Self.blockedPause : Self.tellingPause) else { return }
        toldAt = now
        execution.driverPaused(self)
    }

    private func endExchangeWait() {
        guard let (since, side) = exchangeWait else { return }
        exchangeWait = nil
        let nanoseconds = monotonicNanoseconds() &- since
        switch side {
        case .rows: ProcessMeters.addExchangeReaderWait(nanoseconds: nanoseconds)
        case .room: ProcessMeters.addExchangeWriterWait(nanoseconds: nanoseconds)
        }
    }

    private func setUp() throws {
        let context = DriverContext(task: execution.task, index: index, wake: { [weak self] in self?.wake() })
        self.context = context
        var next = try pipeline.sink.factory.makeSink(driver: context)
        var operators = [next]
        for factory in pipeline.operators.reversed() {
            next = try factory.makeOperator(downstream: next, driver: context)
            operators.append(next)
        }
        chain = operators.reversed()
        source = try pipeline.source.makeSource(driver: context)
        answeredRevocations = execution.task.environment.memory.revocationCount
        variation = BatchVariation(execution.task.environment.evaluationContext.variation)
    }

    private func runLoop(until deadline: UInt64) throws -> Outcome {
        guard let source, let context, let first = chain.first, let last = chain.last else { return .finished }
        while true {
            if execution.task.isCancelled { return end() }
            if last.isFull(wake: context.wake) {
                exchangeWait = (monotonicNanoseconds(), .room)
                return .blocked
            }
            if isStopped(last) {
                // Rows that are still pending belong to nobody.
                for member in chain { member.hasPendingOutput = false }
                for member in chain.dropFirst(endedCount ?? 0) {
                    member.hasPendingOutput = false
                    try member.endInputTimed()
                }
                return end()
            }
            if try !resumePending() {
                if let count = endedCount {
                    endedCount = count + 1
                    try chain[count].endInputTimed()
                    if count + 1 == chain.count { return end() }
                    continue
                }
                if let part = parts.popLast() {
                    try first.push(part)
                    continue
                }
                switch try source.nextTimed(context) {
                case .batch(let batch):
                    if batch.isEmpty { break }
                    if let variation {
                        parts = variation.parts(of: batch).reversed()
                    } else {
                        try first.push(batch)
                    }
                case .blocked:
                    if pipeline.source.readsExchange { exchangeWait = (monotonicNanoseconds(), .rows) }
                    return .blocked
                case .finished: endedCount = 0
                }
            }
            if monotonicNanoseconds() >= deadline { return .yielded }
        }
    }

    private func isStopped(_ last: PushOperator) -> Bool {
        for flag in stopFlags where flag.isRaised { return true }
        return !last.wantsMore
    }

    /// Lets the pending operator nearest to the sink go on. Returns whether there was one.
    private func resumePending() throws -> Bool {
        var position = chain.count - 1
        while position >= 0 {
            if chain[position].hasPendingOutput {
                try chain[position].resumeTimed()
                return true
            }
            position -= 1
        }
        return false
    }

    private func end() -> Outcome {
        source?.close()
        source = nil
        chain = []
        parts = []
        return .finished
    }
}

/// Runs the parallel tasks of a sink's finalisation, one after the other until there are none left.
final class FinalizeDriver: Driver, @unchecked Sendable {
    let execution: TaskExecution
    let work: FinalizeWork

    init(execution: TaskExecution, work: FinalizeWork, priority: Int) {
        self.execution = execution
        self.work = work
        super.init(group: execution.group, priority: priority)
    }

    override func run(until deadline: UInt64) -> Outcome {
        let start = monotonicNanoseconds()
        var now = start
        defer { work.addTime(now &- start) }
        while let task = work.take() {
            if execution.task.isCancelled { return .finished }
            do { try task() } catch {
                execution.fail(QueryError.wrapping(error))
                return .finished
            }
            now = monotonicNanoseconds()
            if now >= deadline { return .yielded }
        }
        return .finished
    }

    override func didFinish() { execution.finalizeDriverFinished(self) }
}
