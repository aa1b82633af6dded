// How a NestedLoopJoin node becomes pipelines: a join without keys, where every build row is a candidate for every probe
// row and the condition decides.

import Diagnostics
import QueryPlan

extension PipelineBuilder {
    func compileNestedLoopJoin(_ node: PhysicalNode, _ plan: NestedLoopJoinNode) throws -> OpenPipeline {
        let leftCount = plan.left.output.count
        let rightCount = plan.right.output.count
        let outputColumns: [Int]
        switch plan.kind {
        case .inner, .left, .right, .full, .single: outputColumns = Array(0..<leftCount + rightCount)
        case .semi, .anti: outputColumns = Array(0..<leftCount)
        case .rightSemi, .rightAnti: outputColumns = Array(0..<rightCount)
        case .mark: outputColumns = Array(0...leftCount)
        }
        let join = HashJoinNode(
            kind: plan.kind, leftKeys: [], rightKeys: [], residual: plan.condition == .true ? nil : plan.condition,
            outputColumns: outputColumns, left: plan.left, right: plan.right)
        return try compileJoin(node, join)
    }
}
