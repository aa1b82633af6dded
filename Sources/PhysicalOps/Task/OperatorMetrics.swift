// What an operator did, by plan node: EXPLAIN ANALYZE, the dashboard and tests read it.

/// Sums over all drivers of a task.
package struct OperatorMetrics: Hashable, Sendable {
    /// `PhysicalNode.id`.
    package var node: Int
    package var name: String
    package var rowsIn = 0
    package var rowsOut = 0
    package var batchesOut = 0
    /// Time of driver threads spent in the operator itself, without what it pushed to.
    package var nanoseconds: UInt64 = 0
    /// Bytes read from a store or exchange, where the operator knows.
    package var bytes = 0
    /// Bytes written to disk because memory was short.
    package var spilledBytes = 0
    /// The most memory reserved at one time.
    package var memoryPeak = 0

    package init(node: Int, name: String) {
        self.node = node
        self.name = name
    }

    package mutating func add(_ other: OperatorMetrics) {
        rowsIn += other.rowsIn
        rowsOut += other.rowsOut
        batchesOut += other.batchesOut
        nanoseconds &+= other.nanoseconds
        bytes += other.bytes
        spilledBytes += other.spilledBytes
        memoryPeak = max(memoryPeak, other.memoryPeak)
    }
}

/// Counters of one operator instance. Confined to its driver.
package final class OperatorCounters {
    package var metrics: OperatorMetrics

    package init(node: Int, name: String) { metrics = OperatorMetrics(node: node, name: name) }
}
