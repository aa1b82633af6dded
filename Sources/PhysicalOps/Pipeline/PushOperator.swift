// The operators of a pipeline as one driver has them: a source, and a chain that batches are pushed through.

import Columnar
import Diagnostics
import QueryPlan

/// What belongs to one driver of one pipeline: operators get it when they are made. Confined to the driver.
package final class DriverContext: @unchecked Sendable {
    package let task: TaskContext
    /// The driver's number within its pipeline, from 0.
    package let index: Int
    /// Wakes the driver; for everything that waits.
    package let wake: @Sendable () -> Void
    private(set) var counters: [OperatorCounters] = []
    /// The counters of the operator that is running, and since when: one clock reading a change of operator.
    fileprivate var running: OperatorCounters
    fileprivate var since: UInt64

    init(task: TaskContext, index: Int, wake: @escaping @Sendable () -> Void) {
        self.task = task
        self.index = index
        self.wake = wake
        running = OperatorCounters(node: -1, name: "driver")
        since = monotonicNanoseconds()
    }

    /// Counters for one operator instance of this driver.
    package func makeCounters(for node: PhysicalNode) -> OperatorCounters {
        makeCounters(node: node.id, name: node.kind.operatorName)
    }

    func makeCounters(node: Int, name: String) -> OperatorCounters {
        let made = OperatorCounters(node: node, name: name)
        counters.append(made)
        return made
    }

    /// Books the time so far on the operator that ran and starts `next`'s. Returns who ran.
    @inline(__always)
    func switchTo(_ next: OperatorCounters) -> OperatorCounters {
        let now = monotonicNanoseconds()
        running.metrics.nanoseconds &+= now &- since
        since = now
        let previous = running
        running = next
        return previous
    }

    /// Throws the task's error once it has one.
    package func checkCancellation() throws { try task.checkCancellation() }
}

/// One operator of a chain, for one driver. Upstream calls `push` and at the end `finish`; subclasses override `process`,
/// `finishInput` and, if they give many rows for one batch, `resume`. Confined to the driver.
package class PushOperator {
    package let driver: DriverContext
    package let counters: OperatorCounters
    /// `nil` for sinks.
    package let downstream: PushOperator?
    /// Set by `process` and `resume` when rows of the last batch are left to give: the driver calls `resume` before it
    /// takes the next batch. An operator that multiplies rows returns with this set after some batches, so that the driver
    /// can pause when the output is full; one that gives at most a few batches for each of its input need not.
    package var hasPendingOutput = false

    package init(node: PhysicalNode, downstream: PushOperator?, driver: DriverContext) {
        self.driver = driver
        self.downstream = downstream
        counters = driver.makeCounters(for: node)
    }

    /// For an operator that no plan node stands for.
    init(name: String, downstream: PushOperator?, driver: DriverContext) {
        self.driver = driver
        self.downstream = downstream
        counters = driver.makeCounters(node: -1, name: name)
    }

    // MARK: For subclasses

    /// Takes a batch that has rows. Results go to `emit`.
    package func process(_ batch: Batch) throws {
        throw QueryError.internalError("an operator without process()")
    }

    /// The input has ended: gives what was held back. `finish` of the downstream follows by itself.
    package func finishInput() throws {}

    /// Gives more rows of the last batch; only called while `hasPendingOutput`.
    package func resume() throws { hasPendingOutput = false }

    /// Others need memory: gives back what is worth it, by writing it to disk. Called between batches, while the driver may be
    /// waiting for rows.
    package func revoke() throws {}

    /// For the last operator of a chain: whether it wants a pause. It then has kept `wake`, which is called once.
    package func isFull(wake: @escaping @Sendable () -> Void) -> Bool { false }

    /// For the last operator of a chain: `false` once nobody wants more rows.
    package var wantsMore: Bool { true }

    /// Passes a batch on; empty ones vanish.
    @inline(__always)
    package final func emit(_ batch: Batch) throws {
        let count = batch.rowCount
        if count == 0 { return }
        counters.metrics.rowsOut &+= count
        counters.metrics.batchesOut &+= 1
        try downstream.unsafelyUnwrapped.push(batch)
    }

    // MARK: For upstream

    package final func push(_ batch: Batch) throws {
        let previous = driver.switchTo(counters)
        while hasPendingOutput { try resume() }
        counters.metrics.rowsIn &+= batch.rowCount
        try process(batch)
        _ = driver.switchTo(previous)
    }

    package final func finish() throws {
        let previous = driver.switchTo(counters)
        while hasPendingOutput { try resume() }
        try finishInput()
        _ = driver.switchTo(previous)
        try downstream?.finish()
    }

    /// The end of the input, timed; for the driver, which ends one operator after the other, so that it can pause between them.
    final func endInputTimed() throws {
        let previous = driver.switchTo(counters)
        try finishInput()
        _ = driver.switchTo(previous)
    }

    /// One `resume`, timed; for the driver.
    final func resumeTimed() throws {
        let previous = driver.switchTo(counters)
        try resume()
        _ = driver.switchTo(previous)
    }
}

/// What a source answers.
package enum SourceEvent {
    case batch(Batch)
    /// Nothing at the moment; the driver's wake callback was registered and is called once when that changes.
    case blocked
    case finished
}

/// Where a pipeline's batches come from, for one driver. Confined to the driver.
package protocol BatchSource: AnyObject {
    var counters: OperatorCounters { get }
    /// The next batch. A source that must wait registers `wake` and answers `.blocked`; it may also answer with an empty
    /// batch, to let the driver look at its clock.
    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent
    /// No more is wanted. Called once, also behind the end and after errors.
    func close()
}

extension BatchSource {
    package func close() {}

    /// `next`, timed and counted; for the driver.
    func nextTimed(_ driver: DriverContext) throws -> SourceEvent {
        let previous = driver.switchTo(counters)
        let event = try next(wake: driver.wake)
        if case .batch(let batch) = event {
            counters.metrics.rowsOut &+= batch.rowCount
            counters.metrics.batchesOut &+= 1
        }
        _ = driver.switchTo(previous)
        return event
    }
}
