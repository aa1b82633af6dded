// Where the rows of a task go.

import Columnar
import Diagnostics

/// The receiver of a task's rows: a worker's exchange buffers, or the collector of a result. Thread-safe.
package protocol TaskOutput: AnyObject, Sendable {
    var partitionCount: Int { get }
    /// `false` once nobody reads any more: the task may stop early, without an error.
    var wantsMore: Bool { get }
    /// Takes a dense batch. Never blocks and never refuses: producers ask `isFull` in between.
    func enqueue(_ batch: Batch, partition: Int)
    /// Whether producers should pause. When the answer is `true`, `wake` is called once later, from any thread.
    func isFull(wake: @escaping @Sendable () -> Void) -> Bool
    /// All rows were given. Either this or `fail` is called, once, last.
    func finish()
    func fail(_ error: QueryError)
}

extension TaskOutput {
    package var wantsMore: Bool { true }
}
