// What a task gets from the worker that runs it.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions
import Storage
import Synchronization
import Transport

/// The worker's side of a task. Methods are called from the thread that starts the task and from driver threads.
package protocol TaskEnvironment: AnyObject, Sendable {
    var registry: FunctionRegistry { get }
    var evaluationContext: EvaluationContext { get }
    /// The task's budget, as a rule a child of the query's.
    var memory: MemoryPool { get }
    /// Drivers that a pipeline has at most.
    var threads: Int { get }
    /// The table, resolved when the task was set up.
    func table(for name: TableName) throws -> any TableProvider
    /// The splits that this task reads for the scan with that node id.
    func splits(node: Int) throws -> any SplitSource
    /// One reader for each task of the stage, for this task's partition.
    func exchangeReaders(stage: StageID, copy: Int?) throws -> [any ExchangeReader]
    func writer(for target: WriteTarget) throws -> any TableWriter
    /// The rows of a recursive query's last round.
    func workingTable(_ number: Int) throws -> [Batch]
    /// Runtime filters between this task's stage and others: its own joins publish some, its scans read the others.
    var stageFilters: [(filter: StageFilter, isPublished: Bool)] { get }
    /// One reader for each task that publishes the filter.
    func readers(of filter: StageFilter) throws -> [any ExchangeReader]
    /// Tasks that read a filter published here.
    func readerCount(of filter: StageFilter) -> Int
    /// Gives a message about the filter to every task that reads it.
    func publish(_ batches: [Batch], to filter: StageFilter)
    /// Where operators put what they may not keep in memory; `nil`: nowhere, and they fail with 53200 instead.
    var spillStore: (any SpillStore)? { get }
}

extension TaskEnvironment {
    package var spillStore: (any SpillStore)? { nil }
    package var stageFilters: [(filter: StageFilter, isPublished: Bool)] { [] }
    package func readers(of filter: StageFilter) throws -> [any ExchangeReader] { [] }
    package func readerCount(of filter: StageFilter) -> Int { 0 }
    package func publish(_ batches: [Batch], to filter: StageFilter) {}
    package func workingTable(_ number: Int) throws -> [Batch] {
        throw QueryError.internalError("working table \(number) is read outside of its recursion")
    }
    package func writer(for target: WriteTarget) throws -> any TableWriter {
        throw QueryError.notSupported("writing in this task")
    }
}

/// What a scan gets when it asks for a split.
package enum SplitEvent: Sendable {
    case split(Split)
    /// None at the moment; `wake` is called once when that changes.
    case pending
    case finished
}

/// Hands out the splits of a scan to drivers. Thread-safe.
package protocol SplitSource: AnyObject, Sendable {
    /// Splits that are left, if known: a pipeline has no more drivers than that.
    var remainingCount: Int? { get }
    func next(wake: @escaping @Sendable () -> Void) throws -> SplitEvent
}

/// A fixed list of splits, handed out in order.
package final class SplitList: SplitSource {
    private let splits: [Split]
    private let cursor = Atomic<Int>(0)

    package init(_ splits: [Split]) { self.splits = splits }

    package var remainingCount: Int? { max(0, splits.count - cursor.load(ordering: .relaxed)) }

    package func next(wake: @escaping @Sendable () -> Void) throws -> SplitEvent {
        let index = cursor.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < splits.count ? .split(splits[index]) : .finished
    }
}
