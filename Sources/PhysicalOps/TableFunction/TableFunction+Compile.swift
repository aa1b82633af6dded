// Table functions: called for each input row; the rows they give stand beside the row's columns.

import Columnar
import Diagnostics
import QueryPlan
import SQLFunctions

extension PipelineBuilder {
    func compileTableFunction(_ node: PhysicalNode, _ plan: TableFunctionNode) throws -> OpenPipeline {
        let open = try compile(plan.input)
        let function = try environment.registry.resolveTable(plan.name, plan.arguments.map(\.type)).function
        open.append(TableFunctionFactory(node: node, plan: plan, function: function, task: task))
        return open
    }
}

private final class TableFunctionFactory: OperatorFactory, Sendable {
    private let node: PhysicalNode
    private let plan: TableFunctionNode
    private let function: TableFunction
    private let task: TaskContext

    init(node: PhysicalNode, plan: TableFunctionNode, function: TableFunction, task: TaskContext) {
        self.node = node
        self.plan = plan
        self.function = function
        self.task = task
    }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        try TableFunctionOperator(
            node: node, plan: plan, function: function, task: task, downstream: downstream, driver: driver)
    }
}

private final class TableFunctionOperator: PushOperator {
    private let plan: TableFunctionNode
    private let function: TableFunction
    private let arguments: RowExpressions
    private let accumulator: BatchAccumulator
    private let inputCount: Int
    private let task: TaskContext

    private static let rowsBetweenPauses = 4 * Batch.standardRowCount
    /// The batch whose rows the function is called for, what it is called with, and how far that has gone.
    private var input: Batch?
    private var values: [Vector] = []
    private var row = 0
    /// Rows that the function has given for the current row.
    private var ordinal: Int64 = 0
    /// What goes on giving rows for the current row.
    private var series: (any RowSeries)?
    /// Rows that the function has given, for all rows of the input.
    private var givenCount = 0

    init(
        node: PhysicalNode, plan: TableFunctionNode, function: TableFunction, task: TaskContext,
        downstream: PushOperator, driver: DriverContext
    ) throws {
        self.plan = plan
        self.function = function
        self.task = task
        inputCount = plan.input.output.count
        arguments = try RowExpressions(plan.arguments, task: task)
        accumulator = BatchAccumulator(types: node.output.types)
        super.init(node: node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        values = try arguments.evaluate(batch)
        input = batch
        row = 0
        try resume()
    }

    /// Pauses after some rows, so that whoever reads slowly is waited for.
    override func resume() throws {
        guard let batch = input else { return hasPendingOutput = false }
        hasPendingOutput = true
        let pauseAt = givenCount + Self.rowsBetweenPauses
        while row < batch.rowCount {
            guard try giveRows(of: batch, until: pauseAt) else { return }
            row += 1
            if givenCount >= pauseAt { return }
        }
        input = nil
        values = []
        hasPendingOutput = false
    }

    /// The function's rows for the current row of the input. `false`: there may be more.
    private func giveRows(of batch: Batch, until pauseAt: Int) throws -> Bool {
        let given = values.map { $0.value(at: row) }
        if let function = function.series {
            let rows = try series ?? function(given, arguments.types, task.environment.evaluationContext)
            series = rows
            while let produced = try rows.next() {
                try task.checkCancellation()
                try give(batch, produced)
                if givenCount >= pauseAt { return false }
            }
            series = nil
        } else {
            try function.evaluate(given, arguments.types, task.environment.evaluationContext) { produced in
                try task.checkCancellation()
                try give(batch, produced)
            }
        }
        if ordinal == 0 && plan.isOuter {
            let empty = plan.functionTypes.map { Vector.constant(.null, type: $0, count: 1) }
            try give(batch, row, Batch(columns: empty, rowCount: 1), after: nil)
        }
        ordinal = 0
        return true
    }

    private func give(_ batch: Batch, _ produced: Batch) throws {
        try give(batch, row, produced, after: ordinal)
        ordinal += Int64(produced.rowCount)
        givenCount += produced.rowCount
    }

    /// The function's rows beside copies of the input row. `after`: ordinality of the row before the first.
    private func give(_ batch: Batch, _ row: Int, _ produced: Batch, after: Int64?) throws {
        let count = produced.rowCount
        if count == 0 { return }
        let copies = Selection(capacity: count)
        for index in 0..<count { copies.rows[index] = UInt16(truncatingIfNeeded: row) }
        copies.count = count
        var columns = (0..<inputCount).map { batch.column($0).gathered(copies) }
        for index in plan.functionTypes.indices { columns.append(produced.column(index)) }
        if plan.withOrdinality {
            let ordinality = Vector(flat: .int64, capacity: count)
            for index in 0..<count { ordinality.values(Int64.self)[index] = (after ?? 0) + Int64(index) + 1 }
            columns.append(after == nil ? Vector.constant(.null, type: .int64, count: count) : ordinality)
        }
        let joined = Batch(columns: columns, rowCount: count)
        if count >= Batch.standardRowCount / 2 {
            try flush()
            try emit(joined)
        } else {
            accumulator.append(joined)
            if accumulator.rowCount >= Batch.standardRowCount { try flush() }
        }
    }

    private func flush() throws {
        if accumulator.rowCount > 0 { try emit(accumulator.take()) }
    }

    override func finishInput() throws { try flush() }
}
