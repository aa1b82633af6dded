// Write: hands rows to a table's writer; the output is one row with their number.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

extension PipelineBuilder {
    func compileWrite(_ node: PhysicalNode, _ write: WriteNode) throws -> OpenPipeline {
        let input = try compile(write.input)
        let sink = WriteSinkFactory(node: node, target: write.target, task: task)
        let gate = close(input, with: sink)
        return OpenPipeline(source: WriteCountSourceFactory(node: node, sink: sink), after: [gate])
    }
}

/// Owns the writer: commits it in `finalize`, aborts it if the task fails before. One driver writes, in the order of the
/// input; several pipelines (UNION ALL) take turns by the lock.
private final class WriteSinkFactory: SinkFactory, @unchecked Sendable {
    let node: PhysicalNode
    let target: WriteTarget
    let task: TaskContext
    private let lock = Mutex(())
    private var writer: (any TableWriter)?
    private(set) var rowCount = 0

    init(node: PhysicalNode, target: WriteTarget, task: TaskContext) {
        self.node = node
        self.target = target
        self.task = task
    }

    var maximumDrivers: Int { 1 }
    var metricsNode: Int? { node.id }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        WriteSink(factory: self, node: node, driver: driver)
    }

    func write(_ batch: Batch) throws {
        try lock.withLock { _ in
            try open().write(batch)
            rowCount += batch.rowCount
        }
    }

    /// Under the lock.
    private func open() throws -> any TableWriter {
        if let writer { return writer }
        let made = try task.environment.writer(for: target)
        writer = made
        return made
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        try lock.withLock { _ in
            // Without rows too: a file is made, an empty one.
            try open().commit()
            writer = nil
        }
        return []
    }

    func release(failed: Bool) {
        lock.withLock { _ in
            writer?.abort()
            writer = nil
        }
    }
}

private final class WriteSink: PushOperator {
    private let factory: WriteSinkFactory

    init(factory: WriteSinkFactory, node: PhysicalNode, driver: DriverContext) {
        self.factory = factory
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws { try factory.write(batch.densified()) }
}

private final class WriteCountSourceFactory: SourceFactory {
    let node: PhysicalNode
    let sink: WriteSinkFactory
    init(node: PhysicalNode, sink: WriteSinkFactory) {
        self.node = node
        self.sink = sink
    }

    var maximumDrivers: Int { 1 }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        let batch = Batch.rows([[.integer(Int64(sink.rowCount))]], types: [.int64])
        return try BatchListSourceFactory(node: node, batches: [batch]).makeSource(driver: driver)
    }
}
