// What the drivers of a pipeline share: factories of sources, operators and sinks. One a plan node and task.

import Diagnostics

/// Makes the sources of a pipeline's drivers and holds what they share. Thread-safe.
package protocol SourceFactory: AnyObject, Sendable {
    /// Asked when the pipeline starts: more drivers would find nothing to do. 1 keeps the order of rows.
    var maximumDrivers: Int { get }
    func makeSource(driver: DriverContext) throws -> any BatchSource
    /// Asked when the pipeline could start: whether it has nothing to give, so that no driver need run it. Only for
    /// pipelines that run behind another one of the same sink.
    var isEmpty: Bool { get }
    /// Whether its rows come from another stage, so that a wait for them is one of the exchange.
    var readsExchange: Bool { get }
    /// The task has ended or the pipeline has, whatever way; also called for pipelines that never started. Idempotent.
    func close()
}

extension SourceFactory {
    package var isEmpty: Bool { false }
    package var readsExchange: Bool { false }
    package func close() {}
}

/// Makes a streaming operator for each driver and holds what they share. Thread-safe.
package protocol OperatorFactory: AnyObject, Sendable {
    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator
    /// Set: drivers of the pipeline stop, without an error, as soon as the flag is raised.
    var stopFlag: StopFlag? { get }
}

extension OperatorFactory {
    package var stopFlag: StopFlag? { nil }
}

/// Work that is done in parallel when a sink has all of its input.
package typealias FinalizeTask = @Sendable () throws -> Void

/// The end of one or more pipelines (of a UNION ALL, say): makes each driver's terminal operator and holds the state that
/// they are merged into. Thread-safe.
package protocol SinkFactory: AnyObject, Sendable {
    /// Drivers of a pipeline that ends here at most; 1 keeps the order of rows.
    var maximumDrivers: Int { get }
    /// The plan node that the time of `finalize` is booked on.
    var metricsNode: Int? { get }
    func makeSink(driver: DriverContext) throws -> PushOperator
    /// Called on one thread when all drivers have finished without an error, with phase 0. The tasks returned are run in
    /// parallel; then it is called with the next phase, until it returns none. Pipelines that wait for the sink start then.
    func finalize(phase: Int) throws -> [FinalizeTask]
    /// The task ends: `failed` says how. Called once, for every sink, also those that never got a row.
    func release(failed: Bool)
}

extension SinkFactory {
    package var maximumDrivers: Int { .max }
    package var metricsNode: Int? { nil }
    package func finalize(phase: Int) throws -> [FinalizeTask] { [] }
    package func release(failed: Bool) {}
}
