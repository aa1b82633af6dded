// Project: computes columns.

import Columnar
import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileProject(_ node: PhysicalNode, _ project: ProjectNode) throws -> OpenPipeline {
        let open = try compile(project.input)
        open.append(ProjectFactory(node: node, expressions: project.expressions))
        return open
    }
}

private final class ProjectFactory: OperatorFactory {
    let node: PhysicalNode
    let expressions: [Expression]
    init(node: PhysicalNode, expressions: [Expression]) {
        self.node = node
        self.expressions = expressions
    }

    func makeOperator(downstream: PushOperator, driver: DriverContext) throws -> PushOperator {
        let columns = expressions.compactMap { expression -> Int? in
            if case .input(let index, _) = expression { index } else { nil }
        }
        if columns.count == expressions.count {
            return ColumnChoice(node: node, columns: columns, downstream: downstream, driver: driver)
        }
        return ProjectOperator(
            node: node, expressions: try RowExpressions(expressions, task: driver.task), downstream: downstream,
            driver: driver)
    }
}

/// Only chooses columns: the selection of the batch stays.
private final class ColumnChoice: PushOperator {
    private let columns: [Int]

    init(node: PhysicalNode, columns: [Int], downstream: PushOperator, driver: DriverContext) {
        self.columns = columns
        super.init(node: node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws { try emit(batch.projecting(columns)) }
}

private final class ProjectOperator: PushOperator {
    private let expressions: RowExpressions

    init(node: PhysicalNode, expressions: RowExpressions, downstream: PushOperator, driver: DriverContext) {
        self.expressions = expressions
        super.init(node: node, downstream: downstream, driver: driver)
    }

    override func process(_ batch: Batch) throws {
        try emit(Batch(columns: try expressions.evaluate(batch), rowCount: batch.rowCount))
    }
}
