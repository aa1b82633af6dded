// Sources that need no store: VALUES, and batches that are there already.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileValues(_ node: PhysicalNode, _ values: ValuesNode) throws -> OpenPipeline {
        OpenPipeline(source: ValuesSourceFactory(node: node, values: values))
    }

    func compileWorkingTable(_ node: PhysicalNode, _ number: Int) throws -> OpenPipeline {
        OpenPipeline(source: BatchListSourceFactory(node: node, batches: try environment.workingTable(number)))
    }
}

/// Evaluates the rows of a VALUES list.
private final class ValuesSourceFactory: SourceFactory {
    let node: PhysicalNode
    let values: ValuesNode
    init(node: PhysicalNode, values: ValuesNode) {
        self.node = node
        self.values = values
    }

    var maximumDrivers: Int { 1 }

    func makeSource(driver: DriverContext) throws -> any BatchSource {
        ValuesSource(
            counters: driver.makeCounters(for: node), types: node.output.types, rows: values.rows, task: driver.task)
    }
}

private final class ValuesSource: BatchSource {
    let counters: OperatorCounters
    private let types: [DataType]
    private let rows: [[Expression]]
    private let task: TaskContext
    private var position = 0

    init(counters: OperatorCounters, types: [DataType], rows: [[Expression]], task: TaskContext) {
        self.counters = counters
        self.types = types
        self.rows = rows
        self.task = task
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        if position == rows.count { return .finished }
        let count = min(Batch.standardRowCount, rows.count - position)
        defer { position += count }
        if types.isEmpty { return .batch(Batch(columns: [], rowCount: count)) }
        // A batch of one row without columns to evaluate against.
        let single = Batch(columns: [], rowCount: 1)
        let builders = types.map { VectorBuilder(type: $0, capacity: count) }
        for row in rows[position..<position + count] {
            for (builder, expression) in zip(builders, row) {
                if case .literal(let value, _) = expression {
                    builder.append(value)
                } else {
                    builder.append(try RowExpression(expression, task: task).evaluate(single).value(at: 0))
                }
            }
        }
        return .batch(Batch(columns: builders.map { $0.finish() }, rowCount: count))
    }
}

/// Gives batches that are in memory. The batches are shared between executions, so each is handed out as a new object
/// over the same vectors.
package final class BatchListSourceFactory: SourceFactory, @unchecked Sendable {
    private let node: PhysicalNode
    private let batches: [Batch]

    package init(node: PhysicalNode, batches: [Batch]) {
        self.node = node
        self.batches = batches.map { Batch(columns: $0.columns, rowCount: $0.physicalCount, selection: $0.selection) }
    }

    package var maximumDrivers: Int { 1 }

    package func makeSource(driver: DriverContext) throws -> any BatchSource {
        BatchListSource(counters: driver.makeCounters(for: node), batches: batches)
    }
}

private final class BatchListSource: BatchSource {
    let counters: OperatorCounters
    private let batches: [Batch]
    private var position = 0

    init(counters: OperatorCounters, batches: [Batch]) {
        self.counters = counters
        self.batches = batches
    }

    func next(wake: @escaping @Sendable () -> Void) throws -> SourceEvent {
        guard position < batches.count else { return .finished }
        defer { position += 1 }
        return .batch(batches[position])
    }
}
