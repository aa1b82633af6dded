// Write: hands rows to a table's writer; the output is one row with their number.

import Columnar
import Diagnostics
import QueryPlan
import Storage
import Synchronization

extension PipelineBuilder {
    func compileWrite(_ node: PhysicalNode, _ write: WriteNode) throws -> OpenPipeline {
        let input = try compile(write.input)
        let sink = try WriteSinkFactory(node: node, target: write.target, task: task)
        let gate = close(input, with: sink)
        return OpenPipeline(source: WriteCountSourceFactory(node: node, sink: sink), after: [gate])
    }
}

/// Owns the writer: commits it in `finalize`, aborts it if the task fails before. As a rule one driver writes, in the order
/// of the input, and several pipelines (UNION ALL) take turns by the lock. A writer that accepts parts gets one from each
/// driver; an input that has an order has one driver.
private final class WriteSinkFactory: SinkFactory, @unchecked Sendable {
    let node: PhysicalNode
    let target: WriteTarget
    let task: TaskContext
    private let lock = Mutex(())
    private var writer: (any TableWriter)?
    private let acceptsParts: Bool
    private(set) var rowCount = 0
    /// What the writer itself holds; parts have their own.
    private let reservation: MemoryReservation

    init(node: PhysicalNode, target: WriteTarget, task: TaskContext) throws {
        self.node = node
        self.target = target
        self.task = task
        reservation = MemoryReservation(task.memory(for: node))
        let writer = try task.environment.writer(for: target)
        acceptsParts = (writer as? any PartitionedTableWriter)?.acceptsParts ?? false
        self.writer = writer
    }

    var maximumDrivers: Int { acceptsParts ? .max : 1 }
    var metricsNode: Int? { node.id }

    func makeSink(driver: DriverContext) throws -> PushOperator {
        let part = acceptsParts ? try (writer as? any PartitionedTableWriter)?.makePart() : nil
        return WriteSink(factory: self, part: part, node: node, driver: driver)
    }

    func write(_ batch: Batch) throws {
        try lock.withLock { _ in
            let writer = try open()
            try writer.write(batch)
            try reservation.resize(to: writer.heldByteCount)
            rowCount += batch.rowCount
        }
    }

    /// After parts have given the writer rows.
    func chargeWriter() throws {
        try lock.withLock { _ in if let writer { try reservation.resize(to: writer.heldByteCount) } }
    }

    func count(_ rows: Int) { lock.withLock { _ in rowCount += rows } }

    /// Under the lock.
    private func open() throws -> any TableWriter {
        guard let writer else { throw QueryError.internalError("a write after its end") }
        return writer
    }

    func finalize(phase: Int) throws -> [FinalizeTask] {
        try lock.withLock { _ in
            // Without rows too: a file is made, an empty one.
            try open().commit()
            writer = nil
            reservation.shrink(to: 0)
        }
        return []
    }

    func release(failed: Bool) {
        lock.withLock { _ in
            writer?.abort()
            writer = nil
            reservation.shrink(to: 0)
        }
    }
}

private final class WriteSink: PushOperator {
    private let factory: WriteSinkFactory
    private let part: (any TableWriterPart)?
    private var rowCount = 0
    private let reservation: MemoryReservation

    init(factory: WriteSinkFactory, part: (any TableWriterPart)?, node: PhysicalNode, driver: DriverContext) {
        self.factory = factory
        self.part = part
        reservation = MemoryReservation(factory.task.memory(for: node))
        super.init(node: node, downstream: nil, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        guard let part else { return try factory.write(batch.densified()) }
        try part.write(batch.densified())
        try reservation.resize(to: part.heldByteCount)
        try factory.chargeWriter()
        rowCount += batch.rowCount
    }

    override func finishInput() throws {
        guard let part else { return }
        try part.finish()
        reservation.shrink(to: 0)
        factory.count(rowCount)
        rowCount = 0
    }
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
